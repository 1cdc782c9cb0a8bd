"""Where one room stands: offsets, fences, sequences. Kept in the database, in the transaction that moves them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, func, select, update

from hub.sdk.errors import HubError
from hub.store import schema
from hub.store.database import run_rows
from hub.store.upserts import insert
from hub.streams.room import Record

Place = tuple[str, int]  # topic or producer, partition

_OFFSETS: Final = schema.offsets
_CLAIM: Final = insert(_OFFSETS).on_conflict_do_update(
    index_elements=list(_OFFSETS.primary_key),
    set_={"epoch": insert(_OFFSETS).excluded.epoch},
)
_ADVANCE: Final = (
    update(_OFFSETS)
    .values(
        next=bindparam("to"),
        applied=_OFFSETS.c.applied + bindparam("a"),
        duplicates=_OFFSETS.c.duplicates + bindparam("d"),
        dead_lettered=_OFFSETS.c.dead_lettered + bindparam("l"),
        forwarded=_OFFSETS.c.forwarded + bindparam("f"),
    )
    .where(
        and_(
            _OFFSETS.c.room == bindparam("r"),
            _OFFSETS.c.topic == bindparam("t"),
            _OFFSETS.c.partition == bindparam("p"),
            _OFFSETS.c.epoch == bindparam("e"),
        ),
    )
)
_SEQUENCES: Final = insert(schema.sequences).on_conflict_do_update(
    index_elements=list(schema.sequences.primary_key),
    set_={"last": insert(schema.sequences).excluded.last},
)
_OUTLETS: Final = insert(schema.outlets).on_conflict_do_update(
    index_elements=list(schema.outlets.primary_key),
    set_={
        "next": insert(schema.outlets).excluded.next,
        "published": insert(schema.outlets).excluded.published,
    },
)


class FencedError(HubError):
    """Another process has claimed these partitions; nothing of this transaction happened."""


@dataclass
class Progress:
    """What one transaction moves. Taken into memory once it is on disk.

    Attributes:
        next: by partition, the first offset not taken care of.
        skipped: messages whose sequence had been applied; they are duplicates.
        counts: applied, duplicates, dead-lettered, forwarded; kept with the lowest partition, for only sums count.
        sequences: by producer and partition, the newest message applied.
        outlets: by topic and partition, the next sequence to give.
        published: by topic and partition, the mark up to which messages are in the log.
    """

    next: dict[int, int] = field(default_factory=dict)
    skipped: int = 0
    counts: tuple[int, int, int, int] = (0, 0, 0, 0)
    sequences: dict[Place, int] = field(default_factory=dict)
    outlets: dict[Place, int] = field(default_factory=dict)
    published: dict[Place, int] = field(default_factory=dict)


class Books:
    """One room's bookkeeping: what the database says, held in memory while the claim lasts."""

    def __init__(self, room: str, topic: str) -> None:
        self.room = room
        self.topic = topic
        self.epoch = 0
        self.next: dict[int, int] = {}
        self.sequences: dict[Place, int] = {}
        self.outlets: dict[Place, int] = {}
        self.published: dict[Place, int] = {}

    def claim(self, connection: Connection, partitions: Iterable[int]) -> None:
        """Become who may move these partitions; whoever was, is fenced. Loads where they stand."""
        newest = connection.scalar(select(func.max(_OFFSETS.c.epoch)).where(self._mine(_OFFSETS)))
        epoch = (newest or 0) + 1
        run_rows(connection, _CLAIM, [(self.room, self.topic, p, 0, 0, 0, 0, 0, epoch) for p in partitions])
        self.epoch = epoch
        self.load(connection)

    def load(self, connection: Connection) -> None:
        """Read again where the claimed partitions stand.

        Raises:
            FencedError: somebody else has claimed them since.
        """
        rows = connection.execute(
            select(_OFFSETS.c.partition, _OFFSETS.c.next, _OFFSETS.c.epoch).where(self._mine(_OFFSETS)),
        ).all()
        if any(row.epoch != self.epoch for row in rows):
            raise FencedError(f"another process has claimed {self.room}")
        self.next = {row.partition: row.next for row in rows}
        read = connection.execute(select(schema.sequences).where(self._mine(schema.sequences)))
        self.sequences = {(row.producer, row.partition): row.last for row in read}
        out = connection.execute(select(schema.outlets).where(schema.outlets.c.room == self.room)).all()
        self.outlets = {(row.topic, row.partition): row.next for row in out}
        marks = {(row.topic, row.partition): row.published for row in out}
        self.published = {at: max(mark, self.published.get(at, 0)) for at, mark in marks.items()}

    def check(self, connection: Connection) -> None:
        """Make sure of the claim, in a transaction that moves no offset.

        Raises:
            FencedError: somebody else has claimed a partition since.
        """
        newest = connection.scalar(select(func.max(_OFFSETS.c.epoch)).where(self._mine(_OFFSETS)))
        if newest != self.epoch:
            raise FencedError(f"another process has claimed {self.room}")

    def fresh(self, records: Sequence[Record]) -> tuple[list[Record], Progress]:
        """Leave out what was applied; returns the rest and the progress that doing them makes.

        Records before the stored offset were counted then and are not again; messages whose sequence was applied
        are duplicates of now.
        """
        ends = {record.partition: record.offset + 1 for record in records}
        starts = {record.partition: record.offset for record in reversed(records)}
        fresh = list(records)
        if any(offset < self.next.get(partition, 0) for partition, offset in starts.items()):
            fresh = [record for record in records if record.offset >= self.next.get(record.partition, 0)]
        progress = Progress({p: end for p, end in ends.items() if end > self.next.get(p, 0)})
        if any([record.producer for record in fresh]):  # noqa: C419 - a list is twice as fast, and this is each record
            known = len(fresh)
            fresh = [record for record in fresh if not record.producer or self._newer(record, progress.sequences)]
            progress.skipped = known - len(fresh)
        return fresh, progress

    def write(self, connection: Connection, progress: Progress) -> None:
        """Store the progress, if the claim still holds.

        Raises:
            FencedError: it does not.
        """
        rows: list[tuple[Any, ...]] = []
        counts = progress.counts
        for partition, to in sorted(progress.next.items()):
            rows.append((to, *counts, self.room, self.topic, partition, self.epoch))
            counts = (0, 0, 0, 0)
        if not rows:
            self.check(connection)
        elif run_rows(connection, _ADVANCE, rows) != len(rows):
            raise FencedError(f"another process has claimed {self.room}")
        run_rows(
            connection,
            _SEQUENCES,
            [(self.room, self.topic, *place, last) for place, last in progress.sequences.items()],
        )
        places = progress.outlets.keys() | progress.published.keys()
        run_rows(
            connection,
            _OUTLETS,
            [
                (
                    self.room,
                    *place,
                    progress.outlets.get(place, self.outlets.get(place, 1)),
                    progress.published.get(place, self.published.get(place, 0)),
                )
                for place in places
            ],
        )

    def accept(self, progress: Progress) -> None:
        """Take into memory what is now on disk."""
        self.next |= progress.next
        self.sequences |= progress.sequences
        self.outlets |= progress.outlets

    def _newer(self, record: Record, seen: dict[Place, int]) -> bool:
        place = (record.producer, record.partition)
        if record.sequence <= seen.get(place, self.sequences.get(place, 0)):
            return False
        seen[place] = record.sequence
        return True

    def _mine(self, table: Any) -> Any:
        return and_(table.c.room == self.room, table.c.topic == self.topic)
