"""What whoever runs it wants to know, in numbers. Asked at scrapes: of a few rows, but for `bands`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, func, select

from hub.store.schema import (
    accounts,
    alerts,
    dead_letters,
    desired,
    destinations,
    leases,
    ledger,
    merges,
    models,
    offsets,
)

_NEXT: Final = 500  # records of a destination whose age is looked up


class Version(NamedTuple):
    """The newest version of the risk models, and when it was made, unix seconds."""

    number: int
    at: float


def bands(connection: Connection) -> dict[str, int]:
    """Band -> customers, those not scored yet under `unscored`. Reads every account, and nothing else of them."""
    merged = select(merges.c.absorbed)
    asked = select(accounts.c.band, func.count()).where(accounts.c.id.not_in(merged)).group_by(accounts.c.band)
    return {band or "unscored": number for band, number in connection.execute(asked)}


def waiting(connection: Connection) -> dict[str, float]:
    """Destination -> since when the oldest of what is next in turn has been due, unix seconds; only where something is.

    Of fields that is when the health was computed which is to be shown. Only the next few hundred are looked at.
    """
    oldest = select(alerts.c.sink, func.min(alerts.c.at)).where(alerts.c.state == "due").group_by(alerts.c.sink)
    since: dict[str, float] = {row[0]: row[1] for row in connection.execute(oldest)}
    for sink in connection.scalars(select(destinations.c.sink)).all():
        due = (
            select(desired.c.account, desired.c.sequence)
            .where(desired.c.sink == sink, desired.c.state == "due")
            .order_by(desired.c.next_at)
            .limit(_NEXT)
            .subquery()
        )
        written = and_(ledger.c.partition == accounts.c.partition, ledger.c.sequence == due.c.sequence)
        found = connection.scalar(
            select(func.min(ledger.c.at)).select_from(
                due.join(accounts, accounts.c.id == due.c.account).join(ledger, written)
            )
        )
        if found is not None:
            since[sink] = min(found, since.get(sink, found))
    return since


def letters(connection: Connection) -> dict[tuple[str, ...], float]:
    """(stage, state) -> dead letters kept."""
    stage, state = dead_letters.c.stage, dead_letters.c.state
    rows = connection.execute(select(stage, state, func.count()).group_by(stage, state))
    return {(row[0], row[1]): row[2] for row in rows}


def version(connection: Connection) -> Version | None:
    """The newest version of the models that was published; None before the first."""
    asked = select(models.c.version, models.c.at).where(models.c.version > 0).order_by(models.c.version.desc()).limit(1)
    row = connection.execute(asked).first()
    return Version(row.version, row.at) if row else None


class _Raised(msgspec.Struct):
    raised: int = 0


class _Drift(msgspec.Struct):
    drift: _Raised = msgspec.field(default_factory=_Raised)


_drift: Final = msgspec.json.Decoder(_Drift).decode


def drifted(connection: Connection) -> int:
    """How often an expert of the risk models was found to predict worse than it used to."""
    body = connection.scalar(select(models.c.body).order_by(models.c.version.desc()).limit(1))
    return 0 if body is None else _drift(body).drift.raised


def learned(connection: Connection) -> int:
    """How many outcomes the learner has taken."""
    asked = select(func.sum(offsets.c.applied)).where(offsets.c.room == "scoring.learn")
    return int(connection.scalar(asked) or 0)


def held(connection: Connection, alive: Collection[str]) -> dict[str, float]:
    """Lease -> 1.0 where one of these processes has it, else 0.0."""
    return {row.name: float(row.holder in alive) for row in connection.execute(select(leases))}
