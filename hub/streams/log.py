"""The stream, whatever holds it: topics with partitions and offsets that are never given twice.

`hub.streams.sqlite` keeps it in a file, `hub.streams.kafka` in Apache Kafka; `hub.streams.opening` opens the one that
a URL names. Nothing above this room knows which it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from hub.sdk.errors import RetryLaterError
from hub.streams.room import Record
from hub.streams.topics import TopicSpec

if TYPE_CHECKING:
    from hub.streams.batches import Batched


class LogError(RetryLaterError):
    """The log cannot be read or written now; of what was asked nothing is known to have happened."""


class Entry(NamedTuple):
    """One record to append; its offset is given when it is written.

    `timestamp` is in unix seconds. `producer` and `sequence` say which room's outbox it comes from.
    """

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    timestamp: float
    producer: str = ""
    sequence: int = 0
    headers: Sequence[tuple[str, bytes]] = ()


class Reads(Protocol):
    """The half of a log that changes nothing. Offsets are those `append` gives, on every engine.

    Attributes:
        partitions: of each topic.
        shared: whether several workers divide the partitions of a topic among them, and so may lose some.
    """

    partitions: int
    shared: bool

    @property
    def place(self) -> str:
        """Where it is, for people: without a password."""

    @property
    def identity(self) -> str:
        """What tells it from every other log, and stays when it is emptied; see `hub.streams.belonging`."""

    def read(self, topic: str, positions: Mapping[int, int], limit: int) -> list[Record]:
        """At most `limit` records from these offsets on; those of one partition in order, no partition starved."""

    def ends(self, topic: str) -> dict[int, int]:
        """Partition -> the offset the next record will get; empty for a topic that is not there."""

    def starts(self, topic: str) -> dict[int, int]:
        """Partition -> the offset from which on records are kept; empty for a topic that is not there."""

    def counters(self) -> dict[str, int]:
        """What appends were told to count, by name."""


class Log(Reads, Protocol):
    """A log that is open; safe from any thread, and beside other processes."""

    def declare(self, spec: TopicSpec, partitions: int | None = None) -> None:
        """Make the topic if it is not there. What is there keeps its partitions and takes the new retention."""

    def begin(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Give the first records of these partitions of an empty topic such offsets instead of 0."""

    def append(self, entries: Sequence[Entry], counts: Mapping[str, int] | None = None) -> Future[None]:
        """Add records and add to the counters; the future is done when the records are there durably.

        It holds a `LogError` when they could not be written: some of them may be there all the same.

        Raises:
            KeyError: nobody has declared the topic.
            ValueError: the topic has no such partition, or key or value are not bytes.
        """

    def trim(self, now: float, needed: Mapping[str, Mapping[int, int]]) -> int:
        """Let go of what no reader needs and is past its retention or superseded; how many records went.

        Args:
            now: unix seconds.
            needed: by topic and partition, the lowest offset a reader has yet to read.
        """

    def app(self, name: str) -> tuple[str, Sequence[Any]]:
        """What a Faust app of ours is called on this log (its consumer group), and the URLs it is told."""

    def named(self, topic: str) -> str:
        """What a topic of ours is called for Faust."""

    def transport(self, app: Any, batched: Mapping[str, Batched]) -> Any:
        """A Faust transport over this very log; `batched` goes by our topics' names."""

    def close(self) -> None:
        """Write what was handed in, then let go."""
