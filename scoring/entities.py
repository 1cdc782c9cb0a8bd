"""The things an account has: tickets, subscriptions, invoices, opportunities, each in its last state.

Each part of a state (is it open, how urgent, what is it worth) is what the newest event that speaks of it said, by
(time, id): a total order, so late and reordered events give the same state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from sqlalchemy import Connection, select

from hub import Event
from hub.store import schema
from hub.store.among import Among
from hub.store.upserts import insert
from scoring.arrays import Floats
from scoring.batch import Changes
from scoring.config import Measure
from scoring.families.entities import THOUSANDTHS

KINDS: Final = ("ticket", "subscription", "invoice", "opportunity")
OPEN, PAUSED, CLOSED = "open", "paused", "closed"
_STATUS: Final = {
    "ticket.opened": OPEN,
    "ticket.reopened": OPEN,
    "ticket.solved": CLOSED,
    "subscription.started": OPEN,
    "subscription.resumed": OPEN,
    "subscription.paused": PAUSED,
    "subscription.cancelled": CLOSED,
    "invoice.overdue": OPEN,
    "invoice.paid": CLOSED,
    "opportunity.updated": OPEN,
    "opportunity.won": CLOSED,
    "opportunity.lost": CLOSED,
}
_WORTH: Final = frozenset(
    ["subscription.started", "subscription.changed", "subscription.resumed"]
    + [f"invoice.{what}" for what in ("paid", "failed", "overdue")]
    + [f"opportunity.{what}" for what in ("updated", "won", "lost")]
)
TOUCHING: Final = _STATUS.keys() | _WORTH | {"ticket.escalated"}
"""Kinds of events that change a thing, whatever else they say."""
_URGENT: Final = "urgent"
_T: Final = schema.entities.c
_KNOWN: Final = Among(select(_T.account, _T.reference, _T.state), _T.account, _T.reference)
_OPEN: Final = Among(
    select(_T.account, _T.reference, _T.kind, _T.open_since).where(_T.open_since.is_not(None)), _T.account
)
Key = tuple[str, str]
"""Account and reference."""


class Entity(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing's last state. Each part is (time, event id, what it said).

    Attributes:
        kind: one of `KINDS`.
        status: `open`, `paused` or `closed`.
        priority: a ticket's.
        amount: money, in `currency`.
        currency: of the amount.
    """

    kind: str
    status: tuple[float, str, str] | None = None
    priority: tuple[float, str, str] | None = None
    amount: tuple[float, str, float] | None = None
    currency: str | None = None

    @property
    def open_since(self) -> float | None:
        """When it was last opened, None unless it is open. Known by a change alone, a ticket or subscription is."""
        if self.status is None:
            said = self.priority or self.amount
            return said[0] if said and self.kind in ("ticket", "subscription") else None
        return self.status[0] if self.status[2] == OPEN else None

    @property
    def told(self) -> float:
        """When the newest of its parts was told, unix seconds; 0: none was."""
        return max((part[0] for part in (self.status, self.priority, self.amount) if part is not None), default=0.0)


def kind_of(event: Event) -> str | None:
    """Which kind of thing an event is about; None if it says nothing of one."""
    if event.entity is None or (event.kind not in TOUCHING and "priority" not in event.properties):
        return None
    parts = event.entity.split(":")
    named = parts[1] if len(parts) > 2 else ""  # noqa: PLR2004 - connection:kind:id
    found = named if named in KINDS else event.kind.partition(".")[0]
    return found if found in KINDS else None


def after(entity: Entity | None, event: Event, kind: str) -> Entity:
    """A thing's state once this event is known too, whatever was known before."""
    was, at = entity or Entity(kind), event.occurred_at.timestamp()
    status, priority, amount, currency = was.status, was.priority, was.amount, was.currency
    if (said := _STATUS.get(event.kind)) is not None:
        status = max(status, (at, event.id, said)) if status else (at, event.id, said)
    word = event.properties.get("priority") or (_URGENT if event.kind == "ticket.escalated" else None)
    if kind == "ticket" and isinstance(word, str):
        said_now = (at, event.id, word.lower())
        priority = max(priority, said_now) if priority else said_now
    if event.amount is not None and event.kind in _WORTH:
        worth = (at, event.id, float(event.amount))
        if amount is None or worth > amount:
            amount, currency = worth, event.currency
    return Entity(was.kind, status, priority, amount, currency)


def counts(entity: Entity | None, measure: Measure) -> float:
    """What a thing adds to a measure of things of its kind: nothing unless it is there and open."""
    if entity is None or entity.open_since is None:
        return 0.0
    match measure.read:
        case "open":
            return 1.0
        case "urgent":
            return float(entity.priority is not None and entity.priority[2] == _URGENT)
        case _:
            return float(round(entity.amount[2] * THOUSANDTHS)) if entity.amount else 0.0


class Things:
    """The things that a batch may change, held while its step runs.

    Args:
        measures: of entities, those that add up.
        oldest: of entities, those of the oldest open.
    """

    def __init__(self, measures: Sequence[Measure], oldest: Sequence[Measure]) -> None:
        self._width = len(measures)
        self._counted: dict[str | None, list[tuple[int, Measure]]] = {}
        for column, measure in enumerate(measures):
            self._counted.setdefault(measure.entity, []).append((column, measure))
        self._oldest = oldest
        self._aging = {measure.entity for measure in oldest}
        self._known: dict[Key, Entity] = {}
        self._open: dict[tuple[str, str], dict[str, float]] = {}
        self.changed: dict[Key, Entity] = {}

    def load(self, connection: Connection, events: Iterable[Event], accounts: Iterable[str]) -> None:
        """Read what these events may change; a few queries for all of them."""
        kinds = {
            (account, event.entity): kind
            for event, account in zip(events, accounts, strict=True)
            if event.entity is not None and (kind := kind_of(event)) is not None
        }
        for row in _KNOWN.rows(connection, kinds):
            self._known[row.account, row.reference] = decode(row.state)
        for row in _OPEN.rows(connection, {account for (account, _), kind in kinds.items() if kind in self._aging}):
            self._open.setdefault((row.account, row.kind), {})[row.reference] = row.open_since

    def change(self, events: Sequence[Event], accounts: Sequence[str], order: Sequence[str]) -> Changes | None:
        """Take events in; the differences they make to accounts in this order. None if they are about no thing."""
        before: dict[Key, Entity | None] = {}
        for event, account in zip(events, accounts, strict=True):
            if event.entity is not None and (kind := kind_of(event)) is not None:
                key = (account, event.entity)
                before.setdefault(key, self._known.get(key))
                self._known[key] = self.changed[key] = after(self._known.get(key), event, kind)
        if not before:
            return None
        places = {account: place for place, account in enumerate(order)}
        differences = np.zeros((len(order), self._width))
        known = np.zeros((len(order), self._width), bool)
        since, told = np.full((len(order), len(self._oldest)), np.nan), np.zeros((len(order), self._width))
        for (account, reference), was in before.items():
            now, place = self._known[account, reference], places[account]
            for column, measure in self._counted.get(now.kind, ()):
                known[place, column] = True
                differences[place, column] += counts(now, measure) - counts(was, measure)
                told[place, column] = max(told[place, column], now.told)
            if now.kind in self._aging:
                self._age(account, reference, now, since[place])
        return Changes(differences, known, since, told)

    def _age(self, account: str, reference: str, entity: Entity, since: Floats) -> None:
        still = self._open.setdefault((account, entity.kind), {})
        still.pop(reference, None)
        if entity.open_since is not None:
            still[reference] = entity.open_since
        for column, measure in enumerate(self._oldest):
            if measure.entity == entity.kind:
                since[column] = min(still.values(), default=np.inf)


def encode(entity: Entity) -> bytes:
    """As table `entities` keeps it."""
    return msgspec.json.encode(entity)


decode: Final = msgspec.json.Decoder(Entity).decode
_INSERT: Final = insert(schema.entities)
UPSERT: Final = _INSERT.on_conflict_do_update(
    index_elements=[schema.entities.c.account, schema.entities.c.reference],
    set_={name: _INSERT.excluded[name] for name in ("kind", "state", "open_since")},
)


def rows(entities: Mapping[Key, Entity]) -> list[tuple[Any, ...]]:
    """Rows of table `entities`."""
    return [(a, r, entity.kind, encode(entity), entity.open_since) for (a, r), entity in entities.items()]
