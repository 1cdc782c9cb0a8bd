"""How long records have waited for a room, asked once: the oldest that it has not taken is looked at.

Who asks again and again needs no record for it: `hub.streams.behind`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from hub.store.schema import offsets
from hub.streams.log import Reads

_TRIES: Final = 2  # looks at all partitions at once, before those that a full one left no room for are asked singly


@dataclass(frozen=True, slots=True)
class Unread:
    """What a room has yet to read.

    Attributes:
        room: its name.
        topic: what it reads.
        records: by partition, how many; less than none where the log ends before what it has read.
        since: when the oldest of them came to the log, unix seconds; None where there is none.
    """

    room: str
    topic: str
    records: Mapping[int, int]
    since: float | None

    @property
    def lag(self) -> int:
        """Of all partitions; those that the log is behind in take nothing off."""
        return sum(max(0, many) for many in self.records.values())


def unread(connection: Connection, stream: Reads) -> list[Unread]:
    """Of each room that has begun.

    Raises:
        LogError: the log does not answer.
    """
    asked = select(offsets.c.room, offsets.c.topic, offsets.c.partition, offsets.c.next)
    stood: dict[tuple[str, str], dict[int, int]] = {}
    for room, topic, partition, next_ in connection.execute(asked.order_by(offsets.c.room, offsets.c.topic)):
        stood.setdefault((room, topic), {})[partition] = next_
    ends = {topic: stream.ends(topic) for topic in {topic for _, topic in stood}}
    found = []
    for (room, topic), places in stood.items():
        records = {partition: end - places.get(partition, 0) for partition, end in ends[topic].items()}
        waiting = {partition: places.get(partition, 0) for partition, many in records.items() if many > 0}
        found.append(Unread(room, topic, records, min(_came(stream, topic, waiting).values(), default=None)))
    return found


def _came(stream: Reads, topic: str, positions: Mapping[int, int]) -> dict[int, float]:
    """Partition -> when its first record from there on came to the log; without those where none is kept."""
    found: dict[int, float] = {}
    left = dict(positions)
    for _ in range(_TRIES):
        for record in stream.read(topic, left, 2 * len(left)) if left else ():
            found.setdefault(record.partition, record.timestamp)
        left = {partition: at for partition, at in left.items() if partition not in found}
    for partition, at in left.items():
        for record in stream.read(topic, {partition: at}, 1):
            found[partition] = record.timestamp
    return found
