"""Why did it move between Monday and today? Of one customer, and of the whole book."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from hub.store.questions import portfolio
from hub.web import asking, happenings
from hub.web.page import Asked, Page, Site
from hub.web.pages.account import find
from hub.web.refusal import RefusedError
from hub.web.svg.bars import bars
from hub.web.words import signed
from scoring.explaining.asked import pairs, where
from scoring.explaining.moved import Book, Part
from scoring.explaining.what_if import AskedWrongError
from scoring.explaining.why import BECAUSE, Share

PERIODS: Final = (("today", "Today"), ("yesterday", "Since yesterday"), ("monday", "Since Monday"), ("7d", "7 days"),
                  ("30d", "30 days"), ("90d", "90 days"))  # fmt: skip
_SHOWN: Final = 12
_MOST: Final = 10  # customers of each sort
_LEAST: Final = 0.05  # points; shown as 0.1 or more


def view(site: Site, asked: Asked) -> Page:
    """One customer between two moments."""
    now, period = site.today(), _Period(site, asked, "7d")
    with asking.reading(site) as connection:
        key = find(connection, asked.names["reference"])
        row = portfolio.by_ids(connection, [key])[key]
        moved = asking.answers(site).moved(connection, key, since=period.since, until=period.until, now=now)
    shares = [share for share in moved.shares if abs(share.points) >= _LEAST]
    first = shares[:_SHOWN]
    change = (moved.health or 0.0) - (moved.was or 0.0)
    rest = change - sum(share.points for share in first)
    return Page(
        template="moved.html",
        title=f"Why it moved · {row.title}",
        values={
            **period.values,
            "now": now,
            "asked": Asked(f"/accounts/{quote(key, safe='')}/moved", asked.names, asked.query),
            "account": Asked(f"/accounts/{quote(key, safe='')}"),
            "row": row,
            "moved": moved,
            "change": change,
            "shares": [(share, happenings.about(share.dimension)) for share in first],
            "rest": rest if abs(rest) >= _LEAST else 0.0,
            "bar": bars([*(share.points for share in first), rest]),
            "because": BECAUSE,
        },
        status=period.status,
    )


def view_book(site: Site, asked: Asked) -> Page:
    """All customers, or some, between two moments."""
    period, segment, wrong = _Period(site, asked, "1d"), asked.query.get("where", "").strip()[:200], ""
    with asking.reading(site) as connection:
        ids: Sequence[str] | None = None
        try:
            ids = where(connection, pairs(segment.split(","), "the filter")) if segment else None
        except AskedWrongError as error:
            wrong, ids = str(error), []
        book = asking.answers(site).book(connection, since=period.since, until=period.until, ids=ids, most=_MOST)
    parts, change = [part for part in book.parts if abs(part.points) >= _small(book)][:_SHOWN], _change(book)
    rest = change - sum(part.points for part in parts)
    return Page(
        template="book.html",
        title="Why it moved",
        values={
            **period.values,
            "now": site.today(),
            "asked": Asked("/moved", asked.names, asked.query),
            "segment": segment,
            "wrong": period.values["wrong"] or wrong,
            "book": book,
            "change": change,
            "parts": parts,
            "rest": rest,
            "bar": bars([*(part.points for part in parts), rest]),
            "because": BECAUSE,
            "told": _told,
            "sorts": (
                ("Moved furthest", len(book.movers), book.movers),
                ("In another band", book.bands.number, book.bands.first),
                ("Came", book.came.number, book.came.first),
                ("Left", book.left.number, book.left.first),
            ),
        },
        status=400 if wrong else period.status,
    )


class _Period:
    """What was asked, or what is shown instead, and why."""

    def __init__(self, site: Site, asked: Asked, usual: str) -> None:
        now, wrong = site.today(), ""
        since, until = (asked.query.get(name, "").strip()[:60] for name in ("since", "until"))
        try:
            self.since, self.until = asking.ends(since or usual, until or "now", now)
        except RefusedError as error:
            wrong = error.message
            self.since, self.until = asking.ends(usual, "now", now)
        self.status = 400 if wrong else 200
        self.values: dict[str, Any] = {
            "wrong": wrong,
            "chosen": since or usual if not until else "",
            "periods": PERIODS,
            "since_day": _day(self.since),
            "until_day": _day(self.until) if until else "",
            "today_day": _day(now),
        }


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


def _change(book: Book) -> float:
    return (book.health or 0.0) - (book.was or 0.0)


def _small(book: Book) -> float:
    """Points of the mean that are worth a line: a hundredth, or a fiftieth of the largest."""
    largest = max((abs(part.points) for part in book.parts), default=0.0)
    return min(max(0.01, largest / 50), _LEAST)


def _told(one: Part | Share) -> str:
    """How many it moved, in words."""
    if isinstance(one, Share):
        return signed(one.points, 1)
    both = [f"{number:,} {way}" for number, way in ((one.fell, "fell"), (one.rose, "rose")) if number]
    return ", ".join(both)
