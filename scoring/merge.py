"""Two accounts turn out to be one, or after all not: their events are folded anew from the archive.

It happens inside the transaction that applies the event `account.merged` (properties `absorbed`, `why` and, to take it
back, `undo: true`), after everything else of it is written. The rows it leaves ask to be scored by the next tick.
Archived events stay under the account they came to; `merges` says whose they are now.

`merges` keeps what was said, and all else follows who that is now: a merge into an account that was itself merged
meanwhile goes to its survivor, and is taken back from there. So chains end the same in whichever order they are told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from sqlalchemy import Connection, delete, func, insert, select, update

from hub import Event
from hub.store import schema
from hub.store.database import insert_rows
from hub.store.family import family, head
from hub.store.upserts import insert as upsert
from hub.streams.topics import partition_of
from scoring import entities, profiles
from scoring.accounts import blocks, stored
from scoring.archive import Refolded, complete, refold
from scoring.bands import BANDS
from scoring.measures import MeasureSet
from scoring.merges import lock, tell
from scoring.restating import current
from scoring.rows import Rows

ROOM: Final = "scoring.rescore"
_CHUNK: Final = 500
_decode: Final = msgspec.json.Decoder(Event).decode
_ACCOUNT: Final = upsert(schema.accounts)
_UPSERT: Final = _ACCOUNT.on_conflict_do_update(
    index_elements=[schema.accounts.c.id],
    set_={name: _ACCOUNT.excluded[name] for name in ("state", "scored_at", "last_event_at")},
)


class Changed(NamedTuple):
    """What a merge did to one account: a new row (1,), or the survivor it went to."""

    account: str
    row: Rows | None
    merged_into: str | None
    cause: str


def partition_of_account(account: str, partitions: int) -> int:
    """Where an account's events lie."""
    return partition_of(account.encode(), partitions)


def apply(
    connection: Connection,
    event: Event,
    measures: MeasureSet,
    points: Sequence[str],
    *,
    partition: Callable[[str], int],
    wall: float,
) -> list[Changed]:
    """Do what an `account.merged` event says; nothing if it makes no sense (any more).

    Args:
        connection: of the transaction that applies it.
        event: its `account` is the survivor, or was.
        measures: to fold again.
        points: names of the scorer's points, which rows also keep.
        partition: of an account.
        wall: unix seconds.
    """
    said, absorbed = event.account, event.properties.get("absorbed")
    if not isinstance(absorbed, str) or not absorbed:
        return []
    merges = schema.merges
    lock(connection, ROOM, partition(absorbed))
    held_by = connection.scalar(select(merges.c.survivor).where(merges.c.absorbed == absorbed))
    survivor = head(connection, said)
    if event.properties.get("undo") is True:
        if held_by != said:
            return []
        tell(connection)
        _separate(connection, survivor, absorbed)
        rows = {one: _renewed(connection, one, measures, points, partition(one)) for one in (absorbed, survivor)}
        return [Changed(one, row, None, event.id) for one, row in rows.items()]
    if held_by is not None or survivor == absorbed:
        return []
    before = {one: current(connection, one, measures) for one in (survivor, absorbed)}
    tell(connection)
    why = str(event.properties.get("why") or event.id)
    connection.execute(insert(merges).values(absorbed=absorbed, survivor=said, at=wall, why=why))
    _redirect(connection, survivor, absorbed)
    told = sum(float(row["events"][0]) for row in before.values() if row is not None)
    if complete(connection, family(connection, survivor), told):
        row = _refolded(connection, survivor, measures)
        connection.execute(delete(schema.entities).where(schema.entities.c.account == absorbed))
    else:  # beyond the archive's reach, what was measured is added up
        row = _added(connection, survivor, absorbed, before, measures)
    _keep(row, before[survivor], points)
    _store(connection, survivor, row, partition(survivor))
    return [Changed(absorbed, None, survivor, event.id), Changed(survivor, row, None, event.id)]


def _refolded(connection: Connection, account: str, measures: MeasureSet) -> Rows:
    """An account's row, things and profile, all from the archive."""
    found = refold(connection, account, measures)
    connection.execute(delete(schema.entities).where(schema.entities.c.account == account))
    insert_rows(connection, entities.UPSERT, entities.rows(found.entities))
    _profile(connection, account, found)
    return found.row


def _added(
    connection: Connection,
    survivor: str,
    absorbed: str,
    rows: dict[str, Rows | None],
    measures: MeasureSet,
) -> Rows:
    things, told = schema.entities, schema.profiles
    mine = select(things.c.reference).where(things.c.account == survivor)
    connection.execute(delete(things).where(things.c.account == absorbed, things.c.reference.in_(mine)))
    connection.execute(update(things).where(things.c.account == absorbed).values(account=survivor))
    facts: profiles.Facts = {}
    for said in connection.scalars(select(told.c.facts).where(told.c.account.in_([survivor, absorbed]))):
        facts = profiles.newer(facts, profiles.decode(said))
    mrr, currency = profiles.revenue(connection, {survivor}, {})[survivor]
    insert_rows(connection, profiles.UPSERT_PROFILE, [profiles.profile(survivor, facts, mrr, currency)])
    row, theirs = (found if found is not None else _empty(measures) for found in (rows[survivor], rows[absorbed]))
    measures.merge(row, theirs)
    return row


def _renewed(
    connection: Connection,
    account: str,
    measures: MeasureSet,
    points: Sequence[str],
    partition: int,
) -> Rows:
    """An account as its own events make it."""
    was = stored(connection, account, measures.layout)
    row = _refolded(connection, account, measures)
    _keep(row, was, points)
    _store(connection, account, row, partition)
    return row


def _redirect(connection: Connection, survivor: str, absorbed: str) -> None:
    """All that led to the absorbed account leads to the survivor now; what it alone had is let go."""
    links, contacts, snapshots = schema.links, schema.contacts, schema.snapshots
    origin = func.coalesce(links.c.origin, absorbed)
    connection.execute(update(links).where(links.c.account == absorbed).values(account=survivor, origin=origin))
    connection.execute(update(contacts).where(contacts.c.account == absorbed).values(account=survivor))
    connection.execute(delete(snapshots).where(snapshots.c.account == absorbed))
    connection.execute(delete(schema.accounts).where(schema.accounts.c.id == absorbed))
    told = schema.profiles
    known = upsert(told).values(account=absorbed, merged_into=survivor, facts="{}")
    connection.execute(known.on_conflict_do_update(index_elements=[told.c.account], set_={"merged_into": survivor}))


def _separate(connection: Connection, survivor: str, absorbed: str) -> None:
    """Give an account back its references, its people, and what was told to them since."""
    links, contacts, archive, told = schema.links, schema.contacts, schema.archive, schema.profiles
    theirs = set(family(connection, absorbed))
    connection.execute(delete(schema.merges).where(schema.merges.c.absorbed == absorbed))
    others = family(connection, survivor)  # what was told to an account in between lies with that
    asked = select(links.c.reference).where(links.c.account == survivor, links.c.origin.in_(theirs))
    references = set(connection.scalars(asked))
    back = update(links).where(links.c.account == survivor, links.c.origin.in_(theirs))
    connection.execute(back.values(account=absorbed))
    for some in _slices(references):
        connection.execute(update(contacts).where(contacts.c.reference.in_(some)).values(account=absorbed))
    since = select(archive.c.row, archive.c.body).where(archive.c.account.in_(others))
    named = references | theirs
    moved = [row.row for row in connection.execute(since) if _decode(row.body).account in named]
    for some in _slices(moved):
        connection.execute(update(archive).where(archive.c.row.in_(some)).values(account=absorbed))
    connection.execute(update(told).where(told.c.account == absorbed).values(merged_into=None))


def _profile(connection: Connection, account: str, found: Refolded) -> None:
    mrr, currency = profiles.revenue(connection, {account}, {})[account]
    held = any(entity.kind == "subscription" for entity in found.entities.values())
    row = profiles.profile(account, found.facts, mrr if held else None, currency)
    insert_rows(connection, profiles.UPSERT_PROFILE, [row])


def _keep(row: Rows, was: Rows | None, points: Sequence[str]) -> None:
    """What a row keeps beside its measures stays; only the time of scoring goes, so that it is scored soon."""
    if was is not None:
        for block in blocks(points):
            for name in block.fields:
                row[name] = was[name]
    row["scored_at"] = 0.0


def _store(connection: Connection, account: str, row: Rows, partition: int) -> None:
    band = int(row["band"][0])
    health = float(row["health"][0])
    values: tuple[Any, ...] = (
        account,
        partition,
        row.tobytes(),
        0.0,
        float(row["newest"][0]),
        None if health != health else health,  # noqa: PLR0124 - not a number
        BANDS[band] if band >= 0 else None,
        None,
        None,
        int(row["model"][0]),
        None,
    )
    insert_rows(connection, _UPSERT, [values])


def _empty(measures: MeasureSet) -> Rows:
    return np.full(1, measures.empty, measures.dtype)


def _slices(things: Collection[Any]) -> list[list[Any]]:
    wanted = sorted(things)
    return [wanted[first : first + _CHUNK] for first in range(0, len(wanted), _CHUNK)]
