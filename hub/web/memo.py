"""Answers that may be a moment old, so that many open pages cost what one does.

What costs most, questions about all customers, is shared by processes, too: `hub.store.expendable.hot`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")
PATIENCE = 10.0  # an answer serves for so many times what it cost
LONGEST = 1.0  # seconds it serves at most; a live page looks again later than that, see `hub.web.stream`
MOST = 64


class Memo:
    """Remembers what a question was answered, for ten times as long as the answer took, and at most a second.

    A question of 50 ms is asked at most twice a second, one of 1 ms practically always.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Hashable, tuple[float, Any]] = {}

    def ask(self, question: Hashable, answer: Callable[[], T]) -> T:
        """The remembered answer, or a new one."""
        begun = self._clock()
        with self._lock:
            until, kept = self._kept.get(question, (0.0, None))
        if begun < until:
            found: T = kept
            return found
        found = answer()
        ended = self._clock()
        with self._lock:
            if len(self._kept) >= MOST:
                self._kept.clear()
            self._kept[question] = (ended + min(PATIENCE * (ended - begun), LONGEST), found)
        return found
