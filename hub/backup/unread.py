"""What of the log belongs into a backup: what some room has yet to read, as of the database's moment.

Two things may make the numbers of records differ from those of the log. Records are missing where a topic is compacted
or was let go of; and messages that the hub sent after the moment are left out. So records are counted anew, backwards
from where the furthest room stands: that room's offset stays what it is, and with it the books.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from hub.backup.manifest import CHUNK, Moved
from hub.streams.aligning import speaker
from hub.streams.log import Reads
from hub.streams.room import Record
from hub.streams.topics import DELIVERIES, RAW

_UNREAD: Final = frozenset({RAW.name, DELIVERIES.name})  # by any room


class Standing(NamedTuple):
    """Where rooms stood at the database's moment.

    Attributes:
        next: (room, topic, partition) -> the first record not taken care of.
        outlets: (room, topic, partition) -> the next sequence to give.
    """

    next: Mapping[tuple[str, str, int], int]
    outlets: Mapping[tuple[str, str, int], int]


def standing(connection: sqlite3.Connection) -> Standing:
    """From the copy of the database."""
    found = {}
    for table in ("offsets", "outlets"):
        rows = connection.execute(f"select room, topic, partition, next from {table}")
        found[table] = {(room, topic, partition): next_ for room, topic, partition, next_ in rows}
    return Standing(found["offsets"], found["outlets"])


class Unread:
    """What is to be taken of every topic.

    Args:
        stream: the log.
        stood: where its readers stood; what they had yet to read is taken.
        raw: whether what is kept of topic `raw` is taken along, which nobody reads.

    Attributes:
        lost: records that some room had yet to read, and that the log has let go of.
    """

    def __init__(self, stream: Reads, stood: Standing, *, raw: bool) -> None:
        self.lost = 0
        self._stream = stream
        self._stood = stood
        self._raw = raw
        self._shifts: list[tuple[int, str, str, int]] = []

    def begins(self, topic: str) -> dict[int, int]:
        """Partition -> the offset that the first record taken is to have."""
        places = self._places(topic)
        starts = self._stream.starts(topic)
        found = {}
        for partition, rooms in places.items():
            furthest = max(rooms.values())
            found[partition] = furthest
            for room, next_ in rooms.items():
                if next_ < furthest:
                    kept = self._count(topic, partition, next_, furthest)
                    self._shifts.append((furthest - kept, room, topic, partition))
                    found[partition] = min(found[partition], furthest - kept)
                if next_:
                    self.lost += max(0, starts.get(partition, 0) - next_)
        return found

    def records(self, topic: str, moved: Moved) -> Iterator[Sequence[Record]]:
        """What is taken of a topic, in order within each partition."""
        positions = {partition: min(rooms.values()) for partition, rooms in self._places(topic).items()}
        ends = self._stream.ends(topic)
        total = sum(ends.values()) - sum(positions.values())
        done = 0
        while positions := {partition: at for partition, at in positions.items() if at < ends.get(partition, 0)}:
            found = self._stream.read(topic, positions, CHUNK)
            if not found:
                return
            for record in found:
                positions[record.partition] = record.offset + 1
            done += len(found)
            moved(f"reading {topic}", min(done, total), total)
            yield [one for one in found if one.offset < ends[one.partition] and self._said(topic, one)]

    def settle(self, connection: sqlite3.Connection) -> None:
        """Let the copy's slower rooms stand where their next record is in the copy of the log."""
        connection.executemany(
            "update offsets set next = ? where room = ? and topic = ? and partition = ?", self._shifts
        )

    def _places(self, topic: str) -> dict[int, dict[str, int]]:
        """Partition -> room -> what it reads next; of a topic that no room reads, the end."""
        found: defaultdict[int, dict[str, int]] = defaultdict(dict)
        for (room, of, partition), next_ in self._stood.next.items():
            if of == topic:
                found[partition][room] = next_
        starts, ends = self._stream.starts(topic), self._stream.ends(topic)
        if topic == RAW.name and self._raw:
            return {partition: {"": starts[partition], "the end": end} for partition, end in ends.items()}
        if topic in _UNREAD:
            return {partition: {"": end} for partition, end in ends.items()}
        for partition, start in starts.items():
            found.setdefault(partition, {"": start})  # nobody has begun to read it
        return found

    def _count(self, topic: str, partition: int, first: int, last: int) -> int:
        """How many records there are in [first, last)."""
        many, at = 0, first
        while at < last and (found := self._stream.read(topic, {partition: at}, CHUNK)):
            many += sum(record.offset < last for record in found)
            at = found[-1].offset + 1
        return many

    def _said(self, topic: str, record: Record) -> bool:
        """Whether a message was given its number before the database's moment; what nobody numbered was not ours."""
        if not record.producer:
            return True
        return record.sequence < self._stood.outlets.get(speaker(topic, record), 1)
