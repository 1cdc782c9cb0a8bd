"""What would bring it to green, and what if? A form that changes nothing: its address says all that was supposed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from sqlalchemy import Connection

from hub.sdk.health import Band
from hub.store.questions import portfolio
from hub.web import asking
from hub.web.page import Asked, Page, Site
from hub.web.pages.account import find
from hub.web.svg.bars import bars
from scoring.explaining.answers import Answers, Dial, Outcome, Supposed
from scoring.explaining.asked import goal_of
from scoring.explaining.reach import GOALS
from scoring.explaining.what_if import MOST_EVENTS, AskedWrongError, Question
from scoring.explaining.why import BECAUSE

_PREFIX: Final = "m."
_SHOWN: Final = 10
_LEAST: Final = 0.05  # points; shown as 0.1 or more
_LONG: Final = 2_000


@dataclass(frozen=True, slots=True)
class Field:
    """A measure of the form: what stands in it, and whether that was supposed."""

    dial: Dial
    text: str
    usual: str
    given: bool


def view(site: Site, asked: Asked) -> Page:
    """The form, what was supposed, and what would come of it."""
    with asking.reading(site) as connection:
        answers = asking.answers(site)
        key = find(connection, asked.names["reference"])
        row = portfolio.by_ids(connection, [key])[key]
        here = Asked(f"/accounts/{quote(key, safe='')}/what-if", asked.names, asked.query)
        fields = [_field(dial, here.query) for dial in answers.dials(connection, key)]
        supposed, wrong = _supposed(connection, answers, key, fields, here.query)
        goal = _goal(here.query.get("to", ""), row.band)
        reached = answers.reach(connection, key, goal)
    return Page(
        template="what-if.html",
        title=f"What if · {row.title}",
        values={
            "now": site.today(),
            "asked": here,
            "account": Asked(f"/accounts/{quote(key, safe='')}"),
            "row": row,
            "acting": [one for one in fields if one.dial.actionable],
            "others": [one for one in fields if not one.dial.actionable],
            "events": here.query.get("events", "")[:_LONG],
            "kinds": answers.kinds,
            "supposed": supposed,
            "wrong": wrong,
            "reached": reached,
            "goal": goal,
            "goals": GOALS,
            "try_it": _address(here),
            "because": BECAUSE,
            **_shares(supposed.outcome if supposed else None),
        },
        status=400 if wrong else 200,
    )


def _field(dial: Dial, query: Mapping[str, str]) -> Field:
    usual = "" if dial.value is None else f"{dial.value:g}"
    text = query.get(f"{_PREFIX}{dial.name}", usual).strip()[:40]
    return Field(dial, text, usual, text != usual)


def _supposed(
    connection: Connection, answers: Answers, key: str, fields: Sequence[Field], query: Mapping[str, str]
) -> tuple[Supposed | None, str]:
    """What would come of it; or why that cannot be supposed."""
    known = {f"{_PREFIX}{one.dial.name}" for one in fields}
    values: dict[str, str | float | None] = {one.dial.name: one.text for one in fields if one.given}
    values |= {
        name.removeprefix(_PREFIX): text
        for name, text in query.items()
        if name.startswith(_PREFIX) and name not in known
    }
    events = [one.strip() for one in query.get("events", "")[:_LONG].split(",") if one.strip()]
    try:
        return answers.what_if(connection, key, Question(values, events[: MOST_EVENTS + 1])), ""
    except AskedWrongError as error:
        return None, str(error)


def _goal(said: str, band: Band | None) -> Band | float:
    """What was asked for, if it is a goal; else the next better band."""
    try:
        return goal_of(said)
    except AskedWrongError:
        better = [goal for goal in reversed(GOALS) if band not in GOALS or GOALS.index(goal) < GOALS.index(band)]
        return better[0] if better else GOALS[0]


def _address(here: Asked) -> Any:
    """A function that gives the address under which a way is supposed."""

    def address(way: Outcome) -> str:
        changed = {f"{_PREFIX}{one.name}": f"{one.value or 0.0:g}" for one in (*way.steps, *way.follows)}
        goal = {"to": here.query["to"]} if "to" in here.query else {}
        return f"{here.path}?{urlencode(goal | changed)}#result"

    return address


def _shares(outcome: Outcome | None) -> dict[str, Any]:
    shares = [share for share in outcome.shares if abs(share.points) >= _LEAST] if outcome else []
    first = shares[:_SHOWN]
    rest = sum(share.points for share in outcome.shares) - sum(share.points for share in first) if outcome else 0.0
    return {
        "shares": first,
        "rest": rest if abs(rest) >= _LEAST else 0.0,
        "bar": bars([*(share.points for share in first), rest]),
    }
