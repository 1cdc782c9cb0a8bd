"""Is everything flowing? What left, what could not, and when each connection was last heard of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from sqlalchemy import Connection, Row, and_, func, or_, select

from hub.store.questions import paging
from hub.store.schema import alerts, archive, dead_letters, desired, destinations, offsets, receipts

DAY = 86_400.0
_REFUSED = 2  # what `destinations.paused` holds when our key was refused, not a person paused it
_RECENT = 5_000  # newest events that rates are read from


@dataclass(frozen=True, slots=True)
class Heard:
    """What the newest events say of a connection: the last arrival and events a minute."""

    last_at: float
    per_minute: float


@dataclass(slots=True)
class Destination:
    """How one destination does.

    Attributes:
        paused: nothing is pushed; `refused` says that it was not a person who paused it: our key was refused.
        shape: what it takes; None until there was something for it.
        states: records (fields) and alerts by state: due, pending, shown or sent, rejected, absent.
        outcomes: attempts of the last 24 hours by outcome.
        last_ok_at: unix seconds of the last success among them; `took` is what one took on average, in seconds.
    """

    sink: str
    shape: Literal["fields", "alerts"] | None = None
    paused: bool = False
    refused: bool = False
    reason: str | None = None
    open_until: float = 0.0
    failures: int = 0
    states: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    last_ok_at: float | None = None
    took: float | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """One attempt at one delivery. `took` is seconds; `fields` JSON of what was written."""

    id: int
    at: float
    sink: str
    account: str
    key: str
    outcome: str
    reason: str | None
    attempt: int
    took: float
    fields: str


@dataclass(frozen=True, slots=True)
class Letter:
    """What could not be taken, and why. `context` is JSON."""

    id: str
    at: float
    stage: str
    connection: str
    reason: str
    version: str
    context: str
    body: bytes
    state: str


_RECEIPT = [receipts.c[f.name] for f in fields(Receipt)]
_LETTER = [dead_letters.c[f.name] for f in fields(Letter)]


def heard(connection: Connection, now: float) -> dict[str, Heard]:
    """Connections among the newest events, by name."""
    recent = (
        select(archive.c.connection, archive.c.received_at).order_by(archive.c.row.desc()).limit(_RECENT).subquery()
    )
    asked = select(
        recent.c.connection,
        func.max(recent.c.received_at),
        func.min(recent.c.received_at),
        func.count(),
        func.sum((recent.c.received_at > now - 60.0).cast(offsets.c.partition.type)),
    ).group_by(recent.c.connection)
    found = {}
    for name, last, first, number, minute in connection.execute(asked):
        full = number == minute and last > first  # a minute does not fit into the window
        found[name] = Heard(last, number * 60.0 / (last - first) if full else float(minute))
    return found


def every_destination(connection: Connection, now: float) -> list[Destination]:
    """Every destination that was ever used, by name."""
    found = {one.sink: one for one in standing(connection)}
    day = (
        select(receipts.c.sink, receipts.c.outcome, func.count(), func.max(receipts.c.at), func.avg(receipts.c.took))
        .where(receipts.c.at > now - DAY)
        .group_by(receipts.c.sink, receipts.c.outcome)
    )
    for sink, outcome, number, last, took in connection.execute(day):
        one = found.setdefault(sink, Destination(sink))
        one.outcomes[outcome] = number
        if outcome == "ok":
            one.last_ok_at, one.took = last, took
    return sorted(found.values(), key=lambda one: one.sink)


def standing(connection: Connection) -> list[Destination]:
    """The same without attempts, which there may be very many of: what is paused, and what waits."""
    found: dict[str, Destination] = {}

    def of(sink: str) -> Destination:
        return found.setdefault(sink, Destination(sink))

    for row in connection.execute(select(destinations)):
        one = of(row.sink)
        one.paused, one.refused, one.reason = bool(row.paused), row.paused == _REFUSED, row.reason
        one.open_until, one.failures = row.open_until, row.failures
    shapes: tuple[Literal["fields", "alerts"], ...] = ("fields", "alerts")
    for table, shape in zip((desired, alerts), shapes, strict=True):
        for sink, state, number in connection.execute(
            select(table.c.sink, table.c.state, func.count()).group_by(table.c.sink, table.c.state)
        ):
            of(sink).shape, states = shape, of(sink).states
            states[state] = states.get(state, 0) + number
    return sorted(found.values(), key=lambda one: one.sink)


def receipt_list(
    connection: Connection,
    *,
    limit: int,
    sink: str | None = None,
    account: str | None = None,
    failed: bool = False,
    cursor: str | None = None,
) -> tuple[list[Receipt], str | None]:
    """Attempts, newest first, and the cursor of what is older; None at the end.

    Raises:
        CursorError: not a cursor of ours.
    """
    asked = select(*_RECEIPT).order_by(receipts.c.at.desc(), receipts.c.id.desc()).limit(limit + 1)
    if sink:
        asked = asked.where(receipts.c.sink == sink)
    if account:
        asked = asked.where(receipts.c.account == account)
    if failed:
        asked = asked.where(receipts.c.outcome.in_(("retry", "reject")))
    if cursor is not None:
        at, last = paging.decode(cursor, "receipts")
        if isinstance(at, str) or not last.isdecimal():
            raise paging.CursorError("this cursor was not given by this API")
        asked = asked.where(or_(receipts.c.at < at, and_(receipts.c.at == at, receipts.c.id < int(last))))
    found = [Receipt(**row._mapping) for row in connection.execute(asked)]  # noqa: SLF001 - SQLAlchemy's public name
    rows = found[:limit]
    more = len(found) > limit
    return rows, paging.encode("receipts", rows[-1].at, str(rows[-1].id)) if more else None


def shown(connection: Connection, account: str) -> Sequence[Row[Any]]:
    """What each destination should show of an account, and what it shows."""
    return connection.execute(select(desired).where(desired.c.account == account).order_by(desired.c.sink)).all()


def told(connection: Connection, account: str, limit: int = 20) -> Sequence[Row[Any]]:
    """Alerts about an account, newest first."""
    return connection.execute(
        select(alerts).where(alerts.c.account == account).order_by(alerts.c.at.desc()).limit(limit)
    ).all()


def letters(
    connection: Connection,
    *,
    limit: int,
    state: str | None = None,
    source: str | None = None,
    cursor: str | None = None,
) -> tuple[list[Letter], str | None]:
    """Dead letters, newest first, and the cursor of what is older; None at the end.

    Raises:
        CursorError: not a cursor of ours.
    """
    asked = select(*_LETTER).order_by(dead_letters.c.at.desc(), dead_letters.c.id).limit(limit + 1)
    if state:
        asked = asked.where(dead_letters.c.state == state)
    if source:
        asked = asked.where(dead_letters.c.connection == source)
    if cursor is not None:
        at, last = paging.decode(cursor, "letters")
        if isinstance(at, str):
            raise paging.CursorError("this cursor was not given by this API")
        asked = asked.where(or_(dead_letters.c.at < at, and_(dead_letters.c.at == at, dead_letters.c.id > last)))
    found = [Letter(**row._mapping) for row in connection.execute(asked)]  # noqa: SLF001 - SQLAlchemy's public name
    rows = found[:limit]
    more = len(found) > limit
    return rows, paging.encode("letters", rows[-1].at, rows[-1].id) if more else None


def letter(connection: Connection, key: str) -> Letter | None:
    """One dead letter with its bytes."""
    row = connection.execute(select(*_LETTER).where(dead_letters.c.id == key)).first()
    return Letter(**row._mapping) if row else None  # noqa: SLF001 - SQLAlchemy's public name


def letters_by_connection(connection: Connection) -> dict[str, int]:
    """Open dead letters, counted."""
    asked = (
        select(dead_letters.c.connection, func.count())
        .where(dead_letters.c.state == "open")
        .group_by(dead_letters.c.connection)
    )
    return {row[0]: row[1] for row in connection.execute(asked)}
