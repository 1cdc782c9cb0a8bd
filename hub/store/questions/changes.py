"""Changes of health as the ledger keeps them, to be compared with each other: of one account, and of all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, case, func, or_, select
from sqlalchemy.orm import aliased
from sqlalchemy.sql.selectable import ScalarSelect

from hub.sdk.health import Band
from hub.store.questions import paging
from hub.store.schema import accounts, archive, ledger, profiles

_NEWEST: Final = (ledger.c.at.desc(), ledger.c.sequence.desc())
_CHUNK: Final = 2_000
_FEW: Final = 400  # of this many accounts each is asked for; of more, all are, and the others left out


@dataclass(frozen=True, slots=True)
class Kept:
    """One row of the ledger.

    Attributes:
        parts: see `scoring.parts`; None: a program of before wrote the row.
        message: the Health as it was published; empty where parts say it all.
    """

    account: str
    partition: int
    sequence: int
    at: float
    health: float
    was: float | None
    band: Band
    was_band: Band | None
    parts: bytes | None
    message: bytes


@dataclass(frozen=True, slots=True)
class Ends:
    """One account that has rows in a period: its last row before it, None where it came in it, and the last in it."""

    account: str
    before: Kept | None
    after: Kept


def page(
    connection: Connection,
    account: str,
    *,
    limit: int,
    since: float | None = None,
    until: float | None = None,
    cursor: str | None = None,
) -> tuple[list[Kept], Kept | None, str | None]:
    """Rows in (since, until], newest first; the row before the last of them; the cursor of what is older.

    Raises:
        CursorError: not a cursor of ours.
    """
    asked = _whole(account).limit(limit + 1)
    if until is not None:
        asked = asked.where(ledger.c.at <= until)
    if cursor is not None:
        at, last = paging.decode(cursor, "ledger")
        if isinstance(at, str) or not last.isdecimal():
            raise paging.CursorError("this cursor was not given by this API")
        asked = asked.where(or_(ledger.c.at < at, and_(ledger.c.at == at, ledger.c.sequence < int(last))))
    found = [_of(row) for row in connection.execute(asked)]
    inside = [row for row in found if since is None or row.at > since]
    rows = inside[:limit]
    older = found[len(rows)] if len(found) > len(rows) else None
    more = len(inside) > limit
    return rows, older, paging.encode("ledger", rows[-1].at, str(rows[-1].sequence)) if more else None


def at(connection: Connection, account: str, moment: float) -> Kept | None:
    """The last row up to a moment; None before the first, or where that was let go of."""
    row = connection.execute(_whole(account).where(ledger.c.at <= moment).limit(1)).first()
    return None if row is None else _of(row)


def first(connection: Connection, account: str, since: float, until: float) -> Kept | None:
    """The first row in (since, until]."""
    asked = _whole(account).order_by(None).order_by(ledger.c.at, ledger.c.sequence)
    row = connection.execute(asked.where(ledger.c.at > since, ledger.c.at <= until).limit(1)).first()
    return None if row is None else _of(row)


def number(connection: Connection, account: str, since: float, until: float) -> int:
    """How many rows there are in (since, until]."""
    asked = select(func.count()).select_from(ledger)
    return connection.scalar(asked.where(ledger.c.account == account, ledger.c.at > since, ledger.c.at <= until)) or 0


def oldest(connection: Connection, account: str | None = None) -> float | None:
    """When the oldest row was written that is still there: of one account, or of all."""
    asked = select(func.min(ledger.c.at))
    found: float | None = connection.scalar(asked if account is None else asked.where(ledger.c.account == account))
    return found


def kinds(
    connection: Connection, family: Collection[str], since: float, until: float, most: int
) -> list[tuple[float, str]]:
    """When what kind of event happened in (since, until], newest first; `most` of them."""
    asked = (
        select(archive.c.occurred_at, archive.c.kind)
        .where(archive.c.account.in_(list(family)), archive.c.occurred_at > since, archive.c.occurred_at <= until)
        .order_by(archive.c.occurred_at.desc())
        .limit(most)
    )
    return [(row.occurred_at, row.kind) for row in connection.execute(asked)]


def standing(connection: Connection, moment: float, ids: Collection[str] | None = None) -> tuple[int, float]:
    """How many accounts were customers at a moment, and the sum of their healths."""
    asked = (
        select(accounts.c.id, ledger.c.health)
        .select_from(accounts)
        .outerjoin(profiles, profiles.c.account == accounts.c.id)
        .join(ledger, and_(ledger.c.partition == accounts.c.partition, ledger.c.sequence == _last(moment)))
        .where(profiles.c.merged_into.is_(None), ledger.c.band != "left")
    )
    if ids is None:
        inner = asked.subquery()
        number, total = connection.execute(select(func.count(), func.sum(inner.c.health)).select_from(inner)).one()
        return number, total or 0.0
    found = [row[1] for some in _among(connection, asked, ids) for row in some]
    return len(found), sum(found)


def ends(
    connection: Connection, since: float, until: float, ids: Collection[str] | None = None
) -> Iterator[list[Ends]]:
    """How those were before and after who have rows of the ledger in (since, until]; some thousand at a time."""
    first, last = aliased(ledger, name="first"), aliased(ledger, name="last")
    inside = and_(ledger.c.account == accounts.c.id, ledger.c.at > since, ledger.c.at <= until)
    asked = (
        select(accounts.c.id, *_columns(first), *_columns(last))
        .select_from(accounts)
        .outerjoin(profiles, profiles.c.account == accounts.c.id)
        .outerjoin(first, and_(first.c.partition == accounts.c.partition, first.c.sequence == _last(since)))
        .join(last, and_(last.c.partition == accounts.c.partition, last.c.sequence == _last(until)))
        .where(profiles.c.merged_into.is_(None), select(ledger.c.at).where(inside).correlate(accounts).exists())
    )
    width = len(_columns(first))
    for some in _among(connection, asked, ids):
        both = [(row[0], row[1 : 1 + width], row[1 + width :]) for row in some]
        yield [Ends(key, None if one[0] is None else _of(one), _of(other)) for key, one, other in both]


def names(connection: Connection, ids: Collection[str]) -> Mapping[str, str]:
    """What people call these accounts, where that is known."""
    asked = select(profiles.c.account, func.coalesce(profiles.c.name, profiles.c.domain))
    found = connection.execute(asked.where(profiles.c.account.in_(list(ids)))).all()
    return {key: name for key, name in found if name}


def facts(connection: Connection) -> list[tuple[str, str, dict[str, Any]]]:
    """Every account with its facts as JSON, and what its profile says in columns of its own."""
    told = ("name", "domain", "owner", "owner_email", "renewal_on", "mrr", "currency")
    asked = (
        select(accounts.c.id, accounts.c.band, profiles.c.facts, *(profiles.c[name] for name in told))
        .select_from(accounts.outerjoin(profiles, profiles.c.account == accounts.c.id))
        .where(profiles.c.merged_into.is_(None))
    )
    return [
        (row[0], row[2] or "{}", {"band": row[1], **dict(zip(told, row[3:], strict=True))})
        for row in connection.execute(asked)
    ]


def _among(connection: Connection, asked: Select[Any], ids: Collection[str] | None) -> Iterator[Sequence[Any]]:
    """Rows of these accounts, whose id comes first in each; some thousand at a time."""
    if ids is not None and len(ids) <= _FEW:
        yield connection.execute(asked.where(accounts.c.id.in_(list(ids)))).all()
        return
    wanted = None if ids is None else frozenset(ids)
    for some in connection.execute(asked.execution_options(yield_per=_CHUNK)).partitions():
        yield some if wanted is None else [row for row in some if row[0] in wanted]


def _last(moment: float) -> ScalarSelect[Any]:
    """The sequence of an account's last row up to a moment; its rows are all in its own partition."""
    mine = ledger.alias("mine")
    return (
        select(mine.c.sequence)
        .where(mine.c.account == accounts.c.id, mine.c.at <= moment)
        .order_by(mine.c.at.desc(), mine.c.sequence.desc())
        .limit(1)
        .correlate(accounts)
        .scalar_subquery()
    )


def _columns(table: Any) -> list[Any]:
    told = case((table.c.parts.is_(None), table.c.message))
    names = ("account", "partition", "sequence", "at", "health", "was", "band", "was_band", "parts")
    return [*(table.c[name] for name in names), told.label("message")]


def _whole(account: str) -> Select[Any]:
    columns = [*_columns(ledger)[:-1], ledger.c.message]
    return select(*columns).where(ledger.c.account == account).order_by(*_NEWEST)


def _of(row: Any) -> Kept:
    account, partition, sequence, at_, health, was, band, was_band, parts, message = row
    parts = None if parts is None else bytes(parts)
    return Kept(account, partition, sequence, at_, health, was, band, was_band, parts, bytes(message or b""))
