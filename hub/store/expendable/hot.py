"""Answers that may be a moment old, shared by all processes that show pages.

A question that costs half a second is asked of the database once in two seconds then, however many people look and
through however many processes. One that costs little is asked every time, and Redis is not bothered with it. One that
costs seconds (all of a million customers) is asked so seldom that a fifth of a processor is enough for it, and only who
comes first waits: the others get the last answer while the next one is computed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import msgspec

from hub.store.expendable.client import Expendable

log = logging.getLogger(__name__)

T = TypeVar("T")
TIMES: Final = 10.0  # an answer serves for so many times what it cost
WORTH: Final = 0.02  # seconds an answer must have cost to be shared
REST: Final = 4.0  # times what an answer cost pass at least before it is computed anew
DEAR: Final = 1.0  # seconds an answer must have cost for nobody to wait for the next one ...
STALE: Final = 60.0  # ... unless the last one ran out longer ago than so many seconds
_LARGEST: Final = 8 * 1024 * 1024  # bytes of an answer that is shared
_MOST: Final = 64  # questions remembered


class Hot:
    """Remembers answers: in this process, and in Redis where there is one. Any thread.

    Args:
        expendable: where answers are shared; None: nowhere.
        clock: seconds, monotonic.

    >>> hot = Hot()
    >>> hot.get("spread", 2.0, lambda: [3, 4], list[int])
    [3, 4]
    """

    def __init__(self, expendable: Expendable | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._expendable = expendable or Expendable(None)
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}

    def get(self, key: str, seconds: float, compute: Callable[[], T], kind: Any) -> T:
        """The answer, `seconds` old at most, and at most ten times what it took to compute; a dear one may be older.

        In a process one thread at a time computes it; the others wait and take what it found, or take the last answer
        where it was dear.

        Args:
            key: which question; the same in every process.
            seconds: how old the answer may be.
            compute: the answer itself, in any thread, also after this has returned; what it raises is raised here
                where somebody waits for it.
            kind: the answer's type, as msgspec reads it back from JSON.
        """
        with self._lock:
            kept = self._kept.get(key) or self._new(key)
        if kept.dear and self._clock() < kept.until + STALE:
            if self._clock() >= kept.until and kept.turn.acquire(blocking=False):
                threading.Thread(target=self._renew, args=(key, seconds, compute, kind, kept), daemon=True).start()
            return cast("T", kept.answer)
        with kept.turn:
            return self._current(key, seconds, compute, kind, kept)

    def _new(self, key: str) -> _Kept:
        """Room for one more question: what ran out first is forgotten."""
        if len(self._kept) >= _MOST:
            for old in sorted(self._kept, key=lambda one: self._kept[one].until)[: _MOST // 2]:
                del self._kept[old]
        return self._kept.setdefault(key, _Kept())

    def _renew(self, key: str, seconds: float, compute: Callable[[], Any], kind: Any, kept: _Kept) -> None:
        """Compute it while others are given the last answer; it is this thread's turn."""
        try:
            self._current(key, seconds, compute, kind, kept)
        except Exception:  # who waits for it next will hear
            log.debug("hot.not_renewed", extra={"question": key}, exc_info=True)
        finally:
            kept.turn.release()

    def _current(self, key: str, seconds: float, compute: Callable[[], T], kind: Any, kept: _Kept) -> T:
        if self._clock() < kept.until:
            return cast("T", kept.answer)
        if kept.cost is None or kept.cost >= WORTH:
            self._fetch(key, kind, kept)
            if self._clock() < kept.until:
                return cast("T", kept.answer)
        begun = self._clock()
        answer = compute()
        ended = self._clock()
        cost = ended - begun
        life = max(min(seconds, TIMES * cost), REST * cost)
        kept.answer, kept.cost, kept.until = answer, cost, ended + life
        if cost >= WORTH:
            self._share(key, answer, life)
        return answer

    def _fetch(self, key: str, kind: Any, kept: _Kept) -> None:
        """Take over what another process found, for as long as it is still good there."""
        ours = self._expendable.key("hot", key)

        def ask(redis: Any) -> tuple[bytes | None, int]:
            with redis.pipeline(transaction=False) as together:
                together.get(ours).pttl(ours)
                found, left = together.execute()
            return found, left

        found, left = self._expendable.ask(ask) or (None, 0)
        if found is None or left <= 0:
            return
        try:
            kept.answer = msgspec.json.decode(found, type=kind)
        except msgspec.DecodeError:  # another version's
            return
        kept.until = self._clock() + left / 1000

    def _share(self, key: str, answer: Any, life: float) -> None:
        if self._expendable.configured and not self._expendable.away:
            written = msgspec.json.encode(answer)
            if len(written) <= _LARGEST:
                ours = self._expendable.key("hot", key)
                self._expendable.tell(lambda redis: redis.set(ours, written, px=max(1, round(life * 1000))))


class _Kept:
    """One question: whose turn it is, and what is known."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.until = 0.0
        self.answer: Any = None
        self.cost: float | None = None  # seconds; None: never computed here

    @property
    def dear(self) -> bool:
        """Whether there is an answer that is too dear to wait for the next one."""
        return self.cost is not None and self.cost >= DEAR
