"""What a room decides. Everything hard about a stream is in `hub.streams.agent`; a room never sees it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from hub.streams.topics import TopicSpec


class Record(NamedTuple):
    """One record of a topic, as the log keeps it.

    `producer` and `sequence` are those of the room whose outbox it came from (empty and 0 for the door's): an
    agent skips what it has applied, so a room never sees one twice.
    """

    partition: int
    offset: int
    timestamp: float
    key: bytes | None
    value: bytes
    producer: str = ""
    sequence: int = 0


class Message(NamedTuple):
    """One message to publish; its partition is its key's.

    `row` is for an outbox of the topic's own (the ledger): the columns it keeps beside the message.
    """

    key: bytes
    value: bytes
    row: tuple[object, ...] = ()


class Waiting(NamedTuple):
    """A message on its way through an outbox: `sequence` is its number among those of partition `source`."""

    source: int
    sequence: int
    message: Message


class DeadLetter(NamedTuple):
    """A record that could not be applied, and why; the agent sends it to topic `dead-letters`."""

    record: Record
    reason: str
    connection: str = ""
    version: str = ""


def _nothing(_connection: Connection) -> None:
    """Write no rows."""


def _no_more() -> None:
    """Remember nothing."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a batch comes to. Nothing of it has happened yet, and rows that the step itself wrote can be undone.

    Attributes:
        write: puts rows in the database; runs inside the transaction that stores the offsets.
        publish: messages by topic, sent once that transaction is on disk.
        after: takes the rows into memory and tells the pages; runs once it is on disk.
        duplicates: records of the batch that had been applied before.
        forwarded: records passed on to another account's partition.
        dead: records that could not be applied.
    """

    write: Callable[[Connection], None] = _nothing
    publish: Mapping[TopicSpec, Sequence[Message]] = field(default_factory=dict)
    after: Callable[[], None] = _no_more
    duplicates: int = 0
    forwarded: int = 0
    dead: Sequence[DeadLetter] = ()


class Room(Protocol):
    """One reader of one topic.

    `step` and `tick` run inside the transaction that will hold what they return, so what they read cannot change under
    them. They may write rows of their own there, which the database then stores while they go on; but in memory they
    must leave all as it was: that changes in `Step.after`. `step` may be run again, on parts of a batch, to single out
    a record that cannot be applied.

    Attributes:
        name: its offsets are stored under it, `scoring.rescore`.
        topic: what it reads.
    """

    name: str
    topic: TopicSpec

    def assign(self, connection: Connection, partitions: Sequence[int], kept: Collection[int] = ()) -> None:
        """Load what these partitions need; they are all this room holds from now on. Only reads.

        `kept` are those among them that nobody else has had since they were loaded: what is remembered of them holds.
        """

    def step(self, connection: Connection, batch: Sequence[Record]) -> Step:
        """Decide what a batch comes to. Records of one partition are in order; partitions are interleaved."""

    def tick(self, connection: Connection) -> Step | None:
        """Decide what passing time comes to; called every few seconds when a room has a `tick_every`, not else."""

    tick_every: float | None


class Outbox(Protocol):
    """Where messages wait, in the database, from the commit that made them until they are in the log."""

    def append(self, connection: Connection, waiting: Sequence[Waiting]) -> None:
        """Store messages: all that a step publishes to the topic, in one call."""

    def read(self, connection: Connection, source: int, after: int, limit: int) -> Sequence[Waiting]:
        """Messages of this partition of ours beyond sequence `after`, oldest first, at most so many."""

    def published(self, connection: Connection, source: int, through: int) -> None:
        """All up to `through` are in the log; forget them if nobody else needs them."""
