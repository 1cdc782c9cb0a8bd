"""The stream of an embedded installation: topics with partitions and offsets in one SQLite file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple

from hub.streams.room import Record
from hub.streams.topics import TopicSpec


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


class Log:
    """A log open for reading and appending; safe from any thread, and beside other processes."""

    def __init__(self, path: Path, partitions: int = 8) -> None:
        raise NotImplementedError

    partitions: int

    def declare(self, spec: TopicSpec, partitions: int | None = None) -> None:
        """Make the topic if it is not there; what is there keeps its partitions."""

    def append(self, entries: Sequence[Entry], counts: Mapping[str, int] | None = None) -> Future[None]:
        """Add records and add to the counters, both or neither; the future is done when they are on disk."""
        raise NotImplementedError

    def read(self, topic: str, positions: Mapping[int, int], limit: int) -> list[Record]:
        """At most `limit` records from these offsets on; those of one partition in order."""
        raise NotImplementedError

    def ends(self, topic: str) -> dict[int, int]:
        """Partition -> the offset the next record will get."""
        raise NotImplementedError

    def starts(self, topic: str) -> dict[int, int]:
        """Partition -> the offset of the oldest record kept."""
        raise NotImplementedError

    def counters(self) -> dict[str, int]:
        """What `append` was told to count."""
        raise NotImplementedError

    def trim(self, now: float, needed: Mapping[str, Mapping[int, int]]) -> None:
        """Let go of records past their retention or superseded; `needed` holds the lowest offset readers still need."""

    def close(self) -> None:
        """Write what was handed in, then let go of the file."""
