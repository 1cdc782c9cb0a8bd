"""How is this customer, and why? Everything kept about one account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, or_, select

from hub.sdk.events import Event
from hub.sdk.health import Health
from hub.store.family import family
from hub.store.questions import paging
from hub.store.schema import accounts, archive, contacts, entities, labels, ledger, links, merges, profiles

_KEPT = 3  # a fact is kept as [when, event id, value]
_events = msgspec.json.Decoder(Event)
_healths = msgspec.json.Decoder(Health)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at the customer. `facts` are the newest values the vendors gave."""

    reference: str
    name: str | None
    email: str | None
    last_seen_at: float
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Thing:
    """An entity's last state: a ticket, a subscription, an invoice, an opportunity; the newest value of each fact."""

    reference: str
    kind: str
    state: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger."""

    partition: int
    sequence: int
    at: float
    health: Health


@dataclass(frozen=True, slots=True)
class Happening:
    """One applied event; `row` orders those of one moment."""

    row: int
    event: Event


def resolve(connection: Connection, reference: str) -> str | None:
    """Our id of an account, given that or any vendor's reference; merged ones lead to their survivor."""
    found = connection.scalar(select(accounts.c.id).where(accounts.c.id == reference))
    found = found or connection.scalar(select(links.c.account).where(links.c.reference == reference))
    found = found or connection.scalar(select(merges.c.absorbed).where(merges.c.absorbed == reference))
    passed: set[str] = set()
    while found and found not in passed:
        passed.add(found)
        survivor = connection.scalar(select(merges.c.survivor).where(merges.c.absorbed == found))
        if survivor is None:
            return str(found) if connection.scalar(select(accounts.c.id).where(accounts.c.id == found)) else None
        found = survivor
    return None


def references(connection: Connection, account: str) -> list[str]:
    """Every reference by which vendors know this account, in order."""
    asked = select(links.c.reference).where(links.c.account == account).order_by(links.c.reference)
    return list(connection.scalars(asked))


def facts(connection: Connection, account: str) -> dict[str, Any]:
    """The newest value of each fact about the account."""
    found = connection.scalar(select(profiles.c.facts).where(profiles.c.account == account))
    return _newest(found)


def people(connection: Connection, account: str, limit: int = 100) -> list[Person]:
    """Who is there, last seen first."""
    asked = (
        select(contacts.c.reference, contacts.c.name, contacts.c.email, contacts.c.last_seen_at, contacts.c.facts)
        .where(contacts.c.account == account)
        .order_by(contacts.c.last_seen_at.desc(), contacts.c.reference)
        .limit(limit)
    )
    return [Person(r.reference, r.name, r.email, r.last_seen_at, _newest(r.facts)) for r in connection.execute(asked)]


def things(connection: Connection, account: str, limit: int = 500) -> list[Thing]:
    """Tickets, subscriptions, invoices, opportunities, as they were last."""
    asked = (
        select(entities.c.reference, entities.c.kind, entities.c.state)
        .where(entities.c.account == account)
        .order_by(entities.c.kind, entities.c.reference)
        .limit(limit)
    )
    return [Thing(r.reference, r.kind, _latest(_object(bytes(r.state)))) for r in connection.execute(asked)]


def entries(
    connection: Connection,
    account: str,
    *,
    limit: int,
    since: float | None = None,
    cursor: str | None = None,
) -> tuple[list[Entry], str | None]:
    """The ledger, newest first, and the cursor of what is older; None at the end.

    Raises:
        CursorError: not a cursor of ours.
    """
    asked = (
        select(ledger.c.partition, ledger.c.sequence, ledger.c.at, ledger.c.message)
        .where(ledger.c.account == account)
        .order_by(ledger.c.at.desc(), ledger.c.sequence.desc())
        .limit(limit + 1)
    )
    if since is not None:
        asked = asked.where(ledger.c.at >= since)
    if cursor is not None:
        at, last = _place(cursor, "ledger")
        asked = asked.where(or_(ledger.c.at < at, and_(ledger.c.at == at, ledger.c.sequence < last)))
    found = [Entry(r.partition, r.sequence, r.at, _healths.decode(bytes(r.message))) for r in connection.execute(asked)]
    rows = found[:limit]
    more = len(found) > limit
    return rows, paging.encode("ledger", rows[-1].at, str(rows[-1].sequence)) if more else None


def happenings(
    connection: Connection,
    account: str,
    *,
    limit: int,
    subjects: Sequence[str] = (),
    cursor: str | None = None,
) -> tuple[list[Happening], str | None]:
    """What happened, newest first, and the cursor of what is older; None at the end.

    `subjects` are first parts of kinds (`ticket`, `invoice`); none means all.

    Raises:
        CursorError: not a cursor of ours.
    """
    asked = (
        select(archive.c.row, archive.c.body, archive.c.occurred_at)
        .where(_told(connection, account))
        .order_by(archive.c.occurred_at.desc(), archive.c.row.desc())
        .limit(limit + 1)
    )
    if subjects:
        asked = asked.where(or_(*(archive.c.kind.startswith(f"{s}.", autoescape=True) for s in subjects)))
    if cursor is not None:
        at, last = _place(cursor, "events")
        asked = asked.where(_older(at, last))
    found = connection.execute(asked).all()
    rows = [Happening(r.row, _events.decode(bytes(r.body))) for r in found[:limit]]
    if len(found) <= limit:
        return rows, None
    edge = found[limit - 1]
    return rows, paging.encode("events", edge.occurred_at, str(edge.row))


def causes(connection: Connection, account: str, ids: Sequence[str]) -> dict[str, Event]:
    """The events with these ids, as far as the archive still has them."""
    if not ids:
        return {}
    asked = select(archive.c.event, archive.c.body).where(_told(connection, account), archive.c.event.in_(ids))
    return {r.event: _events.decode(bytes(r.body)) for r in connection.execute(asked)}


def outcomes_learned(connection: Connection) -> int:
    """How many customers' outcomes have matured so far, up to a thousand: more says no more."""
    return len(connection.execute(select(labels.c.account).limit(1_000)).all())


def _told(connection: Connection, account: str) -> ColumnElement[bool]:
    whole = family(connection, account)
    return archive.c.account == account if len(whole) == 1 else archive.c.account.in_(whole)  # `=` comes in order


def _older(at: float, last: int) -> ColumnElement[bool]:
    return or_(archive.c.occurred_at < at, and_(archive.c.occurred_at == at, archive.c.row < last))


def _place(cursor: str, order: str) -> tuple[float, int]:
    at, last = paging.decode(cursor, order)
    if isinstance(at, str) or not last.isdecimal():
        raise paging.CursorError("this cursor was not given by this API")
    return at, int(last)


def _object(text: bytes | str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _latest(state: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they are, without the times that order them."""
    return {name: kept[2] if isinstance(kept, list) and len(kept) == _KEPT else kept for name, kept in state.items()}


def _newest(text: bytes | str | None) -> dict[str, Any]:
    """Facts are kept as name -> [when, event id, value]."""
    found = {}
    for name, kept in _object(text or b"{}").items():
        match kept:
            case [_, _, value]:
                found[name] = value
    return found
