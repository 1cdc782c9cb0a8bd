"""The archive: every applied event, and what an account comes to when all of its events are folded anew."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from sqlalchemy import Connection, bindparam, delete, func, insert, select

from hub import Event
from hub.store import schema
from hub.store.bulk import insert_rows
from hub.store.family import family
from hub.store.upserts import insert as upsert
from scoring.clock import DAY
from scoring.entities import Entity, Key, Things
from scoring.intake import Taken
from scoring.measures import MeasureSet
from scoring.profiles import Facts, about_account, newer
from scoring.rows import Rows

_CHUNK: Final = 2_000
_KEYS: Final = 500  # of one DELETE
_FORGOTTEN: Final = "archive_forgotten"
_SEEN: Final = insert(schema.seen)  # straight in: a key that is there already is a race that was lost
_ARCHIVE: Final = (
    insert(schema.archive).inline().values({c.name: bindparam(c.name) for c in schema.archive.c if c.name != "row"})
)  # the database numbers them
_decode: Final = msgspec.json.Decoder(Event).decode


def write(connection: Connection, taken: Sequence[Taken], wall: float, remembers: Mapping[str, float]) -> None:
    """Archive events and remember their ids.

    Args:
        connection: of the transaction that applies them.
        taken: each new.
        wall: unix seconds.
        remembers: connection -> seconds its ids must be remembered; for ever where it is not named.

    Where another worker has applied one of them since they were read, the transaction is run again.
    """
    until = {name: _forget(name, wall, remembers) for name in {one.event.connection for one in taken}}
    digests = sorted((one.digest, until[one.event.connection]) for one in taken)  # in one order, or two could wait
    insert_rows(connection, _SEEN, digests)
    rows = [
        (
            account,
            time,
            wall if event.received_at is None else event.received_at.timestamp(),
            event.kind,
            event.connection,
            event.id,
            record.value,
        )
        for event, account, time, _, record in taken
    ]
    insert_rows(connection, _ARCHIVE, rows)


class Stale(NamedTuple):
    """What may be let go of: rows of the archive, and digests of ids nobody need remember."""

    rows: list[int]
    digests: list[bytes]


def stale(connection: Connection, wall: float, days: int, most: int = 5_000) -> Stale:
    """Look for events that came more than `days` ago and for ids past their time, `most` of each. Only reads."""
    archive, seen = schema.archive, schema.seen
    oldest = select(archive.c.row, archive.c.received_at).order_by(archive.c.row).limit(most)  # rows come in time
    rows = [row for row, received_at in connection.execute(oldest) if received_at < wall - days * DAY]
    past = select(seen.c.digest).where(seen.c.forget > 0, seen.c.forget < int(wall / DAY)).limit(most)
    return Stale(rows, list(connection.scalars(past)))


def forget(connection: Connection, found: Stale) -> None:
    """Let go of it. How many events went is kept in `meta`, so that the books can still be held to the archive."""
    archive, seen, meta = schema.archive, schema.seen, schema.meta
    for table, column, keys in ((archive, archive.c.row, found.rows), (seen, seen.c.digest, found.digests)):
        for at in range(0, len(keys), _KEYS):
            connection.execute(delete(table).where(column.in_(keys[at : at + _KEYS])))
    if found.rows:
        now = str(forgotten(connection) + len(found.rows))
        kept = upsert(meta).values(key=_FORGOTTEN, value=now)
        connection.execute(kept.on_conflict_do_update(index_elements=[meta.c.key], set_={"value": now}))


def forgotten(connection: Connection) -> int:
    """How many events the archive has let go of since the installation began."""
    return int(connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == _FORGOTTEN)) or 0)


def happened(
    connection: Connection,
    accounts: Collection[str],
    *,
    after: float = float("-inf"),
    through: float = float("inf"),
) -> Iterator[list[Event]]:
    """Archived events of these accounts in (after, through], in order of time, a chunk at a time."""
    table = schema.archive
    asked = (
        select(table.c.body)
        .where(table.c.account.in_(list(accounts)), table.c.occurred_at > after, table.c.occurred_at <= through)
        .order_by(table.c.occurred_at, table.c.row)
        .execution_options(yield_per=_CHUNK)
    )
    for some in connection.execute(asked).partitions():
        yield [_decode(row.body) for row in some]


@dataclass(frozen=True, slots=True)
class Refolded:
    """What an account comes to.

    Attributes:
        row: (1,) the measures; what else a row keeps is empty.
        entities: the things it has, under its own id.
        facts: of its profile.
        events: how many were folded.
    """

    row: Rows
    entities: Mapping[Key, Entity]
    facts: Facts
    events: int


def refold(
    connection: Connection,
    account: str,
    measures: MeasureSet,
    *,
    of: Collection[str] = (),
    through: float = float("inf"),
) -> Refolded:
    """Fold everything the archive holds of an account into an empty row.

    Args:
        connection: to the archive.
        account: under whose id the things it has are returned.
        measures: what to fold.
        of: the accounts whose events are folded, where that is not itself alone and those merged into it.
        through: events after this moment are left out.
    """
    row = np.full(1, measures.empty, measures.dtype)
    mark(connection, account, measures, row)
    things = Things(measures.holdings.sums, measures.holdings.oldest)
    facts: Facts = {}
    count = 0
    for events in happened(connection, of or family(connection, account), through=through):
        fold(measures, row, events, account, things)
        for event in events:
            if told := about_account(event):
                facts = newer(facts, told)
        count += len(events)
    return Refolded(row, things.changed, facts, count)


def fold(measures: MeasureSet, row: Rows, events: Sequence[Event], account: str, things: Things) -> None:
    """Take events of one account into its row (1,)."""
    accounts = [account] * len(events)
    batch = measures.batch(events, accounts)
    measures.fold(row, batch.changed(things.change(events, accounts, batch.accounts)))


def mark(connection: Connection, account: str, measures: MeasureSet, row: Rows) -> None:
    """Put the account's waiting snapshots into an empty row, so that what is folded can hit them."""
    asked = select(schema.snapshots.c.at).where(schema.snapshots.c.account == account)
    for at in sorted(connection.scalars(asked)):
        measures.mark(row, measures.period([account], at), np.array([at]))


def complete(connection: Connection, accounts: Collection[str], events: float) -> bool:
    """Whether the archive still holds every event (there were so many) that these accounts were ever told."""
    asked = select(func.count()).where(schema.archive.c.account.in_(list(accounts)))
    return float(connection.scalar(asked) or 0) >= events


def _forget(connection: str, wall: float, remembers: Mapping[str, float]) -> int:
    seconds: Any = remembers.get(connection)
    return 0 if seconds is None else int((wall + seconds) / DAY) + 1
