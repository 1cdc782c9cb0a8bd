"""What if these two tickets were solved and that invoice paid? Asked of the production scorer; nothing is written.

Either values are given by hand, or events that have not happened are folded into a copy of the account's row as if they
just had; both may be combined, and what is given by hand wins.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Final
from urllib.parse import parse_qsl

from sqlalchemy import Connection, select

from hub import Event, HubError
from hub.store import schema
from scoring import archive
from scoring.arrays import Floats
from scoring.config import Measure
from scoring.entities import KINDS, Things
from scoring.explaining.levers import follow
from scoring.families.days import ACTIVE
from scoring.measures import MeasureSet
from scoring.standing import Standing

MOST_EVENTS: Final = 100
_MOST: Final = 1e12
_SIGNED: Final = ("last", "sum", "date", "ratio", "gauge", "exact")  # of these a value below 0 means something
_CLOSING: Final = (
    "ticket.solved",
    "ticket.escalated",
    "invoice.paid",
    "subscription.cancelled",
    "subscription.changed",
)
_ABOUT_THINGS: Final = (
    *("ticket.opened", "ticket.solved", "ticket.reopened", "ticket.escalated", "invoice.overdue", "invoice.paid"),
    *("subscription.started", "subscription.changed", "subscription.cancelled"),
    *("opportunity.updated", "opportunity.won", "opportunity.lost"),
)
_MOMENT: Final = 1e-3
_OURS: Final = "what-if"
_UNKNOWN: Final = ("unknown", "")


class AskedWrongError(HubError):
    """What was asked cannot be: the message says why, and what could."""


@dataclass(frozen=True, slots=True)
class Supposed:
    """What an account would measure.

    Attributes:
        values: (1, M).
        by_hand: (1,) the health that a person set, NaN where nobody did.
        given: columns that were given by hand.
    """

    values: Floats
    by_hand: Floats
    given: frozenset[int]


@dataclass(frozen=True, slots=True)
class Question:
    """What is supposed.

    Attributes:
        values: measure -> value; None or `unknown`: nothing would be known of it.
        events: kinds that would have happened, in order; with properties, `ticket.opened?priority=urgent`.
    """

    values: Mapping[str, str | float | None]
    events: Sequence[str] = ()


def suppose(connection: Connection, standing: Standing, measures: MeasureSet, question: Question) -> Supposed:
    """What an account's measures would read.

    Args:
        connection: to the tickets, invoices, ... it has.
        standing: how it is.
        measures: to fold events with.
        question: what is supposed.

    Raises:
        AskedWrongError: there is no such measure, no such kind counts, or a value makes no sense.
    """
    given = {_place(measures, name): value for name, value in question.values.items()}
    row = standing.row.copy()
    if question.events:
        events = _events(connection, standing, measures, question.events)
        things = Things(measures.holdings.sums, measures.holdings.oldest)
        things.load(connection, events, [standing.account] * len(events))
        archive.fold(measures, row, events, standing.account, things)
    values = measures.read(row, standing.at) if question.events else standing.values.copy()
    for place, value in given.items():
        values[0, place] = checked(measures.measures[place], value)
    follow(measures.measures, standing.values[0], values, tuple(given), solved=False)
    return Supposed(values, measures.set_by_hand(row, standing.at), frozenset(given))


def checked(measure: Measure, value: str | float | None) -> float:
    """A value somebody gave for a measure.

    Raises:
        AskedWrongError: it is no number, or none that the measure could read.
    """
    if value is None or (isinstance(value, str) and value.strip().lower() in _UNKNOWN):
        return math.nan
    try:
        number = float(value)
    except ValueError:
        raise AskedWrongError(
            f"{measure.name}: {str(value)[:40]!r} is no number; `unknown` is one more choice"
        ) from None
    if not math.isfinite(number) or abs(number) > _MOST:
        raise AskedWrongError(f"{measure.name}: {number:g} is no number anybody measures")
    if number < 0.0 and measure.family not in _SIGNED:
        raise AskedWrongError(f"{measure.name}: {number:g} is less than nothing")
    if measure.family == "entities" and measure.read in ("open", "urgent") and number != int(number):
        raise AskedWrongError(f"{measure.name} counts whole things: {number:g} is none")
    if measure.family == "active_days" and number > ACTIVE:
        raise AskedWrongError(f"{measure.name} is of the last {ACTIVE} days: {number:g} is too many")
    return number


def known_kinds(measures: Sequence[Measure]) -> list[str]:
    """Kinds of events that change one of these measures."""
    things = {measure.entity for measure in measures}
    found = {kind for measure in measures for kind in measure.kinds}
    return sorted(found | {kind for kind in _ABOUT_THINGS if kind.partition(".")[0] in things})


def _place(measures: MeasureSet, name: str) -> int:
    names = [measure.name for measure in measures.measures]
    if name in names:
        return names.index(name)
    raise AskedWrongError(f"there is no measure {name[:60]!r}{_meant(name, names)}; there are {', '.join(names)}")


def _meant(said: str, known: Sequence[str]) -> str:
    near = get_close_matches(said, known, 1)
    return f" (do you mean {near[0]}?)" if near else ""


def _events(connection: Connection, standing: Standing, measures: MeasureSet, said: Sequence[str]) -> list[Event]:
    """Events that have not happened, a moment after all that has."""
    if len(said) > MOST_EVENTS:
        raise AskedWrongError(f"at most {MOST_EVENTS} events can be supposed at once")
    kinds, still = known_kinds(measures.measures), _open(connection, standing.account)
    at = datetime.fromtimestamp(max(standing.at, float(standing.row["newest"][0])) + _MOMENT, UTC)
    found = []
    for number, one in enumerate(said):
        kind, _, query = one.partition("?")
        kind = kind.strip()
        if kind not in kinds:
            raise AskedWrongError(
                f"{kind[:60]!r} changes no measure{_meant(kind, kinds)}; these do: {', '.join(kinds)}"
            )
        told = dict(parse_qsl(query, max_num_fields=20))
        amount, value = _money(told.pop("amount", None)), _number(told.pop("value", None))
        found.append(
            Event(
                id=f"{_OURS}:{number}",
                kind=kind,
                account=standing.account,
                connection=_OURS,
                entity=told.pop("entity", None) or _entity(kind, number, still),
                occurred_at=at,
                amount=amount,
                currency=told.pop("currency", "USD") if amount is not None else None,
                value=value,
                properties=dict(told),
            )
        )
    return found


def _entity(kind: str, number: int, still: Mapping[str, list[str]]) -> str | None:
    """The thing an event is about: a new one, or the first that is still open."""
    subject = kind.partition(".")[0]
    if kind not in _CLOSING or (kind == "invoice.paid" and not still.get(subject)):  # most are paid in time
        return f"{_OURS}:{subject}:{number}" if subject in KINDS else None
    if not still.get(subject):
        raise AskedWrongError(f"{kind}: no {subject} is open" + (" any more" if number else ""))
    return still[subject].pop(0)


def _open(connection: Connection, account: str) -> dict[str, list[str]]:
    """References of what is open, by kind: urgent tickets first, then the oldest."""
    things = schema.entities
    asked = select(things.c.kind, things.c.reference, things.c.state).where(
        things.c.account == account, things.c.open_since.is_not(None)
    )
    found: dict[str, list[str]] = {}
    rows = connection.execute(asked.order_by(things.c.open_since, things.c.reference)).all()
    for row in sorted(rows, key=lambda row: b'"urgent"' not in bytes(row.state)):
        found.setdefault(row.kind, []).append(row.reference)
    return found


def _money(said: str | None) -> Decimal | None:
    if said is None:
        return None
    try:
        amount = Decimal(said)
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite() or abs(amount) > Decimal(_MOST):
        raise AskedWrongError(f"amount: {said[:40]!r} is no amount of money")
    return amount


def _number(said: str | None) -> float | None:
    if said is None:
        return None
    try:
        number = float(said)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or abs(number) > _MOST:
        raise AskedWrongError(f"value: {said[:40]!r} is no number anybody measures")
    return number
