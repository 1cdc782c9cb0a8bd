"""Valuations and worths in the database: written by whoever values, some customers at a time, read by everybody."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, func, select

from hub.store import schema
from hub.store.bulk import insert_rows
from hub.store.database import Database
from hub.store.upserts import insert
from scoring.config import Config
from scoring.value.model import Valuation, Worth
from scoring.value.settings import Valuing

_V: Final = schema.valuations
_W: Final = schema.worths
_KEPT: Final = 30  # valuations
_NEW: Final = insert(_W)
_UPSERT: Final = _NEW.on_conflict_do_update(
    index_elements=[_W.c.account, _W.c.currency],
    set_={name: _NEW.excluded[name] for name in ("value", "valuation", "body")},
)
_valuation: Final = msgspec.json.Decoder(Valuation).decode
_worth: Final = msgspec.json.Decoder(Worth).decode


def _never() -> bool:
    return False


class Made(NamedTuple):
    """A valuation, and when it was made by the wall's clock."""

    valuation: Valuation
    made_at: float


def newest(connection: Connection) -> Made | None:
    """The last valuation that is whole; None if there never was one."""
    row = connection.execute(select(_V.c.body, _V.c.made_at).order_by(_V.c.version.desc()).limit(1)).first()
    with suppress(msgspec.MsgspecError):  # of a newer program: as good as none
        return Made(_valuation(row.body), row.made_at) if row else None
    return None


def worths(connection: Connection, accounts: Collection[str]) -> dict[str, list[Worth]]:
    """What these will bring: the most first, those without a number last."""
    found: dict[str, list[Worth]] = {}
    for body in connection.scalars(select(_W.c.body).where(_W.c.account.in_(list(accounts)))):
        with suppress(msgspec.MsgspecError):
            one = _worth(body)
            found.setdefault(one.account, []).append(one)
    for some in found.values():
        some.sort(key=lambda one: -(one.value if one.value is not None else -1.0))
    return found


class Total(NamedTuple):
    """All customers of one currency."""

    currency: str
    customers: int
    value: float
    at_risk: float


def totals(connection: Connection) -> list[Total]:
    """What all customers will bring, by currency, and the part expected to be lost; the most customers first."""
    a = schema.accounts
    stake = func.sum(_W.c.value * func.coalesce(a.c.risk, 0.0))
    asked = (
        select(_W.c.currency, func.count(), func.sum(_W.c.value), stake)
        .select_from(_W.join(a, a.c.id == _W.c.account))
        .where(_W.c.value.is_not(None), func.coalesce(a.c.band, "") != "left")
        .group_by(_W.c.currency)
        .order_by(func.count().desc(), _W.c.currency)
    )
    return [Total(*row) for row in connection.execute(asked)]


def first(connection: Connection, currency: str, *, limit: int, by_stake: bool) -> list[str]:
    """Accounts of one currency that will bring most, or of which most is at risk."""
    a, p = schema.accounts, schema.profiles
    order = _W.c.value * func.coalesce(a.c.risk, 0.0) if by_stake else _W.c.value
    asked = (
        select(_W.c.account)
        .select_from(_W.join(a, a.c.id == _W.c.account).outerjoin(p, p.c.account == a.c.id))
        .where(_W.c.currency == currency, _W.c.value.is_not(None), p.c.merged_into.is_(None))
        .where(func.coalesce(a.c.band, "") != "left")
        .order_by(order.desc(), _W.c.account)
        .limit(limit)
    )
    return list(connection.scalars(asked))


def value_all(
    database: Database,
    config: Config,
    valuing: Valuing,
    *,
    now: float,
    wall: float,
    halted: Callable[[], bool] = _never,
) -> Iterator[int]:
    """Value every customer and keep it; yields how many were, after each portion. Stopped half-way, nothing is torn.

    Each portion is a transaction of its own, so that nothing else waits for long; the valuation itself comes last.

    Args:
        database: the truth.
        config: says what a risk is of.
        valuing: how.
        now: unix seconds, of customers' time.
        wall: unix seconds.
        halted: whether to stop half-way.
    """
    from scoring.value.valuation import Valuer  # noqa: PLC0415 - SciPy: only who values waits for it

    with database.read() as connection:
        given = [connection.scalar(select(func.max(column))) or 0 for column in (_V.c.version, _W.c.valuation)]
        version = max(given) + 1
        valuer = Valuer(valuing, config.scorecard.outcome, config.scorecard.base_rate, now, version)
        learned = valuer.learn(connection, halted)
    if learned is None:
        return
    done = 0
    for some in valuer.worths(learned):
        if halted():
            return
        database.write(partial(insert_rows, statement=_UPSERT, rows=list(_rows(some, version)))).result()
        done += len(some)
        yield done
    database.write(lambda connection: _ended(connection, learned, wall)).result()


def _rows(some: Iterable[Worth], version: int) -> Iterator[tuple[Any, ...]]:
    for one in some:
        yield (one.account, one.currency, one.value, version, msgspec.json.encode(one).decode())


def _ended(connection: Connection, learned: Valuation, wall: float) -> None:
    """The valuation is whole: whom it does not know any more has no worth."""
    connection.execute(delete(_W).where(_W.c.valuation < learned.version))
    connection.execute(delete(_V).where(_V.c.version <= learned.version - _KEPT))
    row = {"version": learned.version, "at": learned.at, "made_at": wall, "body": msgspec.json.encode(learned).decode()}
    connection.execute(insert(_V).values(row).on_conflict_do_nothing())
