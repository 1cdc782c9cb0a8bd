"""How fast topics grow, and whether the log answers: asked every few seconds, so that no page has to wait for it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from hub.streams.behind import Behind, Ends
from hub.streams.log import LogError
from hub.streams.topics import ACTIONS, EVENTS, HEALTH

_WINDOW: Final = 60.0  # seconds that rates are taken over
_SAMPLE: Final = 5.0
_SLOW: Final = 2.0  # seconds after which an answer is no longer waited for by others


class Pace:
    """Samples in the main loop; answers from any thread.

    Args:
        log: whose ends are sampled.
        behind: sampled too, for it knows only what it has seen.
    """

    def __init__(self, log: Ends, behind: Behind) -> None:
        self._log = log
        self._behind = behind
        self._marks: deque[tuple[float, dict[str, int]]] = deque()
        self._asking_since: float | None = None
        self._away = False
        self._sampling: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to sample, in the running loop."""
        self._sampling = asyncio.create_task(self._run(), name="sample rates")

    def stop(self) -> None:
        """Sample no more."""
        if self._sampling:
            self._sampling.cancel()

    def check(self) -> None:
        """Make sure that asking the log is worth while.

        Raises:
            LogError: it did not answer lately.
        """
        since = self._asking_since
        if self._away or (since is not None and time.monotonic() - since > _SLOW):
            raise LogError("the log does not answer")

    def rates(self) -> Mapping[str, float]:
        """Topic -> records a second over the last minute; nothing before the first sample.

        Raises:
            LogError: the log does not answer.
        """
        self.check()
        if not self._marks:
            return {}
        then, before = self._marks[0]
        seconds = max(1.0, time.monotonic() - then)
        return {name: (end - before[name]) / seconds for name, end in self._ends().items()}

    def _ends(self) -> dict[str, int]:
        return {spec.name: sum(self._log.ends(spec.name).values()) for spec in (EVENTS, HEALTH, ACTIONS)}

    def _sample(self) -> None:
        self._marks.append((time.monotonic(), self._ends()))
        while self._marks[-1][0] - self._marks[0][0] > _WINDOW:
            self._marks.popleft()
        self._behind.seconds()

    async def _run(self) -> None:
        while True:
            self._asking_since = time.monotonic()
            try:
                await asyncio.to_thread(self._sample)
                self._away = False
            except LogError:
                self._away = True
            except SQLAlchemyError:
                self._away = False  # the log answered; pages find out about the database by themselves
            self._asking_since = None
            await asyncio.sleep(_SAMPLE)
