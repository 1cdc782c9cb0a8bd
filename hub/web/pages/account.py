"""How is this customer, since when, how sure are we, and why?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, unquote

import msgspec
from sqlalchemy import Connection

from hub.sdk.health import Health
from hub.store.questions import account, movement, portfolio, tree, way
from hub.store.questions.paging import CursorError, encode
from hub.web import asking, happenings, words
from hub.web.context import Explanation
from hub.web.page import Asked, Page, Site
from hub.web.refusal import RefusedError
from hub.web.svg.bars import bars
from hub.web.svg.course import Mark, Point, choose, course
from hub.web.trust import trust
from hub.web.words import DAY
from scoring.explaining.why import BECAUSE
from scoring.value.told import told

TABS: Final = (
    ("timeline", "Timeline"),
    ("measures", "Measures"),
    ("people", "People"),
    ("things", "Tickets and billing"),
    ("deliveries", "Deliveries"),
    ("ledger", "Ledger"),
)
RANGES: Final = (("7", "7 days"), ("30", "30 days"), ("90", "90 days"), ("365", "Year"))
_EVENTS: Final = 60  # lines of a timeline's page
_ENTRIES: Final = 40  # rows of the ledger's
_DRIVERS: Final = 8
_OPEN: Final = ("open", "active", "new", "pending", "overdue", "past_due")
_BESIDE: Final = 0.001  # seconds after a move: a ledger that goes on from there begins with it
_LEAST_MARK: Final = 1.0  # points below which a move is not named on the picture


def find(connection: Connection, reference: str) -> str:
    """Our id of the account that a URL names.

    Raises:
        RefusedError: nobody is known by that reference.
    """
    found = account.resolve(connection, unquote(reference))
    if found is None:
        raise RefusedError(
            404,
            "No customer is known by that reference. It may have been mistyped, or nothing has been heard of it yet.",
            code="unknown_account",
            title="No such customer",
        )
    return found


def view(site: Site, asked: Asked) -> Page:
    """One account."""
    now = site.today()
    tab = _chosen(asked)
    with site.context.database.read() as connection:
        key = find(connection, asked.names["reference"])
        asked = Asked(f"/accounts/{quote(key, safe='')}", asked.names, asked.query)
        row = portfolio.by_ids(connection, [key])[key]
        above = tree.parent(connection, key)
        why = site.context.explain(connection, key)
        weeks = movement.histories(connection, [key], [now - DAY, now - 7 * DAY])[key]
        values: dict[str, Any] = {
            "now": now,
            "wall": site.context.now(),
            "asked": asked,
            "row": row,
            "why": why,
            "health": why.health if why else row.health,
            "band_now": why.band if why else row.band,
            "band_since": movement.band_since(connection, key),
            "day_ago": weeks[0],
            "week_ago": weeks[1],
            "week_start": now - 7 * DAY,
            "trust": trust(why.measures if why else (), why.model_version if why else 0,
                           site.memo.ask("outcomes", lambda: account.outcomes_learned(connection))),
            "facts": _facts(account.facts(connection, key)),
            "references": _names(connection, key),
            "parent": portfolio.by_ids(connection, [above]).get(above) if above else None,
            "parts": list(portfolio.by_ids(connection, tree.parts(connection, key)).values()),
            "shown": way.shown(connection, key),
            "proposal": site.context.next.open(connection, key, now) if site.context.next else None,
            "advises": site.context.next is not None,
            "outlook": why.outlook if why else None,
            "growing": why.outlook.words if why and why.outlook else "",
            "worth": told(connection, key, why.risk if why else row.risk),
            "tab": tab,
            "tabs": TABS,
            "ranges": RANGES,
            **_picture(connection, key, asked, now),
            **_drivers(why),
            **_tab(connection, site, key, asked, now),
        }  # fmt: skip
    return Page(
        template="account.html",
        title=row.title,
        values=values,
        live=(
            "account-head",
            "account-course",
            "account-drivers",
            "account-next",
            "account-last",
            "account-value",
            *(("account-growth",) if why and why.outlook else ()),
            "account-shown",
            "account-tab",
        ),
        topics=frozenset({"health", "deliveries"}),
    )


def _picture(connection: Connection, key: str, asked: Asked, now: float) -> dict[str, Any]:
    days = asked.query.get("days", "90")
    days = days if days in dict(RANGES) else "90"
    changes = movement.course(connection, key, now - int(days) * DAY)
    begun = changes[0][0] if changes else now
    start = min(max(now - int(days) * DAY, begun - 0.02 * (now - begun)), now - 600)
    messages = [msgspec.json.decode(m, type=Health) for m in movement.largest(connection, key, start)]
    marks = choose([m for h in messages if (m := _mark(h, asked)) and abs(m.change) >= _LEAST_MARK], start, now)
    return {
        "days": days,
        "course": course([Point(*change) for change in changes], marks, start=start, end=now) if changes else None,
        "marks": marks,
        "last": account.entries(connection, key, limit=1)[0],
    }


def row_id(at: float) -> str:
    """What a row of the ledger is called in a link."""
    return f"l{at * 1000:.0f}"


def _mark(health: Health, asked: Asked) -> Mark | None:
    if health.was is None:
        return None
    change = health.health - health.was
    named = [d.text for d in health.moved_by if d.points * change > 0]
    return Mark(
        health.at,
        health.health,
        change,
        named[0] if named else ("time passed" if not health.causes else "several small things"),
        f"{asked.link(tab='ledger', about=None, after=encode('ledger', health.at + _BESIDE, '0'))}#{row_id(health.at)}",
    )


def _drivers(why: Explanation | None) -> dict[str, Any]:
    if why is None:
        return {"drivers": [], "rest": 0.0, "bar": None}
    first = [d for d in why.drivers[:_DRIVERS] if abs(d.points) >= 0.05]  # noqa: PLR2004 - shown as 0.1 or more
    rest = why.health - why.base - sum(d.points for d in first)
    return {
        "drivers": [(d, happenings.about(d.dimension)) for d in first],
        "rest": rest,
        "bar": bars([*(d.points for d in first), rest]),
    }


def _names(connection: Connection, key: str) -> list[str]:
    """The references of the company, without those of its people."""
    people = {person.reference for person in account.people(connection, key, limit=1_000)}
    return [reference for reference in account.references(connection, key) if reference not in people][:8]


def _facts(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    shown = {"name", "domain", "owner", "owner_email", "renewal_on", "external_id", "parent", "mrr", "currency"}
    return [
        (name.replace("_", " ").capitalize(), str(value))
        for name, value in sorted(found.items())
        if name not in shown and value not in (None, "")
    ][:8]


def _chosen(asked: Asked) -> str:
    tab = asked.query.get("tab", "timeline")
    return tab if tab in dict(TABS) else "timeline"


def _tab(connection: Connection, site: Site, key: str, asked: Asked, now: float) -> dict[str, Any]:
    cursor = asked.query.get("after") or None
    try:
        match _chosen(asked):
            case "people":
                return {"people": account.people(connection, key)}
            case "things":
                return {"things": _things(account.things(connection, key))}
            case "deliveries":
                receipts, older = way.receipt_list(connection, limit=_ENTRIES, account=key, cursor=cursor)
                return {"receipts": receipts, "told": way.told(connection, key), "older": older}
            case "ledger":
                entries, older = asking.answers(site).ledger(connection, key, limit=_ENTRIES, cursor=cursor)
                return {"entries": entries, "older": older, "row_id": row_id, "because": BECAUSE}
            case "timeline":
                return _timeline(connection, key, asked, now)
            case _:
                return {}
    except CursorError as error:
        raise RefusedError(400, str(error), code="bad_cursor") from None


def _things(found: Sequence[account.Thing]) -> list[tuple[account.Thing, str, dict[str, Any]]]:
    """Each with its money in words and what else is worth reading; open ones first."""
    shown = []
    for thing in sorted(found, key=lambda thing: (thing.state.get("status") not in _OPEN, thing.kind)):
        state = {k: v for k, v in thing.state.items() if k not in ("kind", "subject", "currency") and v is not None}
        amount = state.pop("amount", None)
        told = words.money(float(amount), thing.state.get("currency")) if isinstance(amount, int | float) else ""
        shown.append((thing, told, state))
    return shown


def _timeline(connection: Connection, key: str, asked: Asked, now: float) -> dict[str, Any]:
    about = asked.query.get("about", "")
    subjects = happenings.ABOUT[about][1] if about in happenings.ABOUT else ()
    happened, older = account.happenings(
        connection, key, limit=_EVENTS, subjects=subjects, cursor=asked.query.get("after") or None
    )
    effect: dict[str, float] = {}
    if happened:
        oldest = happened[-1].event.occurred_at.timestamp()
        effect = happenings.effects(account.entries(connection, key, limit=300, since=oldest)[0])
    return {
        "timeline": happenings.timeline(happened, effect, now),
        "older": older,
        "about": about,
        "abouts": [(name, word) for name, (word, _) in happenings.ABOUT.items()],
    }
