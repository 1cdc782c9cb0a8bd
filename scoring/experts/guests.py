"""Experts that plugins brought: asked in a thread apart, given only what is signed, and left out as soon as they err.

Whatever one does, nobody waits for it longer than `PATIENCE`, and what it says is heard only where it is a number.
Who is left out is said once and counted (`pulsehub_expert_failures_total`); meanwhile its weight is everybody else's.
"""

from __future__ import annotations

import ctypes
import logging
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

import msgspec
import numpy as np

from hub import metrics
from hub.registry import Offered
from hub.sdk.experts import MOST_STATE, Expert
from hub.sealing import BrokenSealError, Seal
from scoring.arrays import Floats, Mask

SEED: Final = 1
PATIENCE: Final = 3.0
"""Seconds that a call may take, by the clock on the wall ..."""
A_CUSTOMER: Final = 0.001
"""... and for each customer or label of it."""
T = TypeVar("T")
_log = logging.getLogger(__name__)


class Guest(msgspec.Struct):
    """What an expert of a plugin learned, as it travels in a model.

    Attributes:
        state: as the expert gave it; perhaps a pickle, so that nobody may read it before `seal` was checked.
        seal: who vouches for it (`hub.sealing`).
        labels: how many taught it.
        plugin: `distribution version` of the plugin that taught it last.
    """

    state: bytes
    seal: str
    labels: int
    plugin: str


class UnfitError(Exception):
    """An expert of a plugin did not do what an expert does; the message says what."""


class Panel:
    """The experts that are installed here.

    Args:
        offered: by plugins.
        seal: vouches for what they learned.
        patience: seconds that a call may take, beside `A_CUSTOMER` for each customer.
    """

    def __init__(self, offered: Iterable[Offered], seal: Seal, patience: float = PATIENCE) -> None:
        self._offered = {one.name: one for one in sorted(offered, key=lambda one: one.name)}
        self._lines = {name: _Line(name) for name in self._offered}
        self._seal, self._patience = seal, patience
        self._troubles: dict[tuple[str, str], str] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Of all of them, sorted."""
        return tuple(self._offered)

    @property
    def troubles(self) -> dict[str, str]:
        """Who is left out here, and why."""
        return {name: problem for (name, _), problem in self._troubles.items()}

    def seats(self, known: Mapping[str, Guest]) -> list[Seat]:
        """Those of whom a model knows something, to be asked what they say."""
        return [Seat(self, self._offered[name], known[name]) for name in self.names if name in known]

    def pupils(self, known: Mapping[str, Guest]) -> list[Seat]:
        """All of them, to be taught."""
        return [Seat(self, one, known.get(name)) for name, one in self._offered.items()]

    def opened(self, offered: Offered, known: Guest | None) -> Expert:
        """One that knows what it knew; nothing, if it is new.

        Raises:
            BrokenSealError: nobody vouches for what is stored.
            Exception: whatever the expert raises.
        """
        state = None if known is None else known.state
        if known is not None:
            self._seal.check(offered.name, known.state, known.seal)
        return self.call(offered.name, lambda: offered.kind(SEED, state), 1)

    def sealed(self, offered: Offered, state: object, labels: int) -> Guest:
        """What an expert gave as its state, bounded and vouched for.

        Raises:
            UnfitError: it is no state.
            BrokenSealError: there is no key.
        """
        if not isinstance(state, bytes):
            raise UnfitError(f"its state is of type {type(state).__name__}, and must be bytes")
        if len(state) > MOST_STATE:
            raise UnfitError(
                f"its state has {len(state):,} bytes, and may have {MOST_STATE:,}: give it a smaller model"
            )
        return Guest(state, self._seal.sign(offered.name, state), labels, offered.version)

    def call(self, name: str, work: Callable[[], T], size: int) -> T:
        """Have an expert do something for so many customers, in its own thread.

        Raises:
            UnfitError: it took too long, now or before.
            Exception: whatever it raises.
        """
        return self._lines[name].call(work, self._patience + A_CUSTOMER * size)

    def complain(self, name: str, doing: str, error: BaseException) -> None:
        """Say once that an expert is left out, and count it every time."""
        ours = isinstance(error, UnfitError | BrokenSealError)
        problem = f"{doing}: {error}" if ours else f"{doing}: {type(error).__name__}: {error}"
        metrics.EXPERT_FAILURES.labels(name, doing).inc()
        if self._troubles.get((name, doing)) != problem:
            self._troubles[name, doing] = problem
            _log.warning("scoring.expert_left_out", extra={"expert": name, "problem": problem})

    def behaves(self, name: str, doing: str) -> None:
        """Take back what was said of it."""
        if self._troubles.pop((name, doing), None) is not None:
            _log.info("scoring.expert_heard_again", extra={"expert": name, "doing": doing})


class Seat:
    """One expert as one version of the models knows it. Whatever goes wrong leaves it out of that version for good.

    Args:
        panel: who asks it.
        offered: which expert it is.
        known: what it learned before; None: nothing.
    """

    def __init__(self, panel: Panel, offered: Offered, known: Guest | None) -> None:
        self.name = offered.name
        self.out = False
        self._panel, self._offered, self._known = panel, offered, known
        self._taught = 0
        self._one: Expert | None = None

    def say(self, names: Sequence[str], features: Floats) -> Floats:
        """(n,) log odds of losing these customers; NaN where it has none, and of all where it is left out."""
        if not len(features):
            return np.full(0, np.nan)
        said = self._try("say", len(features), lambda one: one.say(names, _handed(features)), _opinions(len(features)))
        return np.full(len(features), np.nan) if said is None else said

    def learn(self, names: Sequence[str], features: Floats, lost: Mask, weight: float) -> None:
        """Take a portion of labels."""
        self._taught += len(lost)
        self._try(
            "learn", len(lost), lambda one: one.learn(names, _handed(features), _handed(lost), weight), lambda _: 0
        )

    def guest(self) -> Guest | None:
        """What it knows now; None if it was taught nothing, or erred: what it knew before stands."""
        if not self._taught:
            return None
        labels = self._taught + (0 if self._known is None else self._known.labels)
        return self._try(
            "state",
            self._taught,
            lambda one: one.state(),
            lambda state: self._panel.sealed(self._offered, state, labels),
        )

    def _try(self, doing: str, size: int, work: Callable[[Expert], Any], read: Callable[[Any], T]) -> T | None:
        """What it answers, as `read` takes it; None if it is left out."""
        one = self._opened()
        if one is None:
            return None
        try:
            found = read(self._panel.call(self.name, lambda: work(one), size))
        except Exception as error:  # noqa: BLE001 - a stranger may raise anything
            self.out = True
            self._panel.complain(self.name, doing, error)
            return None
        self._panel.behaves(self.name, doing)
        return found

    def _opened(self) -> Expert | None:
        if self._one is None and not self.out:
            try:
                self._one = self._panel.opened(self._offered, self._known)
            except Exception as error:  # noqa: BLE001 - as above; and unpickling is the stranger's, too
                self.out = True
                self._panel.complain(self.name, "open", error)
            else:
                self._panel.behaves(self.name, "open")
        return None if self.out else self._one


_Job = tuple[Callable[[], Any], SimpleQueue[tuple[bool, Any]]]


class _Line:
    """A thread in which one expert does what it is asked, one thing after another."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._turn = threading.Lock()
        self._asked: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._given_up = threading.Event()
        self._hung = ""
        weakref.finalize(self, self._asked.put, None)  # whom nobody can ask any more needs no thread

    def call(self, work: Callable[[], T], patience: float) -> T:
        with self._turn:
            if self._hung:
                raise UnfitError(self._hung)
            if self._thread is None:
                wanted = (self._asked, self._given_up)
                self._thread = threading.Thread(target=_serve, args=wanted, name=f"expert {self._name}", daemon=True)
                self._thread.start()
            answer: SimpleQueue[tuple[bool, Any]] = SimpleQueue()
            self._asked.put((work, answer))
            try:
                good, found = answer.get(timeout=patience)
            except Empty:
                self._hung = (
                    f"it took more than {patience:.1f} seconds and is left out until this process is started anew"
                )
                self._given_up.set()
                _end(self._thread)
                raise UnfitError(self._hung) from None
        if not good:
            raise found
        done: T = found
        return done


def _serve(asked: SimpleQueue[_Job | None], given_up: threading.Event) -> None:
    """The thread's work. Between two jobs it holds on to nothing of theirs."""
    while _done(asked.get(), given_up):
        pass


def _done(job: _Job | None, given_up: threading.Event) -> bool:
    """Do a job; whether to wait for the next."""
    if job is None:
        return False
    work, answer = job
    try:
        answer.put((True, work()))
    except Exception as error:  # noqa: BLE001 - handed to whoever asked
        answer.put((False, error))
    except BaseException as error:  # noqa: BLE001 - it wants to end the program: it ends its thread's work
        answer.put((False, UnfitError(f"{type(error).__name__}: {error}")))
        return not given_up.is_set()
    return True


def _end(thread: threading.Thread) -> None:
    """Have a thread that runs Python raise `SystemExit`, so that it takes no more of the processor; else it goes on."""
    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))


def _handed(array: Any) -> Any:
    """The same to look at; what an expert writes into it would be everybody's."""
    seen = array.view()
    seen.flags.writeable = False
    return seen


def _opinions(size: int) -> Callable[[Any], Floats]:
    def read(said: Any) -> Floats:
        found = np.array(said, np.float64)  # its own copy: an expert may go on writing into what it gave
        if found.shape != (size,):
            raise UnfitError(f"it gave {found.shape} numbers for {size} customers")
        if np.isinf(found).any():
            raise UnfitError("it gave infinite log odds")
        return found

    return read
