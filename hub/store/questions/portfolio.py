"""How are our customers? The portfolio: its figures, its spread and a page of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, or_, select

from hub.sdk.health import Band
from hub.store.questions import paging
from hub.store.schema import accounts, links, profiles, worths
from hub.store.whole import Whole

BANDS: Final[tuple[Band, ...]] = ("at_risk", "watch", "steady", "thriving", "left")
BIN: Final = 2.5  # points of health in a bar of the spread
BINS: Final = 40
_LAST_TEXT = "\U0010ffff"
_LAST_NUMBER = 1e300


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One customer as lists show it.

    `title` is what people call it: its name, else its domain, else a vendor's reference, else our id. `mrr` is money a
    month in `currency`; `renewal_on` an ISO date; `driver` the first driver in words; times are unix seconds.
    """

    id: str
    title: str
    domain: str | None
    health: float | None
    band: Band | None
    risk: float | None
    driver: str | None
    mrr: float | None
    currency: str | None
    renewal_on: str | None
    owner: str | None
    scored_at: float
    last_event_at: float
    expansion: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which customers, in which order. `low` and `high` are bounds of health, `high` excluded.

    Those who left are among them only when asked for by their band, or searched for by name.
    """

    text: str = ""
    band: Band | None = None
    low: float | None = None
    high: float | None = None
    sort: str = "health"


@dataclass(frozen=True, slots=True)
class Spread:
    """The whole portfolio, counted.

    Attributes:
        by_band: customers in each band, also `left`; those not scored yet are under None. Nothing else counts who left.
        mrr: money a month by currency, largest first.
        at_risk: the part of `mrr` that customers at risk pay.
        bins: customers by health, `BINS` bars of `BIN` points.
    """

    by_band: Mapping[Band | None, int]
    mrr: Mapping[str, float]
    at_risk: Mapping[str, float]
    bins: Sequence[int]

    @property
    def nobody(self) -> bool:
        """Whether there has never been a customer."""
        return not self.by_band

    @property
    def total(self) -> int:
        """How many customers there are; those who left are none any more."""
        return sum(number for band, number in self.by_band.items() if band != "left")


@dataclass(slots=True)
class _Count:
    by_band: dict[Band | None, int] = field(default_factory=dict)
    mrr: dict[str, float] = field(default_factory=dict)
    at_risk: dict[str, float] = field(default_factory=dict)
    bins: list[int] = field(default_factory=lambda: [0] * BINS)


_ALL = accounts.outerjoin(profiles, profiles.c.account == accounts.c.id)
_HERE = profiles.c.merged_into.is_(None)
_STAYS = or_(accounts.c.band.is_(None), accounts.c.band != "left")
_COLUMNS = (
    accounts.c.id,
    profiles.c.name,
    profiles.c.domain,
    accounts.c.health,
    accounts.c.band,
    accounts.c.risk,
    accounts.c.driver,
    profiles.c.mrr,
    profiles.c.currency,
    profiles.c.renewal_on,
    profiles.c.owner,
    accounts.c.scored_at,
    accounts.c.last_event_at,
    accounts.c.expansion,
)
_TITLE = func.lower(func.coalesce(profiles.c.name, profiles.c.domain))
# money a month that is expected to be lost; among those that pay nothing, or nobody knows what, risk alone decides
_PAID = case((profiles.c.mrr > 0.0, profiles.c.mrr), else_=0.0)
_STAKE = func.coalesce(accounts.c.risk, 0.0) * (_PAID + 1e-6)
# of a customer that pays in two currencies the larger number: nothing is added across them
_VALUE = select(func.max(worths.c.value)).where(worths.c.account == accounts.c.id).scalar_subquery()
_SORTS: Final[Mapping[str, tuple[ColumnElement[Any], Literal["text", "number"]]]] = {
    "name": (_TITLE, "text"),
    "health": (accounts.c.health, "number"),
    "risk": (accounts.c.risk, "number"),
    "expansion": (accounts.c.expansion, "number"),
    "stake": (_STAKE, "number"),
    "mrr": (profiles.c.mrr, "number"),
    "value": (_VALUE, "number"),
    "value_at_risk": (_VALUE * accounts.c.risk, "number"),
    "renewal": (profiles.c.renewal_on, "text"),
    "owner": (func.lower(profiles.c.owner), "text"),
    "driver": (func.lower(accounts.c.driver), "text"),
    "active": (accounts.c.last_event_at, "number"),
}
SORTS: Final = tuple(f"{sign}{name}" for name in _SORTS for sign in ("", "-"))


def spread(connection: Connection) -> Spread:
    """Count the whole portfolio in one pass."""
    place = Whole(accounts.c.health / BIN)
    bar = case((place < BINS, place), (place >= BINS, BINS - 1)).label("bar")
    asked = (
        select(accounts.c.band, profiles.c.currency, bar, func.count(), func.sum(profiles.c.mrr))
        .select_from(_ALL)
        .where(_HERE)
        .group_by(accounts.c.band, profiles.c.currency, "bar")
    )
    count = _Count()
    for band, currency, place, number, money in connection.execute(asked):
        count.by_band[band] = count.by_band.get(band, 0) + number
        if band == "left":
            continue
        if place is not None:
            count.bins[max(0, place)] += number
        if money:
            count.mrr[currency or ""] = count.mrr.get(currency or "", 0.0) + money
            if band == "at_risk":
                count.at_risk[currency or ""] = count.at_risk.get(currency or "", 0.0) + money
    largest = dict(sorted(count.mrr.items(), key=lambda pair: -pair[1]))
    return Spread(count.by_band, largest, count.at_risk, count.bins)


def newest(connection: Connection) -> float | None:
    """When the newest event of all happened."""
    found: float | None = connection.scalar(select(func.max(accounts.c.last_event_at)))
    return found


def count(connection: Connection, wanted: Wanted) -> int:
    """How many customers are wanted."""
    return connection.scalar(select(func.count()).select_from(_ALL).where(_where(wanted))) or 0


def page(connection: Connection, wanted: Wanted, *, limit: int, offset: int = 0) -> list[Row]:
    """Rows by place, for pages with numbers."""
    value, ascending = _order(wanted.sort)
    asked = select(*_COLUMNS).select_from(_ALL).where(_where(wanted)).limit(limit).offset(offset)
    return _rows(connection, _ordered(asked, value, ascending=ascending))


def follow(connection: Connection, wanted: Wanted, *, limit: int, cursor: str | None) -> tuple[list[Row], str | None]:
    """Rows after a cursor, and the cursor of those after them; None at the end.

    Raises:
        CursorError: not a cursor of ours, or of another order.
    """
    value, ascending = _order(wanted.sort)
    asked = select(*_COLUMNS, value.label("sorted_by")).select_from(_ALL).where(_where(wanted)).limit(limit + 1)
    if cursor is not None:
        key, last = paging.decode(cursor, wanted.sort)
        beyond = value > key if ascending else value < key
        asked = asked.where(or_(beyond, and_(value == key, accounts.c.id > last)))
    found = connection.execute(_ordered(asked, value, ascending=ascending)).all()
    rows = _titled(connection, found[:limit])
    more = len(found) > limit
    return rows, paging.encode(wanted.sort, found[limit - 1].sorted_by, rows[-1].id) if more else None


def ids(connection: Connection, wanted: Wanted) -> list[str]:
    """Ids of all that are wanted, by name; for orders the database does not know."""
    asked = select(accounts.c.id).select_from(_ALL).where(_where(wanted)).order_by(_TITLE.nulls_first(), accounts.c.id)
    return list(connection.scalars(asked))


def by_ids(connection: Connection, ids: Sequence[str]) -> dict[str, Row]:
    """Rows of these accounts, merged ones too."""
    asked = select(*_COLUMNS).select_from(_ALL).where(accounts.c.id.in_(ids))
    return {row.id: row for row in _rows(connection, asked)}


def _where(wanted: Wanted) -> ColumnElement[bool]:
    asked: list[ColumnElement[bool]] = [_HERE]
    if wanted.band:
        asked.append(accounts.c.band == wanted.band)
    elif not wanted.text.strip():
        asked.append(_STAYS)
    if wanted.low is not None:
        asked.append(accounts.c.health >= wanted.low)
    if wanted.high is not None:
        asked.append(accounts.c.health < wanted.high)
    if text := wanted.text.strip():
        named = (profiles.c.name, profiles.c.domain, profiles.c.owner)
        linked = select(links.c.account).where(links.c.reference == text)
        asked.append(or_(*(c.icontains(text, autoescape=True) for c in named), accounts.c.id.in_(linked)))
    return and_(*asked)


def _order(sort: str) -> tuple[ColumnElement[Any], bool]:
    """The value to sort by, unknowns last whichever way, and whether upwards."""
    value, kind = _SORTS[sort.removeprefix("-")]
    ascending = not sort.startswith("-")
    if kind == "text":
        return func.coalesce(value, _LAST_TEXT if ascending else ""), ascending
    return func.coalesce(value, _LAST_NUMBER if ascending else -_LAST_NUMBER), ascending


def _ordered(asked: Select[Any], value: ColumnElement[Any], *, ascending: bool) -> Select[Any]:
    return asked.order_by(value if ascending else value.desc(), accounts.c.id)


def _rows(connection: Connection, asked: Select[Any]) -> list[Row]:
    return _titled(connection, connection.execute(asked).all())


def _titled(connection: Connection, found: Sequence[Any]) -> list[Row]:
    nameless = [row.id for row in found if not (row.name or row.domain)]
    known: dict[str, str] = {}
    if nameless:
        first = (
            select(links.c.account, func.min(links.c.reference))
            .where(links.c.account.in_(nameless))
            .group_by(links.c.account)
        )
        known = {row[0]: row[1] for row in connection.execute(first)}
    return [
        Row(
            id=row.id,
            title=row.name or row.domain or known.get(row.id, row.id),
            **{c.name: getattr(row, c.name) for c in _COLUMNS if c.name not in ("id", "name")},
        )
        for row in found
    ]
