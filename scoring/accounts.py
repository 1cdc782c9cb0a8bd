"""Every account of the partitions a worker holds, in one array of rows.

A step works on a draft, a copy of the rows it touches, and only what is on disk is put back: an aborted transaction
leaves no trace in memory.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy import ColumnElement, Connection, func, select

from hub.store import schema
from hub.store.upserts import insert
from scoring.arrays import Floats
from scoring.bands import NO_BAND
from scoring.batch import Integers
from scoring.folds import NOTHING
from scoring.measures import MeasureSet
from scoring.rows import FOLDS, STAMP, Block, Layout, Rows, described, lay, picked

_CHUNK: Final = 10_000
_DESCRIPTION: Final = "row:{:016x}"


def blocks(points: Sequence[str]) -> list[Block]:
    """What a row keeps beside its measures.

    Args:
        points: names of the scorer's columns of points.

    `scored_at`, `health` and `model` are of the last scoring. `published`, `published_model` and the points are
    of the last row of the ledger: the next one says what moved since. `period` is that of the last snapshot.
    """
    return [
        Block("moments", "f8", ("scored_at",), (0.0,)),
        Block("healths", "f8", ("health", "published"), (math.nan,) * 2),
        Block("numbers", "i4", ("period", "model", "published_model"), (-1.0, 0.0, 0.0)),
        Block("points", "f4", tuple(f"points.{name}" for name in points), (0.0,) * len(points)),
        Block("bands", "i1", ("band",), (float(NO_BAND),)),
    ]


@dataclass(slots=True)
class Draft:
    """A private copy of some rows.

    Attributes:
        ids: accounts, one for each row.
        places: place of each account in `ids`.
        partitions: (n,) of each account.
        rows: (n,) structured; yours to change.
    """

    ids: list[str]
    places: dict[str, int]
    partitions: Integers
    rows: Rows

    def at(self, accounts: Iterable[str]) -> Integers:
        """Places of these accounts."""
        return np.array([self.places[account] for account in accounts], np.int64)


class Accounts:
    """The rows in memory.

    Args:
        layout: of the rows; rows stored in another are moved to it as they are loaded.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._clear()

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, account: str) -> bool:
        return account in self._slots

    @property
    def rows(self) -> Rows:
        """All rows, by slot; those of slots nobody has belong to partition -1."""
        return self._rows[: self._used]

    @property
    def partitions(self) -> Integers:
        """Partition of each slot; -1 where nobody is."""
        return self._partitions[: self._used]

    @property
    def checked_at(self) -> Floats:
        """When each slot was last looked at, unix seconds; yours to set."""
        return self._checked[: self._used]

    def ids(self, slots: Iterable[int]) -> list[str]:
        """Accounts at these slots."""
        return [self._ids[slot] for slot in slots]

    def load(self, connection: Connection, partitions: Collection[int]) -> None:
        """Read the accounts of these partitions, of which none is here."""
        accounts, layouts = schema.accounts, _Layouts(connection)
        here = self._here(connection, partitions)
        self._reserve(self._used + (connection.scalar(select(func.count()).where(here)) or 0), self._used)
        asked = select(accounts.c.id, accounts.c.partition, accounts.c.state)
        asked = asked.where(here).execution_options(yield_per=_CHUNK)
        for some in connection.execute(asked).partitions():
            ids, where, states = zip(*some, strict=True)
            self._append(list(ids), np.array(where, np.int64), layouts.rows(states, self.layout))

    def draft(self, accounts: Sequence[str], partitions: Sequence[int]) -> Draft:
        """A copy of these accounts' rows, each once; empty rows for those not known yet."""
        places: dict[str, int] = {}
        where = []
        for account, partition in zip(accounts, partitions, strict=True):
            if account not in places:
                places[account] = len(places)
                where.append(partition)
        slots = np.array([self._slots.get(account, -1) for account in places], np.int64)
        rows, known = np.full(len(slots), self.layout.empty, self.layout.dtype), slots >= 0
        lay(rows, known, picked(self._rows, slots[known]))
        return Draft(list(places), places, np.array(where, np.int64), rows)

    def put(self, draft: Draft, places: Integers) -> None:
        """Take these places of a draft back; call it once they are on disk."""
        known = np.array([self._slots.get(draft.ids[place], -1) for place in places.tolist()], np.int64)
        old = known >= 0
        lay(self._rows, known[old], picked(draft.rows, places[old]))
        new = places[~old]
        self._append([draft.ids[place] for place in new.tolist()], draft.partitions[new], picked(draft.rows, new))

    def drop(self, account: str) -> None:
        """Forget an account that was merged away."""
        slot = self._slots.pop(account, None)
        if slot is not None:
            self._partitions[slot] = -1

    def keep(self, partitions: Collection[int]) -> None:
        """Forget the accounts of all other partitions."""
        slots = np.flatnonzero(np.isin(self.partitions, list(partitions)))
        if not len(slots):
            self._clear()
        elif len(slots) < self._used:
            ids, where, rows, checked = self.ids(slots.tolist()), self.partitions, self.rows, self.checked_at
            self._clear()
            self._append(ids, where[slots], picked(rows, slots))
            self._checked[: len(slots)] = checked[slots]

    def reload(self, connection: Connection, account: str, partition: int) -> None:
        """Read one account again: another worker changed its row, made it or took it away."""
        found = stored(connection, account, self.layout)
        self.drop(account)
        if found is not None:
            self._append([account], np.array([partition], np.int64), found)

    def _here(self, connection: Connection, partitions: Collection[int]) -> ColumnElement[bool]:
        """Which rows these are; who holds all there are reads the table from end to end, at half the price of jumps."""
        where = schema.accounts.c.partition
        low, high = connection.execute(select(func.min(where), func.max(where)).select_from(schema.accounts)).one()
        if low is not None and set(partitions).issuperset(range(low, high + 1)):
            return where.is_not(None)
        return where.in_(list(partitions))

    def _clear(self) -> None:
        self._slots: dict[str, int] = {}
        self._ids: list[str] = []
        self._used = 0
        self._rows = np.empty(0, self.layout.dtype)
        self._partitions = np.empty(0, np.int64)
        self._checked = np.empty(0)

    def _reserve(self, room: int, used: int) -> None:
        """Make room; what nobody uses yet is never touched, and so takes no memory."""
        for name in ("_rows", "_partitions", "_checked"):
            before = getattr(self, name)
            grown = np.empty(room, before.dtype)
            grown[:used] = before[:used]
            setattr(self, name, grown)

    def _append(self, ids: list[str], partitions: Integers, rows: Rows) -> None:
        first, self._used = self._used, self._used + len(ids)
        if self._used > len(self._rows):
            self._reserve(max(self._used + self._used // 4, 256), first)
        self._slots.update(zip(ids, range(first, self._used), strict=True))
        self._ids += ids
        lay(self._rows, slice(first, self._used), rows)
        self._partitions[first : self._used] = partitions
        self._checked[first : self._used] = rows["scored_at"]


class _Layouts:
    """The structures of stored rows, which their first eight bytes name."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[bytes, np.dtype[Any] | None] = {}

    def rows(self, states: Sequence[bytes], layout: Layout) -> Rows:
        """Stored rows in `layout`; one of a structure nobody remembers starts empty."""
        if all([len(state) == layout.dtype.itemsize for state in states]):  # noqa: C419 - a list is twice as fast
            whole = np.frombuffer(b"".join(states), layout.dtype)
            if (whole[STAMP] == layout.stamp).all():
                return whole
        out = np.full(len(states), layout.empty, layout.dtype)
        stamps: dict[bytes, list[int]] = {}
        for place, state in enumerate(states):
            stamps.setdefault(bytes(state[:8]), []).append(place)
        for stamp, places in stamps.items():
            dtype = self._dtype(stamp, layout)
            known = [place for place in places if dtype is not None and len(states[place]) == dtype.itemsize]
            out[FOLDS][sorted(set(places) - set(known))] = NOTHING
            if dtype is not None and known:
                out[known] = layout.moved(np.frombuffer(b"".join(states[place] for place in known), dtype))
        return out

    def _dtype(self, stamp: bytes, layout: Layout) -> np.dtype[Any] | None:
        number = int.from_bytes(stamp, "little")
        if number == layout.stamp:
            return layout.dtype
        if stamp not in self._known:
            key = _DESCRIPTION.format(number)
            found = self._connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == key))
            self._known[stamp] = None if found is None else described(found)
        return self._known[stamp]


def stored(connection: Connection, account: str, layout: Layout) -> Rows | None:
    """The stored row (length 1) of one account, None if there is no such account."""
    asked = select(schema.accounts.c.state).where(schema.accounts.c.id == account)
    state = connection.scalar(asked)
    return None if state is None else _Layouts(connection).rows([state], layout).copy()


def each(connection: Connection, layout: Layout, some: int = 1_000) -> Iterator[tuple[list[str], Rows]]:
    """All stored accounts, so many at a time, with copies of their rows in `layout`."""
    accounts, layouts = schema.accounts, _Layouts(connection)
    asked = select(accounts.c.id, accounts.c.state).order_by(accounts.c.id).execution_options(yield_per=some)
    for part in connection.execute(asked).partitions():
        ids, states = zip(*part, strict=True)
        yield list(ids), layouts.rows(states, layout).copy()


def remember(connection: Connection, layout: Layout) -> None:
    """Keep a layout's description, so that its rows can be read when another is in use."""
    row = {"key": _DESCRIPTION.format(layout.stamp), "value": layout.description}
    connection.execute(insert(schema.meta).values(row).on_conflict_do_nothing())  # workers may start together


def measures_of(config: Any, points: Sequence[str]) -> MeasureSet:
    """The measures of a configuration in rows that also keep what scoring needs."""
    return MeasureSet(config, blocks(points))
