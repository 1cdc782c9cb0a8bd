"""What another process may do to an installation that is running: append, look, and wait."""

from __future__ import annotations

import asyncio
import time

from sqlalchemy import func, select

from hub.ingest.intake import Intake
from hub.settings import Settings
from hub.store import schema
from hub.store.database import Database
from hub.store.heartbeats import alive
from hub.streams import topics
from hub.streams.accounting import Books, books
from hub.streams.aligning import align
from hub.streams.opening import open_log
from scoring.merge import ROOM

_LOOK = 0.1  # seconds


class Beside:
    """An installation's log and database, opened beside whatever runs on them.

    Args:
        settings: the installation's.
    """

    def __init__(self, settings: Settings) -> None:
        self.database = Database(settings.database)
        self.log = open_log(settings.stream, settings.topic_partitions, self.database)
        with self.database.alone():
            align(self.database, self.log)
        self.intake = Intake(self.log, self.database)

    def books(self) -> Books:
        """Where every acknowledged event is."""
        with self.database.read() as connection:
            return books(connection, self.log)

    def workers(self) -> int:
        """How many processes that score are alive."""
        with self.database.read() as connection:
            return sum(ROOM in one.state.get("rooms", {}) for one in alive(connection))

    async def drained(self, patience: float) -> bool:
        """Wait until the hub has scored and learned from all there is, for so many seconds; whether that came."""
        until = time.monotonic() + patience
        while self._pending():
            if time.monotonic() > until:
                return False
            await asyncio.sleep(_LOOK)
        return True

    def close(self) -> None:
        """Let go of the files."""
        self.log.close()
        self.database.close()

    def _pending(self) -> int:
        table = schema.offsets
        done = select(table.c.topic, func.sum(table.c.next)).group_by(table.c.room, table.c.topic)
        with self.database.read() as connection:
            rows = connection.execute(
                done.where(table.c.topic.in_((topics.EVENTS.name, topics.LABELS.name))),
            ).all()
        return sum(max(0, sum(self.log.ends(topic).values()) - int(taken)) for topic, taken in rows)
