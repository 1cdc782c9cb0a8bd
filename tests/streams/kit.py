"""What the tests of the streams share: a room that keeps what it is given, and a place to run it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from hub.store import schema
from hub.store.database import Database
from hub.streams.log import Entry, Log
from hub.streams.room import Message, Record, Step
from hub.streams.streams import Streams
from hub.streams.topics import EVENTS, HEALTH, TopicSpec, partition_of

PARTITIONS = 4


class Keeper:
    """A room that remembers the values it has applied, and says each again on `says`."""

    tick_every = None

    def __init__(self, name: str = "test.keep", topic: TopicSpec = EVENTS, says: TopicSpec | None = None) -> None:
        self.name = name
        self.topic = topic
        self.says = says
        self.applied: list[bytes] = []
        self.batches: list[int] = []
        self.assigned = 0
        self.before: Callable[[Connection, Sequence[Record]], None] = lambda _connection, _batch: None

    def assign(self, connection: Connection, partitions: Sequence[int], kept=()) -> None:
        self.assigned += 1

    def step(self, connection: Connection, batch: Sequence[Record]) -> Step:
        self.before(connection, batch)
        values = [record.value for record in batch]

        def after() -> None:
            self.batches.append(len(values))
            self.applied += values

        messages = [Message(record.key or b"", record.value) for record in batch] if self.says else []
        return Step(after=after, publish={self.says: messages} if self.says else {})

    def tick(self, connection: Connection) -> Step | None:
        return None


@dataclass
class Place:
    """A data folder with its database and its log open."""

    folder: Path
    database: Database
    log: Log

    def streams(self, *rooms: Keeper) -> Streams:
        """Each room in an app of its own."""
        streams = Streams(self.database, self.log)
        for room in rooms:
            streams.add(room, app=room.name)
        return streams

    def append(self, *values: bytes, topic: TopicSpec = EVENTS, key: bytes | None = None) -> None:
        self.log.declare(topic)
        self.log.append([entry(value, topic.name, key) for value in values]).result(10)

    def offsets(self, room: str) -> dict[str, int]:
        """Sums over the room's partitions."""
        columns = ("next", "applied", "duplicates", "dead_lettered", "forwarded")
        with self.database.read() as connection:
            rows = connection.execute(select(schema.offsets).where(schema.offsets.c.room == room)).all()
        return {column: sum(getattr(row, column) for row in rows) for column in columns}

    def said(self, topic: TopicSpec = HEALTH) -> list[Record]:
        return self.log.read(topic.name, dict.fromkeys(range(PARTITIONS), 0), 100_000)


def entry(value: bytes, topic: str = "events", key: bytes | None = None) -> Entry:
    key = value if key is None else key
    return Entry(topic, partition_of(key, PARTITIONS), key, value, time.time())


def numbers(first: int, last: int) -> list[bytes]:
    return [b"%06d" % n for n in range(first, last)]


async def until(true: Callable[[], bool], patience: float = 20.0) -> None:
    deadline = asyncio.get_running_loop().time() + patience
    while not true():
        assert asyncio.get_running_loop().time() < deadline, "it never became true"
        await asyncio.sleep(0.005)
