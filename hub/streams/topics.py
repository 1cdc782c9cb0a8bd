"""The topics: one out of each room, named once.

Partitions are logical and fixed when an installation is made; `health` of an account lies in the partition with the
number its `events` lie in, since all topics have the same number and the same partitioner.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What a topic keeps.

    Attributes:
        name: plural noun.
        retention: seconds a record is kept after it came.
        compact: whether an older record of a key may go once a newer one is there.
    """

    name: str
    retention: float
    compact: bool = False


RAW: Final = TopicSpec("raw", 7 * DAY)
EVENTS: Final = TopicSpec("events", 7 * DAY)
HEALTH: Final = TopicSpec("health", 7 * DAY, compact=True)
ACTIONS: Final = TopicSpec("actions", 7 * DAY)
DELIVERIES: Final = TopicSpec("deliveries", 7 * DAY)
DEAD_LETTERS: Final = TopicSpec("dead-letters", 30 * DAY)
LABELS: Final = TopicSpec("labels", 30 * DAY)
ALL: Final = (RAW, EVENTS, HEALTH, ACTIONS, DELIVERIES, DEAD_LETTERS, LABELS)


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key: crc32 modulo their number; the same in every process and for ever."""
    return zlib.crc32(key) % partitions
