"""How a process is: whether it lives, whether it can do its work, and its installation in numbers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from hub import metrics
from hub.store.expendable.hot import Hot
from hub.store.heartbeats import alive
from hub.streams.behind import Behind
from hub.web.ability import database_troubles, log_troubles
from hub.web.installation import Installation
from hub.worker.roles import READS

if TYPE_CHECKING:
    from hub.worker.hub import Hub

_TURN: Final = 1.0  # seconds between two signs of life of the loop
_STUCK: Final = 30.0  # seconds without one; the longest that anything of ours may keep a loop is far below


class Condition:
    """Answers from any thread, once `start` was called.

    Args:
        hub: the process.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._turned_at: float | None = None
        self._turning: asyncio.Task[None] | None = None
        self.behind = Behind(hub.engine.database, hub.engine.log, reads=READS)
        self._installation = Installation(
            hub.engine.database,
            books=lambda: asdict(hub.engine.books()),
            lag=self.behind.records,
            behind=self.behind.seconds,
            halted=self._halted,
            wall=hub.settings.clock == "wall",
            hot=Hot(hub.engine.expendable),
        )

    def start(self) -> None:
        """Begin to feel the pulse of the running loop."""
        self._turning = asyncio.create_task(self._turn(), name="pulse")

    def stop(self) -> None:
        """Feel it no more."""
        self._turned_at = None
        if self._turning:
            self._turning.cancel()

    def dying(self) -> list[str]:
        """Why only a restart helps: the loop stands, or a room has stopped for good."""
        found = []
        turned_at = self._turned_at
        if turned_at is not None and (silent := time.monotonic() - turned_at) > _STUCK:
            found.append(f"the loop has not turned for {silent:.0f} seconds")
        if self._hub.engine.streams.failed:
            found.append("a room has stopped for good")  # why, the log says: it may quote anything
        return found

    def unable(self, *, database: bool = True) -> list[str]:
        """Why it cannot do its work now: database (unless somebody else asks it), log, partitions, disk, lag."""
        hub = self._hub
        found = [*(database_troubles(hub.engine.database) if database else ()), *log_troubles(hub.engine.log)]
        if not hub.engine.streams.ready():
            found.append("partitions are still to be assigned and loaded")
        if hub.role.faces and not found and (why := hub.door.refuses()):
            found.append(f"the door takes nothing: {why}")
        return found

    def exposition(self) -> bytes:
        """Numbers of this process and of the installation, for Prometheus."""
        return metrics.exposition(self._installation)

    def _halted(self) -> list[str]:
        with self._hub.engine.database.read() as connection:
            return [f"{one.id} {room}" for one in alive(connection) for room in one.state.get("halted", ())]

    async def _turn(self) -> None:
        while True:
            self._turned_at = time.monotonic()
            await asyncio.sleep(_TURN)
