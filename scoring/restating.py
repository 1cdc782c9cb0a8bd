"""Rows of accounts brought up to what is declared today: what they lack is folded from the archive, the rest stays.

A measure that is new or counts otherwise than before would start at a zero that nobody measured. So a row says which
folds it holds (`scoring.folds`), and before an account is judged what it lacks is made good: from all its archived
events, and of things it has from their last states. Until then it stands as it was judged last. What lies beyond the
archive's reach is known only to measures that were there all along.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from sqlalchemy import Connection, select

from hub import Event
from hub.store import schema
from hub.store.family import family
from scoring import folds
from scoring.accounts import stored
from scoring.batch import Integers
from scoring.entities import counts
from scoring.entities import decode as decode_thing
from scoring.families.outcome import OUTCOME
from scoring.measures import MeasureSet
from scoring.rows import FOLDS, Rows, picked

_CHUNK: Final = 2_000
_SOME: Final = 200  # accounts whose events are asked for at once
_decode: Final = msgspec.json.Decoder(Event).decode
_SHARED: Final = ("newest", "events")
"""What a row keeps of all its events, whatever is measured."""


def behind(rows: Rows, measures: MeasureSet) -> Integers:
    """Places of rows that hold other folds than these."""
    return np.flatnonzero(rows[FOLDS] != measures.folded)


def restate(connection: Connection, accounts: Sequence[str], rows: Rows, measures: MeasureSet) -> Integers:
    """Make good what rows (n,) of these accounts lack, in place; only reads the database.

    Returns:
        The places of those that lacked something.
    """
    places = behind(rows, measures)
    for said in np.unique(rows[FOLDS][places]).tolist():
        some = places[rows[FOLDS][places] == said]
        lack = folds.lacking(connection, said, measures.folds)
        for first in range(0, len(some) if lack else 0, _SOME):
            part = some[first : first + _SOME]
            fresh = _folded(connection, [accounts[place] for place in part.tolist()], measures, lack)
            held = picked(rows, part)
            _copy(held, fresh, measures, lack, whole=said == folds.NOTHING)
            rows[part] = held
    rows[FOLDS][places] = measures.folded
    return places


def current(connection: Connection, account: str, measures: MeasureSet) -> Rows | None:
    """The stored row (1,) of an account with nothing lacking; None if there is no such account."""
    row = stored(connection, account, measures.layout)
    if row is not None:
        restate(connection, [account], row, measures)
    return row


def _folded(connection: Connection, accounts: Sequence[str], measures: MeasureSet, lack: Collection[str]) -> Rows:
    """Rows (n,) that hold nothing but what the archive and the things of these accounts say."""
    rows = np.full(len(accounts), measures.empty, measures.dtype)
    homes = {one: place for place, account in enumerate(accounts) for one in family(connection, account)}
    if OUTCOME in lack:
        _mark(connection, accounts, rows, measures)
    for events, where in _happened(connection, homes):
        batch = measures.batch(events, where)
        touched = np.array([int(place) for place in batch.accounts])
        rows[touched] = measures.fold(rows[touched], batch)
    _hold(connection, accounts, rows, measures)
    return rows


def _happened(connection: Connection, homes: dict[str, int]) -> Iterator[tuple[list[Event], list[str]]]:
    """Archived events, and whose they are: places, as text. In any order: folding commutes."""
    archive = schema.archive
    asked = select(archive.c.account, archive.c.body).where(archive.c.account.in_(list(homes)))
    for some in connection.execute(asked.execution_options(yield_per=_CHUNK)).partitions():
        yield [_decode(row.body) for row in some], [str(homes[row.account]) for row in some]


def _mark(connection: Connection, accounts: Sequence[str], rows: Rows, measures: MeasureSet) -> None:
    """Put waiting snapshots into empty rows, so that what is folded can hit them."""
    snapshots = schema.snapshots.c
    places = {account: place for place, account in enumerate(accounts)}
    asked = select(snapshots.account, snapshots.at).where(snapshots.account.in_(list(places))).order_by(snapshots.at)
    for account, at in connection.execute(asked):
        place = slice(places[account], places[account] + 1)
        rows[place] = measures.mark(rows[place], measures.period([account], at), np.array([at]))


def _hold(connection: Connection, accounts: Sequence[str], rows: Rows, measures: MeasureSet) -> None:
    """Sums and ages of things, from their last states: these reach further back than the archive."""
    holdings, table = measures.holdings, schema.entities.c
    if not holdings.columns:
        return
    places = {account: place for place, account in enumerate(accounts)}
    asked = select(table.account, table.kind, table.state, table.open_since).where(table.account.in_(list(places)))
    for account, kind, state, since in connection.execute(asked):
        place, thing = places[account], decode_thing(state)
        for measure in holdings.sums:
            if measure.entity == kind:
                rows[measure.name][place] = np.nan_to_num(rows[measure.name][place]) + counts(thing, measure)
                if (told := f"{OUTCOME}.{measure.name}") in (rows.dtype.names or ()):
                    rows[told][place] = max(rows[told][place], thing.told)
        for measure in holdings.oldest:
            if measure.entity == kind and since is not None:
                rows[measure.name][place] = min(rows[measure.name][place], since)


def _copy(held: Rows, fresh: Rows, measures: MeasureSet, lack: Collection[str], *, whole: bool) -> None:
    """Take what lacks out of fresh rows; sums are brought to the landmarks of the rows they come into first."""
    shared: Any = np.full(len(held), measures.empty, measures.dtype)
    if whole:
        for name in _SHARED:
            held[name] = fresh[name]
    shared["newest"] = held["newest"]
    measures.merge(fresh, shared)
    for name in measures.fields(lack):
        held[name] = fresh[name]
