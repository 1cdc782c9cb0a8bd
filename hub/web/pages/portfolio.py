"""Who needs me, and are we keeping our customers?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar, get_args

import msgspec
from markupsafe import Markup
from sqlalchemy import Connection

from hub.sdk.health import Band, Health
from hub.store.questions import movement, portfolio
from hub.store.questions.movement import Move
from hub.store.questions.portfolio import Row, Spread, Wanted
from hub.web.page import Asked, Page, Site
from hub.web.svg.spark import spark
from hub.web.svg.strip import strip
from hub.web.words import DAY
from scoring.value.kept import worths

T = TypeVar("T")
SIZE: Final = 50  # rows of a page
MOVERS: Final = 6  # rows of "moved today"
SPARK_DAYS: Final = 30
HOT: Final = 2.0  # seconds the counts and moves of all customers may be old, see `hub.web.stream`
_SPARK_STEPS: Final = 24
_BAND_OF: Final[Mapping[str, Band]] = {band: band for band in get_args(Band)}
_FRESH: Final = 60.0  # seconds the window of a day may lag, so that all pages ask the same question
ORDERS: Final = (
    ("-stake", "Revenue at stake"),
    ("health", "Lowest health"),
    ("change", "Fell most"),
    ("-value_at_risk", "Value at risk"),
)
COLUMNS: Final = (
    ("name", "Customer", "name"),
    ("health", "Health", "health"),
    ("change", "24 h", "change"),
    ("driver", "First driver", ""),
    ("mrr", "Revenue", "-mrr"),
    ("renewal", "Renewal", "renewal"),
    ("owner", "Owner", "owner"),
)


GROWING: Final = ("-expansion", "Likely to pay more")
"""An order, offered where the scorecard declares an expansion; its column stands in place of the first driver."""
_LIKELY: Final = (*COLUMNS[:3], ("expansion", "Likely to pay more", "-expansion"), *COLUMNS[4:])
_VALUED: Final = (*COLUMNS[:4], ("value", "Will bring", "-value"), *COLUMNS[5:])
"""Where the list is sorted by what customers will bring, that stands in place of what they pay."""


@dataclass(frozen=True, slots=True)
class Mover:
    """A customer that moved, and why."""

    row: Row
    move: Move
    why: str
    at: float


def view(site: Site, asked: Asked) -> Page:
    """The portfolio, filtered and sorted as the URL says."""
    now = site.today()
    since = (now - DAY) // _FRESH * _FRESH
    wanted = _wanted(asked)
    everybody = _All(site)
    spread = everybody.spread()
    moved = everybody.moved(since)
    found = spread.total if wanted == Wanted(sort=wanted.sort) else everybody.count(wanted)
    pages = max(1, -(-found // SIZE))
    number = min(max(1, int(asked.number("page") or 1)), pages)
    ids = everybody.ids(wanted, since, (number - 1) * SIZE)
    with site.context.database.read() as connection:
        known = portfolio.by_ids(connection, ids)
        rows = [known[key] for key in ids if key in known]
        sparks = _sparks(connection, rows, now)
        changes = _changes(connection, rows, since)
        movers = _movers(connection, moved.first, since)
        by_value = wanted.sort.removeprefix("-") in ("value", "value_at_risk")
        by_growth = wanted.sort.removeprefix("-") == "expansion"
        valued = worths(connection, ids) if by_value else {}
    return Page(
        template="portfolio.html",
        title="Portfolio",
        values={
            "now": now,
            "asked": asked,
            "wanted": wanted,
            "spread": spread,
            "strip": _strip(spread, wanted, asked),
            "fell": moved.fell,
            "rose": moved.rose,
            "movers": movers,
            "rows": rows,
            "sparks": sparks,
            "changes": changes,
            "found": found,
            "number": number,
            "pages": pages,
            "size": SIZE,
            "columns": _VALUED if by_value else _LIKELY if by_growth else COLUMNS,
            "by_growth": by_growth,
            "valued": {key: found[0] for key, found in valued.items()},
            "by_value": by_value,
            "orders": (*ORDERS, GROWING) if _asked_of_growth(site) else ORDERS,
            "filtered": wanted != Wanted(sort=wanted.sort),
            "sources": site.context.sources(),
            "public_url": site.context.settings.public_url.rstrip("/"),
        },
        live=("figures", "spread", "movers", "customers") if not spread.nobody else ("welcome",),
        topics=frozenset({"health"}),
    )


def _asked_of_growth(site: Site) -> bool:
    config = site.context.config
    return config is not None and config.scorecard.expansion is not None


def _wanted(asked: Asked) -> Wanted:
    sort = asked.query.get("sort", ORDERS[0][0])
    return Wanted(
        text=asked.query.get("q", "").replace("\0", "")[:200].strip(),
        band=_BAND_OF.get(asked.query.get("band", "")),
        low=asked.number("low"),
        high=asked.number("high"),
        sort=sort if sort in (*portfolio.SORTS, "change", "-change") else ORDERS[0][0],
    )


class _Counted(msgspec.Struct, frozen=True):
    """A `Spread` as JSON can hold it, where None is no key."""

    by_band: list[tuple[Band | None, int]]
    mrr: dict[str, float]
    at_risk: dict[str, float]
    bins: list[int]


class _Moved(msgspec.Struct, frozen=True):
    """How many fell and rose within the day, and those that moved furthest."""

    fell: int
    rose: int
    first: list[Move]


class _All:
    """Questions about all customers: dear where there are very many, so their answers may be a moment old.

    Each is asked through a connection of its own, for it may be asked after the page has been shown.
    """

    def __init__(self, site: Site) -> None:
        self._hot, self._database = site.context.hot, site.context.database

    def spread(self) -> Spread:
        def count(connection: Connection) -> _Counted:
            found = portfolio.spread(connection)
            return _Counted(list(found.by_band.items()), dict(found.mrr), dict(found.at_risk), list(found.bins))

        told = self._ask("spread", count, _Counted)
        return Spread(dict(told.by_band), told.mrr, told.at_risk, told.bins)

    def moved(self, since: float) -> _Moved:
        def count(connection: Connection) -> _Moved:
            return _Moved(*movement.moved(connection, since, most=MOVERS))

        return self._ask("moved", count, _Moved)

    def count(self, wanted: Wanted) -> int:
        return self._ask(f"count:{replace(wanted, sort='')}", lambda c: portfolio.count(c, wanted), int)

    def ids(self, wanted: Wanted, since: float, offset: int) -> list[str]:
        """Who is on a page; how each of them is, is asked anew."""
        if wanted.sort.removeprefix("-") != "change":
            return self._ask(
                f"page:{offset}:{wanted}",
                lambda c: [row.id for row in portfolio.page(c, wanted, limit=SIZE, offset=offset)],
                list[str],
            )
        moves = self._ask("moves", lambda c: movement.moves(c, since), list[Move])
        changes = {m.account: m.change for m in moves}
        sign = -1 if wanted.sort.startswith("-") else 1
        with self._database.read() as connection:
            ids = portfolio.ids(connection, wanted)
        return sorted(ids, key=lambda key: sign * changes.get(key, 0.0))[offset : offset + SIZE]

    def _ask(self, key: str, question: Callable[[Connection], T], kind: Any) -> T:
        def answer() -> T:
            with self._database.read() as connection:
                return question(connection)

        return self._hot.get(key, HOT, answer, kind)


def _sparks(connection: Connection, rows: Sequence[Row], now: float) -> dict[str, Markup]:
    # the moments are whole steps apart, so that a line moves only when time has moved a step
    step = SPARK_DAYS * DAY / _SPARK_STEPS
    last = now // step * step
    moments = [last - n * step for n in range(_SPARK_STEPS - 1, -1, -1)]
    known = movement.histories(connection, [row.id for row in rows], moments)
    return {row.id: spark([*known.get(row.id, []), row.health], row.band, SPARK_DAYS) for row in rows}


def _changes(connection: Connection, rows: Sequence[Row], since: float) -> dict[str, float]:
    """Points by which these have moved since then, of those that did."""
    then = movement.histories(connection, [row.id for row in rows if row.band != "left"], [since])
    found = {row.id: (row.health, then[row.id][0]) for row in rows if row.id in then}
    changes = {key: now - was for key, (now, was) in found.items() if now is not None and was is not None}
    return {key: change for key, change in changes.items() if abs(change) >= movement.LEAST}


def _movers(connection: Connection, moves: Sequence[Move], since: float) -> list[Mover]:
    rows = portfolio.by_ids(connection, [m.account for m in moves])
    messages = movement.furthest(connection, list(rows), since)
    movers = []
    for move in moves:
        if move.account not in rows:
            continue
        row, why, at = rows[move.account], "", rows[move.account].scored_at
        if message := messages.get(move.account):
            health = msgspec.json.decode(message, type=Health)
            same_way = [d for d in health.moved_by if d.points * move.change > 0]
            why, at = (same_way[0].text if same_way else ""), health.at
        movers.append(Mover(row, move, why or row.driver or "", at))
    return movers


def _strip(spread: Spread, wanted: Wanted, asked: Asked) -> Markup:
    def href(band: Band) -> str:
        return asked.link(band=None if wanted.band == band else band, low=None, high=None, page=None)

    counts = {band: number for band, number in spread.by_band.items() if band is not None}
    return strip(spread.bins, counts, href, chosen=wanted.band)
