"""The books: all that the door acknowledged is applied, a duplicate, dead-lettered or pending; exactly one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy import BigInteger, Connection, Text, cast, func, select

from hub.store import schema
from hub.store.upserts import insert
from hub.streams.topics import EVENTS

SCORING: Final = "scoring.rescore"
GIVEN_UP: Final = "given_up"


class Counted(Protocol):
    """What the log knows of its own."""

    def ends(self, topic: str) -> dict[int, int]:
        """Partition -> the offset the next record will get."""

    def counters(self) -> dict[str, int]:
        """What appends were told to count."""


@dataclass(frozen=True, slots=True)
class Books:
    """Where every acknowledged event is.

    Attributes:
        received: what the door acknowledged: records of topic `events` that were not passed on by ourselves, and what
            the door knew as a duplicate or could not have read.
        applied: events in the archive (since the installation began).
        duplicates: repeats, found at the door or by scoring.
        dead_lettered: records that could not be read or applied.
        pending: on the log, not yet taken by scoring.
        forwarded: records passed on to the partition of the account that another was merged into.
        astray: records behind the offsets that are in none of the counts, or counted twice; 0 when all is well.
    """

    received: int
    applied: int
    duplicates: int
    dead_lettered: int
    pending: int
    forwarded: int
    astray: int

    @property
    def balanced(self) -> bool:
        """Whether received = applied + duplicates + dead_lettered + pending, nothing is astray, nothing owed.

        Less than nothing is pending where the log ends before what was applied: it was lost or replaced.
        """
        parts = self.applied + self.duplicates + self.dead_lettered + self.pending
        return self.received == parts and not self.astray and self.pending >= 0


def books(connection: Connection, log: Counted) -> Books:
    """Count; consistent when nothing is running, and never further off than what is on its way."""
    table = schema.offsets
    rows = connection.execute(select(table).where(table.c.room == SCORING, table.c.topic == EVENTS.name)).all()
    return add_up([dict(row._mapping) for row in rows], log.ends(EVENTS.name), log.counters())  # noqa: SLF001 - SQLAlchemy's public name


def archived(connection: Connection) -> int:
    """Rows of the archive, counted one by one: what `applied` claims. Reads the whole index, so not for a page."""
    return connection.scalar(select(func.count()).select_from(schema.archive)) or 0


def note_given_up(connection: Connection, many: int) -> None:
    """Count events that are dead-lettered without a letter: the log let go of them before they were read."""
    value = schema.meta.c.value
    begun = insert(schema.meta).values(key=GIVEN_UP, value=str(many))
    more = cast(cast(value, BigInteger) + many, Text)
    connection.execute(begun.on_conflict_do_update(index_elements=["key"], set_={"value": more}))


def given_up(connection: Connection) -> int:
    """Events that were given up since the installation began; they count as dead-lettered, and there is no letter."""
    return int(connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == GIVEN_UP)) or 0)


def add_up(rows: Sequence[Mapping[str, int]], ends: Mapping[int, int], door: Mapping[str, int]) -> Books:
    """Pure: from the offsets and counts of each partition, where the log ends, and what the door counted.

    >>> one = {"next": 5, "applied": 3, "duplicates": 1, "dead_lettered": 0, "forwarded": 1}
    >>> add_up([one], {0: 7}, {"door_duplicates": 2}).balanced
    True
    """
    total = {name: sum(row[name] for row in rows) for name in ("applied", "duplicates", "dead_lettered")}
    forwarded = sum(row["forwarded"] for row in rows)
    done = sum(row["next"] for row in rows)
    at_door = {name: door.get(f"door_{name}", 0) for name in ("duplicates", "dead_lettered")}
    return Books(
        received=sum(ends.values()) - forwarded + sum(at_door.values()),
        applied=total["applied"],
        duplicates=total["duplicates"] + at_door["duplicates"],
        dead_lettered=total["dead_lettered"] + at_door["dead_lettered"],
        pending=sum(ends.values()) - done,
        forwarded=forwarded,
        astray=done - sum(total.values()) - forwarded,
    )
