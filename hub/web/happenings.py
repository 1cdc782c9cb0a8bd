"""A timeline people can read: many of one kind in a row become one line, by day, with what each did to health. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from hub.sdk.events import Event
from hub.store.questions.account import Entry, Happening
from hub.web import words

ABOUT: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "support": ("Support", ("ticket", "csat")),
    "billing": ("Billing", ("invoice", "subscription", "refund", "dispute", "trial")),
    "adoption": ("Product", ("usage", "session", "milestone")),
    "relationship": ("People", ("meeting", "email", "note", "survey", "contact")),
    "account": ("Account", ("account", "owner", "opportunity", "contract", "health")),
}
"""What a timeline can be narrowed to: name in the URL -> word, subjects of kinds. Dimensions lead here, too."""

_DIMENSIONS: Final = {"sentiment": "relationship", "usage": "adoption", "commercial": "billing"}
_FOLDED: Final = frozenset({"usage", "session"})  # kinds that say something only by their number
_QUIET: Final = frozenset(
    {"name", "contact_name", "email", "domain", "external_id", "owner_email", "parent", "status", "subject", "event"}
)
_MOST_FACTS: Final = 4
_LONG: Final = 60


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a timeline: `number` events of one kind, the newest at `at`, with all their effect on health."""

    at: float
    what: str
    subject: str
    number: int
    who: str
    text: str
    money: str
    facts: Sequence[tuple[str, str]]
    source: str
    effect: float
    anchor: str


@dataclass(slots=True)
class Day:
    """A day's lines, newest first."""

    name: str
    lines: list[Line] = field(default_factory=list)


def about(dimension: str) -> str | None:
    """The part of the timeline that a dimension of health is about.

    >>> about("support"), about("sentiment"), about("")
    ('support', 'relationship', None)
    """
    name = _DIMENSIONS.get(dimension, dimension)
    return name if name in ABOUT else None


def effects(entries: Iterable[Entry]) -> dict[str, float]:
    """Event -> points of the change of health it caused; shared evenly among the causes of one change."""
    found: dict[str, float] = {}
    for entry in entries:
        health = entry.health
        if health.was is None or not health.causes:
            continue
        part = (health.health - health.was) / len(health.causes)
        for cause in health.causes:
            found[cause] = found.get(cause, 0.0) + part
    return found


def timeline(happened: Sequence[Happening], effect: Mapping[str, float], now: float) -> list[Day]:
    """Days of lines, newest first."""
    days: list[Day] = []
    for _, group in groupby(happened, key=_alike):
        same = list(group)
        line = _line(same, sum(effect.get(one.event.id, 0.0) for one in same))
        name = words.day(line.at, now)
        if not days or days[-1].name != name:
            days.append(Day(name))
        days[-1].lines.append(line)
    return days


def _alike(one: Happening) -> tuple[object, ...]:
    subject = one.event.kind.split(".", 1)[0]
    if subject in _FOLDED:
        return (one.event.kind, one.event.properties.get("event"), one.event.occurred_at.date())
    return (one.row,)


def _line(same: Sequence[Happening], effect: float) -> Line:
    event = same[0].event
    people = sorted({str(who) for one in same if (who := one.event.properties.get("contact_name"))})
    return Line(
        at=event.occurred_at.timestamp(),
        what=_what(event),
        subject=event.kind.split(".", 1)[0],
        number=len(same),
        who=people[0] if len(people) == 1 else words.plural(len(people), "person", "people") if people else "",
        text=event.text or str(event.properties.get("subject") or ""),
        money=words.money(float(event.amount), event.currency) if event.amount is not None else "",
        facts=_facts(event) if len(same) == 1 else (),
        source=event.connection,
        effect=effect,
        anchor=f"e{same[0].row}",
    )


def _what(event: Event) -> str:
    """Named product events by their name, all else by its kind."""
    named = event.properties.get("event") if event.kind == "usage.tracked" else None
    return str(named)[:_LONG] if named else words.kind(event.kind)


def _facts(event: Event) -> Sequence[tuple[str, str]]:
    found = [("rating", f"{event.value:g}")] if event.value is not None and "rated" in event.kind else []
    found += [
        (name.replace("_", " "), text if len(text) <= _LONG else f"{text[:_LONG]}…")
        for name, value in event.properties.items()
        if name not in _QUIET
        and value is not None
        and (text := str(value))
        and not text.startswith(f"{event.connection}:")
    ]
    return found[:_MOST_FACTS]
