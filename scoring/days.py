"""Event time, a partition at a time: a batch is cut where a partition's clock passes midnight.

What happens as time passes (snapshots, labels, silence) then happens at the right event time, with nothing of the
future folded. A midnight belongs to the day it ends: data that has dates and no times is dated so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from scoring.clock import DAY
from scoring.intake import Taken

_MOST: Final = 100


class Round(NamedTuple):
    """What can be done at once.

    Attributes:
        midnights: (unix seconds, partitions) passed before the events, in order.
        events: of one day in each partition.
    """

    midnights: Sequence[tuple[float, Sequence[int]]]
    events: Sequence[Taken]


def day_of(time: float) -> int:
    """The day a moment belongs to; its midnight ends it."""
    return math.ceil(time / DAY) - 1


def rounds(taken: Sequence[Taken], clocks: Mapping[int, float]) -> Iterator[Round]:
    """Cut a batch.

    Args:
        taken: in the order of the log.
        clocks: partition -> its time so far; without one the first event sets it.
    """
    days = {partition: day_of(clock) for partition, clock in clocks.items()}
    turns: dict[int, int] = {}
    events: list[list[Taken]] = []
    midnights: list[dict[float, list[int]]] = []
    for one in taken:
        partition, day = one.record.partition, day_of(one.time)
        before = days.setdefault(partition, day)
        turn = turns.get(partition, -1) + 1 if day > before else max(turns.get(partition, 0), 0)
        if len(events) <= turn:
            events.append([])
            midnights.append({})
        for passed in _passed(before, day):
            midnights[turn].setdefault(passed * DAY, []).append(partition)
        days[partition] = max(before, day)
        turns[partition] = turn
        events[turn].append(one)
    for passed_by, some in zip(midnights, events, strict=True):
        yield Round(sorted(passed_by.items()), some)


def _passed(before: int, day: int) -> Sequence[int]:
    """Days whose midnight lies between; of a gap of years (a wrong date among old data) the first and the last."""
    days = range(before + 1, day + 1)
    return days if len(days) <= _MOST else [*days[: _MOST - 1], days[-1]]
