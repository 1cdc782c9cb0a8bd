"""Another number of partitions: where rows of the old ones belong among the new. Pure.

A message carries a sequence of its partition, and readers compare them: what has the higher one is newer. So every new
partition goes on above the highest sequence that any old one gave. Offsets are only positions; what must hold is their
sum, which the books are made of. See docs/adr/0013-a-backup-is-an-embedded-installation.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

Row = dict[str, Any]
_COUNTS: Final = ("applied", "duplicates", "dead_lettered", "forwarded")


def spread(total: int, partitions: int) -> dict[int, int]:
    """A sum, divided.

    >>> spread(11, 4)
    {0: 5, 1: 2, 2: 2, 3: 2}
    """
    each, rest = divmod(total, partitions)
    return {number: each + (rest if number == 0 else 0) for number in range(partitions)}


def offsets(rows: Iterable[Row], begins: Mapping[str, Mapping[int, int]], epoch: int) -> list[Row]:
    """Rows of table `offsets`: every room stands where the new log begins, its counts with partition 0.

    Args:
        rows: as they were.
        begins: topic -> partition -> the first offset of the new log.
        epoch: of all of them.
    """
    totals: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(lambda: dict.fromkeys(_COUNTS, 0))
    for row in rows:
        counts = totals[row["room"], row["topic"]]
        for name in _COUNTS:
            counts[name] += row[name]
    return [
        {"room": room, "topic": topic, "partition": partition, "next": next_, "epoch": epoch}
        | (counts if partition == 0 else dict.fromkeys(_COUNTS, 0))
        for (room, topic), counts in totals.items()
        for partition, next_ in begins.get(topic, {}).items()
    ]


def outlets(rows: Iterable[Row], partitions: int) -> list[Row]:
    """Rows of table `outlets`: every partition gives sequences above all there were, and owes nothing."""
    highest: defaultdict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        place = row["room"], row["topic"]
        highest[place] = max(highest[place], row["next"])
    return [
        {"room": room, "topic": topic, "partition": partition, "next": next_, "published": next_ - 1}
        for (room, topic), next_ in highest.items()
        for partition in range(partitions)
    ]
