"""How far each room is behind, in records and in seconds, seen from outside: no record is read for it."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from sqlalchemy import select

from hub.store.database import Database
from hub.store.schema import offsets

EVERY: Final = 5.0  # seconds between two marks
_MOST: Final = 720  # marks: an hour


class Ends(Protocol):
    """The part of the log that is asked how far it reaches."""

    def ends(self, topic: str) -> dict[int, int]:
        """Partition -> the offset the next record will get."""


class _Mark(NamedTuple):
    at: float
    ends: Mapping[int, int]


class Marks:
    """When a topic was how long. Pure.

    >>> marks = Marks()
    >>> for at, end in ((0.0, 10), (15.0, 20), (30.0, 30)):
    ...     marks.put(at, {0: end})
    >>> marks.waiting(0, 30, 31.0), marks.waiting(0, 25, 31.0), marks.waiting(0, 10, 31.0), marks.waiting(0, 2, 31.0)
    (0.0, 1.0, 16.0, 31.0)
    """

    def __init__(self) -> None:
        self._kept: list[_Mark] = []

    def put(self, at: float, ends: Mapping[int, int]) -> None:
        """At `at` the topic's partitions ended there. Only forward; a mark soon after another takes its place."""
        if len(self._kept) > 1 and at - self._kept[-2].at < EVERY:
            self._kept.pop()
        self._kept.append(_Mark(at, ends))
        del self._kept[:-_MOST]

    def waiting(self, partition: int, position: int, now: float) -> float:
        """Seconds for which the record at `position` is known to have been there; 0.0 where there is none yet.

        Never too long, and too short by no more than the time between two marks.
        """
        first = bisect_right(self._kept, position, key=lambda mark: mark.ends.get(partition, 0))
        return now - self._kept[first].at if first < len(self._kept) else 0.0


class Behind:
    """Asks the database how far all rooms are, wherever they run, and the log how far it reaches. From any thread.

    Args:
        database: has the offsets.
        log: has the ends.
        now: seconds of a clock that only runs forward.
        reads: room -> topic, of rooms that may not have begun yet.
    """

    def __init__(
        self,
        database: Database,
        log: Ends,
        now: Callable[[], float] = time.monotonic,
        reads: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._database = database
        self._log = log
        self._now = now
        self._reads = reads
        self._marks: dict[str, Marks] = {}
        self._turn = threading.Lock()

    def records(self) -> dict[str, int]:
        """Room -> records it has not taken; of a room that never ran, all there ever were.

        Raises:
            LogError: the log cannot be asked.
            SQLAlchemyError: the database cannot.
        """
        stood: defaultdict[str, dict[int, int]] = defaultdict(dict)
        topics = dict(self._reads)
        for room, topic, partition, position in self._positions():
            topics[room] = topic
            stood[room][partition] = position
        ends = {topic: self._log.ends(topic) for topic in sorted(set(topics.values()))}
        return {
            room: sum(max(0, end - stood[room].get(partition, 0)) for partition, end in ends[topic].items())
            for room, topic in topics.items()
        }

    def seconds(self) -> dict[str, float]:
        """Room -> how long the oldest record that it has not taken has waited, at least.

        Raises:
            LogError: the log cannot be asked.
            SQLAlchemyError: the database cannot.
        """
        with self._turn:
            rows = self._positions()
            now = self._now()
            for topic in {topic for _, topic, _, _ in rows}:
                self._marks.setdefault(topic, Marks()).put(now, self._log.ends(topic))
            found: dict[str, float] = {}
            for room, topic, partition, position in rows:
                waits = self._marks[topic].waiting(partition, position, now)
                found[room] = max(found.get(room, 0.0), waits)
            return found

    def _positions(self) -> list[tuple[str, str, int, int]]:
        asked = select(offsets.c.room, offsets.c.topic, offsets.c.partition, offsets.c.next)
        with self._database.read() as connection:
            return [(row.room, row.topic, row.partition, row.next) for row in connection.execute(asked)]
