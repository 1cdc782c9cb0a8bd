"""Answers that may be a moment old, shared by all processes that show pages.

A question that costs half a second is asked of the database once in two seconds then, however many people look and
through however many processes. One that costs little is asked every time, and Redis is not bothered with it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import msgspec

from hub.store.expendable.client import Expendable

T = TypeVar("T")
TIMES: Final = 10.0  # an answer serves for so many times what it cost
WORTH: Final = 0.02  # seconds an answer must have cost to be shared
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
        """The answer, `seconds` old at most, and at most ten times what it took to compute.

        In a process one thread at a time computes it; the others wait and take what it found.

        Args:
            key: which question; the same in every process.
            seconds: how old the answer may be.
            compute: the answer itself; what it raises is raised here.
            kind: the answer's type, as msgspec reads it back from JSON.
        """
        with self._lock:
            if len(self._kept) >= _MOST:
                self._kept.clear()
            kept = self._kept.setdefault(key, _Kept())
        with kept.turn:
            if self._clock() < kept.until:
                return cast("T", kept.answer)
            if kept.cost is None or kept.cost >= WORTH:
                self._fetch(key, kind, kept)
                if self._clock() < kept.until:
                    return cast("T", kept.answer)
            begun = self._clock()
            answer = compute()
            ended = self._clock()
            kept.answer, kept.cost = answer, ended - begun
            life = min(seconds, TIMES * kept.cost)
            kept.until = ended + life
            if kept.cost >= WORTH:
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
