"""Where one room stands: offsets, fences, sequences. Kept in the database, in the transaction that moves them."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, and_, bindparam, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from hub.sdk.errors import HubError, RetryLaterError
from hub.store import schema
from hub.store.database import insert_rows, run_rows
from hub.store.question import Question
from hub.store.upserts import insert
from hub.streams.accounting import SCORING, note_given_up
from hub.streams.room import Record
from hub.streams.topics import EVENTS

Place = tuple[str, int]  # topic or producer, partition

_OFFSETS: Final = schema.offsets
_BEGIN: Final = insert(_OFFSETS).on_conflict_do_nothing()
_CLAIM: Final = (
    update(_OFFSETS)
    .values(epoch=bindparam("e"))
    .where(
        _OFFSETS.c.room == bindparam("r"),
        _OFFSETS.c.topic == bindparam("t"),
        _OFFSETS.c.partition == bindparam("p"),
    )
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
            _OFFSETS.c.next == bindparam("n"),
        ),
    )
)
_STORE: Final = insert(_OFFSETS).on_conflict_do_update(
    index_elements=list(_OFFSETS.primary_key),
    set_={
        "next": insert(_OFFSETS).excluded.next,
        **{
            name: _OFFSETS.c[name] + insert(_OFFSETS).excluded[name]
            for name in ("applied", "duplicates", "dead_lettered", "forwarded")
        },
    },
)
_SEQUENCES: Final = insert(schema.sequences).on_conflict_do_update(
    index_elements=list(schema.sequences.primary_key),
    set_={"last": insert(schema.sequences).excluded.last},
)
_OUTLETS: Final = insert(schema.outlets).on_conflict_do_update(
    index_elements=list(schema.outlets.primary_key),
    set_={"next": insert(schema.outlets).excluded.next},
)
_MARKS: Final = (
    update(schema.outlets)
    .values(published=bindparam("m"))
    .where(
        schema.outlets.c.room == bindparam("r"),
        schema.outlets.c.topic == bindparam("t"),
        schema.outlets.c.partition == bindparam("p"),
        schema.outlets.c.published < bindparam("m"),
    )
)


class FencedError(HubError):
    """Another process has claimed these partitions; nothing of this transaction happened."""


class SetBackError(HubError):
    """The database knows less than it did: it was restored, or a replica that lagged took over."""


class UnderWayError(RetryLaterError):
    """Somebody moves these partitions at this moment, or we do in a transaction we lost sight of."""


class MovedError(RetryLaterError):
    """The partitions are ours, and stand somewhere else than we remember; nothing of this transaction happened."""


@dataclass
class Progress:
    """What one transaction moves. Taken into memory once it is on disk.

    Attributes:
        next: by partition, the first offset not taken care of.
        skipped: messages whose sequence had been applied; they are duplicates.
        gone: records the log let go of before they were read; they are dead-lettered, without a letter.
        counts: applied, duplicates, dead-lettered, forwarded; kept with the lowest partition, for only sums count.
        sequences: by producer and partition, the newest message applied.
        outlets: by topic and partition, the next sequence to give.
        published: by topic and partition, the mark up to which messages are in the log.
    """

    next: dict[int, int] = field(default_factory=dict)
    skipped: int = 0
    gone: int = 0
    counts: tuple[int, int, int, int] = (0, 0, 0, 0)
    sequences: dict[Place, int] = field(default_factory=dict)
    outlets: dict[Place, int] = field(default_factory=dict)
    published: dict[Place, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """Partitions that were made ours, with what stood there; taken into memory once it is on disk.

    Attributes:
        epochs: by partition, the number of our claim.
        kept: those that were ours already, and nobody else's since.
    """

    epochs: Mapping[int, int]
    kept: frozenset[int]


class Gone(NamedTuple):
    """Records of a partition, from offset `first` on and before `kept`, that the log let go of unread."""

    partition: int
    first: int
    kept: int


class Books:
    """What one room of one process has done, of the partitions it holds.

    Args:
        room: its name.
        topic: what it reads.
    """

    def __init__(self, room: str, topic: str) -> None:
        self.room = room
        self.topic = topic
        self.begin()

    def begin(self) -> None:
        """Hold nothing and remember nothing."""
        self.epochs: Mapping[int, int] = {}
        self.next: dict[int, int] = {}
        self.gone: list[Gone] = []
        self.sequences: dict[Place, int] = {}
        self.outlets: dict[Place, int] = {}
        self.published: dict[Place, int] = {}
        self._where = self._question()

    def claim(self, connection: Connection, partitions: Collection[int], *, keep: bool = True) -> Claim:
        """Become who may move these partitions; whoever was is fenced, once what it is committing is committed.

        That is not waited for here: leases of ours would end meanwhile, where whoever was is stopped. `keep` says that
        memory holds what is on disk, where nobody else had them since.

        Raises:
            UnderWayError: somebody is committing.
        """
        wanted = sorted(partitions)
        self.gone = []  # whoever reads from where they stand finds it again
        there = set(connection.scalars(select(_OFFSETS.c.partition).where(self._among(_OFFSETS, wanted))))
        run_rows(connection, _BEGIN, [(self.room, self.topic, p, 0, 0, 0, 0, 0, 0) for p in wanted if p not in there])
        stood = self._epochs(connection, wanted)
        if len(stood) < len(wanted):
            raise UnderWayError(f"{self.room} is being moved")
        kept = frozenset(p for p, epoch in stood.items() if keep and self.epochs.get(p) == epoch)
        anew = secrets.randbits(63)  # not counted on: after a database went back, two would count to the same
        epochs = {p: epoch if p in kept else anew for p, epoch in stood.items()}
        run_rows(connection, _CLAIM, [(epochs[p], self.room, self.topic, p) for p in wanted if p not in kept])
        return Claim(epochs, kept)

    def load(self, connection: Connection, claim: Claim) -> None:
        """Hold the partitions of a claim, and no others, and read where they stand.

        Raises:
            FencedError: somebody else has claimed one since.
            SetBackError: one stands before where it stood when it was ours.
        """
        held = list(claim.epochs)
        rows = connection.execute(
            select(_OFFSETS.c.partition, _OFFSETS.c.next, _OFFSETS.c.epoch).where(self._among(_OFFSETS, held)),
        ).all()
        if {row.partition: row.epoch for row in rows} != claim.epochs:
            raise FencedError(f"another process has claimed {self.room}")
        stand = {row.partition: row.next for row in rows}
        read = connection.execute(select(schema.sequences).where(self._among(schema.sequences, held)))
        table = schema.outlets
        out = connection.execute(select(table).where(table.c.room == self.room, table.c.partition.in_(held))).all()
        outlets = {(row.topic, row.partition): row.next for row in out}
        if any(stand.get(p, to) < to for p, to in self.next.items()) or any(
            outlets.get(at, 0) < to for at, to in self.outlets.items() if at[1] in stand
        ):
            raise SetBackError("the database was set back while we worked on it")
        same = {partition for partition, epoch in claim.epochs.items() if self.epochs.get(partition) == epoch}
        self.epochs, self.next, self.outlets = claim.epochs, stand, outlets
        self._where = self._question()
        self.sequences = {(row.producer, row.partition): row.last for row in read}
        known = {at: mark for at, mark in self.published.items() if at[1] in same}
        marks = {(row.topic, row.partition): row.published for row in out}
        self.published = {at: max(mark, known.get(at, 0)) for at, mark in marks.items()}

    @contextmanager
    def held(self, connection: Connection) -> Iterator[None]:
        """Make sure of the claim, and that it lasts until this transaction ends: what is read in it cannot change then.

        On a server rows are locked as it begins. Where they stand is looked at when it ends, for by then the answer
        has come: what was done meanwhile is to be undone if it raises.

        Raises:
            FencedError: somebody else has claimed a partition since.
            MovedError: nobody has, and one stands somewhere else than we remember.
        """
        answer = self._where.ask(connection)
        try:
            yield
        except SQLAlchemyError:
            raise  # nobody can be asked any more
        except Exception:
            self._compare(answer())
            raise
        self._compare(answer())

    def _compare(self, rows: Sequence[Any]) -> None:
        if {row.partition: row.epoch for row in rows} != self.epochs:
            raise FencedError(f"another process has claimed {self.room}")
        if any(self.next.get(row.partition, 0) != row.next for row in rows):
            raise MovedError(f"{self.room} stands somewhere else than it remembers")

    def settle(self, connection: Connection) -> None:
        """See that no transaction is under way that moves our partitions.

        One of ours may be: a server goes on committing for a client it has lost.

        Raises:
            UnderWayError: there is one.
        """
        among = self._among(_OFFSETS, list(self.epochs))
        there = connection.scalar(select(func.count()).select_from(_OFFSETS).where(among))
        if len(self._epochs(connection, list(self.epochs))) != there:
            raise UnderWayError(f"{self.room} is being moved")

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
        if self.gone:
            progress.gone = self._pass_over(progress.next)
        if any([record.producer for record in fresh]):  # noqa: C419 - a list is twice as fast, and this is each record
            known = len(fresh)
            fresh = [record for record in fresh if not record.producer or self._newer(record, progress.sequences)]
            progress.skipped = known - len(fresh)
        return fresh, progress

    def write(self, connection: Connection, progress: Progress) -> None:
        """Store the progress: on a server, of what is `held`; in a file, if the claim still holds.

        Raises:
            FencedError: it does not.
            MovedError: it does, and something else was stored meanwhile.
        """
        insert_rows(
            connection,
            _SEQUENCES,
            [(self.room, self.topic, *place, last) for place, last in progress.sequences.items()],
        )
        insert_rows(connection, _OUTLETS, [(self.room, *place, to, 0) for place, to in progress.outlets.items()])
        if progress.gone and (self.room, self.topic) == (SCORING, EVENTS.name):
            note_given_up(connection, progress.gone)
        run_rows(connection, _MARKS, [(to, self.room, *place, to) for place, to in progress.published.items()])
        self._advance(connection, progress)

    def _advance(self, connection: Connection, progress: Progress) -> None:
        if progress.next.keys() - self.epochs.keys():
            raise FencedError(f"{self.room} was told to move what it does not hold")
        moved, counts = [], [progress.counts, *[(0, 0, 0, 0)] * len(progress.next)]
        for (partition, to), many in zip(sorted(progress.next.items()), counts, strict=False):
            moved.append((partition, self.epochs[partition], self.next.get(partition, 0), to, many))
        here = self.room, self.topic
        if connection.dialect.name == "sqlite":  # it has one writer: what is written tells whether the claim holds
            rows = [(to, *many, *here, partition, epoch, at) for partition, epoch, at, to, many in moved]
            if run_rows(connection, _ADVANCE, rows) != len(rows):
                with self.held(connection):
                    raise MovedError(f"{self.room} stands somewhere else than it remembers")
        else:
            insert_rows(
                connection,
                _STORE,
                [(*here, partition, to, *many, epoch) for partition, epoch, _, to, many in moved],
            )

    def accept(self, progress: Progress) -> None:
        """Take into memory what is now on disk."""
        self.next |= progress.next
        self.gone = [one for one in self.gone if one.kept > self.next.get(one.partition, 0)]
        self.sequences |= progress.sequences
        self.outlets |= progress.outlets

    def _pass_over(self, ends: dict[int, int]) -> int:
        """Have what comes up to records that are gone go on behind them; returns how many those are."""
        many = 0
        for partition, first, kept in self.gone:
            at = self.next.get(partition, kept)
            if at <= first <= ends.get(partition, at):
                ends[partition] = max(kept, ends.get(partition, at))
                many += kept - first
        return many

    def _newer(self, record: Record, seen: dict[Place, int]) -> bool:
        place = (record.producer, record.partition)
        if record.sequence <= seen.get(place, self.sequences.get(place, 0)):
            return False
        seen[place] = record.sequence
        return True

    def _epochs(self, connection: Connection, partitions: Sequence[int]) -> dict[int, int]:
        """By partition; they stay what they are until the transaction ends. Leaves out what is being moved."""
        asked = select(_OFFSETS.c.partition, _OFFSETS.c.epoch).where(self._among(_OFFSETS, partitions))
        rows = connection.execute(asked.order_by(_OFFSETS.c.partition).with_for_update(skip_locked=True))
        return {row.partition: row.epoch for row in rows}

    def _question(self) -> Question:
        """Where everything stands that we hold, and whose it is; nobody may move it until the transaction ends."""
        asked = select(_OFFSETS.c.partition, _OFFSETS.c.epoch, _OFFSETS.c.next)
        mine = asked.where(self._among(_OFFSETS, list(self.epochs)))
        return Question(mine.order_by(_OFFSETS.c.partition).with_for_update())

    def _among(self, table: Any, partitions: Sequence[int]) -> Any:
        return and_(table.c.room == self.room, table.c.topic == self.topic, table.c.partition.in_(partitions))
