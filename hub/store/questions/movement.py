"""Who moved, how far, and how they were: questions asked of the ledger.

Each costs a look or two into an index for an account, however often it was rescored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Subquery, func, select
from sqlalchemy.sql.selectable import ScalarSelect

from hub.store.schema import accounts, ledger, profiles

LEAST: Final = 1.0  # points that count as having moved
MOST: Final = 5_000  # rows of the ledger that are looked at for one account: a busy one has hundreds of thousands


@dataclass(frozen=True, slots=True)
class Move:
    """How far one account moved since a moment."""

    account: str
    was: float
    health: float

    @property
    def change(self) -> float:
        """Signed points."""
        return self.health - self.was


def moves(connection: Connection, since: float, *, least: float = LEAST) -> list[Move]:
    """Every account that moved by at least so many points since then, furthest first.

    Accounts that are younger than `since` have not moved: they have come; and who left has not moved either. Who has no
    row in the ledger since then has moved by less than half a point: a look into an index finds that out, and how they
    were is read of the others only.
    """
    then, change = _changed(since)
    asked = select(then.c.id, then.c.was, then.c.health).where(func.abs(change) >= least)
    return [Move(*row) for row in connection.execute(asked.order_by(func.abs(change).desc(), then.c.id))]


def moved(connection: Connection, since: float, *, most: int, least: float = LEAST) -> tuple[int, int, list[Move]]:
    """How many of `moves` fell and how many rose, and the furthest of them; without a list of all of them."""
    then, change = _changed(since)
    fell, rose = (func.count().filter(way).over() for way in (change < 0.0, change > 0.0))
    asked = select(fell, rose, then.c.id, then.c.was, then.c.health).where(func.abs(change) >= least)
    found = connection.execute(asked.order_by(func.abs(change).desc(), then.c.id).limit(most)).all()
    return (found[0][0], found[0][1], [Move(*row[2:]) for row in found]) if found else (0, 0, [])


def _changed(since: float) -> tuple[Subquery, ColumnElement[float]]:
    """How those were who may have moved since then, and how they are; and by how much that differs."""
    was = before(since).label("was")
    moved = select(ledger.c.at).where(ledger.c.account == accounts.c.id, ledger.c.at > since).correlate(accounts)
    then = (
        select(accounts.c.id, accounts.c.health, was)
        .select_from(accounts.outerjoin(profiles, profiles.c.account == accounts.c.id))
        .where(
            profiles.c.merged_into.is_(None),
            accounts.c.scored_at > since,
            accounts.c.health.is_not(None),
            accounts.c.band != "left",
            moved.exists(),
        )
        .offset(0)  # else PostgreSQL looks `was` up anew wherever it is named below
        .subquery()
    )
    return then, then.c.health - then.c.was


def furthest(connection: Connection, ids: Sequence[str], since: float) -> dict[str, bytes]:
    """For each account the ledger's message of its largest single move since then."""
    if not ids:
        return {}
    step = func.abs(ledger.c.health - func.coalesce(ledger.c.was, ledger.c.health))
    ranked = (
        select(
            ledger.c.account,
            ledger.c.message,
            func.row_number()
            .over(partition_by=ledger.c.account, order_by=(step.desc(), ledger.c.at.desc()))
            .label("n"),
        )
        .where(ledger.c.account.in_(ids), ledger.c.at > since)
        .subquery()
    )
    asked = select(ranked.c.account, ranked.c.message).where(ranked.c.n == 1)
    return {row[0]: bytes(row[1]) for row in connection.execute(asked)}


def before(moment: float) -> ScalarSelect[Any]:
    """The health an account had at a moment; to be selected beside `accounts`."""
    return (
        select(ledger.c.health)
        .where(ledger.c.account == accounts.c.id, ledger.c.at <= moment)
        .order_by(ledger.c.at.desc(), ledger.c.sequence.desc())
        .limit(1)
        .correlate(accounts)
        .scalar_subquery()
    )


def histories(connection: Connection, ids: Sequence[str], moments: Sequence[float]) -> dict[str, list[float | None]]:
    """The health of each account at each of these moments: None before it had one.

    Costs one look into an index for each, however often the accounts were rescored.
    """
    if not ids:
        return {}
    asked = select(accounts.c.id, *(before(m).label(f"m{n}") for n, m in enumerate(moments))).where(
        accounts.c.id.in_(ids)
    )
    return {row[0]: list(row[1:]) for row in connection.execute(asked)}


def course(connection: Connection, account: str, since: float, most: int = MOST) -> list[tuple[float, float]]:
    """Time and health of every change since then, oldest first, and the last one before."""
    order = (ledger.c.at.desc(), ledger.c.sequence.desc())
    mine = select(ledger.c.at, ledger.c.health).where(ledger.c.account == account).order_by(*order)
    after = connection.execute(mine.where(ledger.c.at >= since).limit(most)).all()
    before_ = connection.execute(mine.where(ledger.c.at < since).limit(1)).all() if len(after) < most else []
    return [(row.at, row.health) for row in reversed([*after, *before_])]


def largest(connection: Connection, account: str, since: float, most: int = 40) -> list[bytes]:
    """The ledger's messages of an account's largest moves since then, largest first; of as many as `course` shows."""
    newest = (
        select(ledger.c.at, ledger.c.was, ledger.c.health, ledger.c.message)
        .where(ledger.c.account == account, ledger.c.at >= since)
        .order_by(ledger.c.at.desc(), ledger.c.sequence.desc())
        .limit(MOST)
        .subquery()
    )
    step = func.abs(newest.c.health - newest.c.was)
    asked = select(newest.c.message).where(newest.c.was.is_not(None)).order_by(step.desc(), newest.c.at.desc())
    return [bytes(message) for message in connection.scalars(asked.limit(most))]


def band_since(connection: Connection, account: str) -> float | None:
    """Since when an account has been in its band; None where too many changes ago to be worth a search."""
    newest = (
        select(ledger.c.at, ledger.c.band, ledger.c.was_band)
        .where(ledger.c.account == account)
        .order_by(ledger.c.at.desc(), ledger.c.sequence.desc())
        .limit(MOST)
        .subquery()
    )
    asked = select(func.max(newest.c.at)).where(newest.c.was_band.is_distinct_from(newest.c.band))
    found: float | None = connection.scalar(asked)
    return found
