"""Backtests asked for on a page: each runs in a process of its own, and the database knows how far it is.

Any process that shows pages can tell of one and call it off; the one that was asked runs it, one at a time. Who begins
one dies with it: then it is told as interrupted, and can be asked for again.
"""

from __future__ import annotations

import logging
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from hub.sdk.errors import HubError
from hub.store import backtests
from hub.store.database import Database
from hub.success.apart import Order, Word
from hub.success.replaying import Archive
from scoring.proof.backtest import Backtest

log: Final = logging.getLogger(__name__)
T = TypeVar("T")
SILENT: Final = 30.0  # seconds without a sign of life, after which nobody runs it any more
_PACE: Final = 1.0  # seconds between two looks at whether it is still wanted
_CHILD: Final = (sys.executable, "-m", "hub.success.apart")
_UNEXPLAINED: Final = "its process ended without an answer; perhaps there was not enough memory: ask for a shorter time"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for.

    Attributes:
        measures, scorecard: the draft's texts.
        since: since when, as it was asked; empty: the beginning.
        tick: time between two looks, as it was asked.
        was: version of what is in use.
        becomes: version of the draft.
        lines: what the draft says otherwise.
    """

    measures: str
    scorecard: str
    since: str
    tick: str
    was: str
    becomes: str
    lines: list[str]


class Came(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: a comparison, or why there is none."""

    found: Backtest | None = None
    archive: Archive | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """One backtest, as a page shows it.

    Attributes:
        id, at: of it.
        wanted: what was asked for.
        state: `waiting`, `running`, `done`, `failed`, `canceled` or `interrupted`.
        steps: (step, done, of) as far as it is.
        came: what came of it; None before.
    """

    id: str
    at: float
    wanted: Wanted
    state: str
    steps: list[tuple[str, int, int]]
    came: Came | None

    @property
    def open(self) -> bool:
        """Whether it goes on."""
        return self.state in ("waiting", "running")


class Backtests:
    """Runs them, and tells of all there are.

    Args:
        database: the installation's.
        now: unix seconds.
        command: what runs one.
    """

    def __init__(self, database: Database, now: Callable[[], float] = time.time, command: Any = _CHILD) -> None:
        self._database, self._now, self._command = database, now, command
        self._turn = threading.Lock()

    def ask(self, wanted: Wanted, order: Order) -> str:
        """Run one as soon as it is its turn; its id."""
        key = secrets.token_hex(8)
        asked = msgspec.json.encode(wanted).decode()
        self._write(lambda c: backtests.add(c, key, self._now(), asked))
        threading.Thread(target=self._run, args=(key, order), name=f"backtest-{key}", daemon=True).start()
        return key

    def cancel(self, key: str) -> bool:
        """Call one off; False where it was over."""
        return self._write(lambda c: backtests.end(c, key, "canceled", "{}"))

    def one(self, key: str) -> Told | None:
        """One of them; None if it is not kept."""
        with self._database.read() as connection:
            found = backtests.one(connection, key)
        return None if found is None else self._told(found)

    def newest(self) -> list[Told]:
        """All that are kept, without what came of them."""
        with self._database.read() as connection:
            return [self._told(one) for one in backtests.newest(connection)]

    def _told(self, kept: backtests.Kept) -> Told:
        state = kept.state
        if state in ("waiting", "running") and self._now() - kept.beat_at > SILENT:
            state = "interrupted"
        return Told(
            kept.id,
            kept.at,
            msgspec.json.decode(kept.asked, type=Wanted),
            state,
            msgspec.json.decode(kept.progress, type=list[tuple[str, int, int]]) if kept.progress else [],
            msgspec.json.decode(kept.found, type=Came) if kept.found else None,
        )

    def _run(self, key: str, order: Order) -> None:
        try:
            while not self._turn.acquire(timeout=_PACE):
                if not self._write(lambda c: backtests.wait(c, key, self._now())):
                    return
            try:
                came = self._replay(key, order)
            finally:
                self._turn.release()
            if came is not None:
                state = "failed" if came.found is None else "done"
                said = msgspec.json.encode(came).decode()
                self._write(lambda c: backtests.end(c, key, state, said))
        except Exception:  # the page says interrupted
            log.exception("backtest.failed", extra={"backtest": key})

    def _replay(self, key: str, order: Order) -> Came | None:
        """What came of it; None if it was called off."""
        try:
            child = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own
        except OSError as error:
            return Came(error=f"a process of its own could not be started: {error.strerror}")
        watch = _Watch(child)
        try:
            assert child.stdin is not None  # noqa: S101 - asked for above
            child.stdin.write(msgspec.json.encode(order) + b"\n")
            child.stdin.flush()
            while True:
                ended = watch.ended.wait(_PACE)
                progress = msgspec.json.encode(list(watch.steps.values())).decode()
                if not self._write(lambda c, said=progress: backtests.beat(c, key, self._now(), said)):  # type: ignore[misc]
                    return None
                if ended:
                    return watch.came or Came(error=_UNEXPLAINED)
        except OSError:
            return Came(error=_UNEXPLAINED)
        finally:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    _close(pipe)

    def _write(self, work: Callable[[Any], T]) -> T:
        return self._database.write(work).result()


class _Watch:
    """Reads what a child says."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self.steps: dict[str, tuple[str, int, int]] = {}
        self.came: Came | None = None
        self.ended = threading.Event()
        threading.Thread(target=self._read, args=(child,), daemon=True).start()

    def _read(self, child: subprocess.Popen[bytes]) -> None:
        decode = msgspec.json.Decoder(Word).decode
        try:
            for line in child.stdout or ():
                word = decode(line)
                if word.step:
                    self.steps[word.step] = (word.step, word.done, word.of)
                elif word.found is not None or word.error:
                    self.came = Came(found=word.found, archive=word.archive, error=word.error)
        except (ValueError, HubError):
            log.warning("backtest.unreadable")
        finally:
            self.ended.set()


def _close(pipe: Any) -> None:
    try:
        pipe.close()
    except OSError:
        return  # it was asked and is gone
