"""The streams of one process: its log, its Faust apps, its rooms. What the composition root starts and stops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from hub.store.database import Database
from hub.streams.log import Log
from hub.streams.room import Outbox, Room
from hub.streams.topics import TopicSpec


class Streams:
    """Every room of this process, run in the event loop that calls `start`.

    Args:
        database: where rooms keep their rows, and we the offsets.
        log: the stream; the door appends to the same one.
    """

    def __init__(self, database: Database, log: Log) -> None:
        self.database = database
        self.log = log

    def add(self, room: Room, *, app: str, outboxes: Mapping[TopicSpec, Outbox] | None = None) -> None:
        """Run `room` in the Faust app `app` (`scoring`, `success`, `sinks`, `ingest`); before `start`.

        `outboxes` names the topics whose messages wait somewhere else than in table `outgoing`.
        """
        raise NotImplementedError

    async def start(self) -> None:
        """Claim every partition, load every room, begin."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Finish the batches in hand, send what is committed, end the apps. The log and the database stay open."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def failed(self) -> str | None:
        """Why a room stopped for good (another process has claimed it), or None."""
        raise NotImplementedError

    def lag(self) -> dict[tuple[str, str, int], int]:
        """(room, topic, partition) -> records in the log that the room has not committed yet."""
        raise NotImplementedError

    def idle(self) -> bool:
        """Whether every record is committed and every message of every room is in the log."""
        raise NotImplementedError
