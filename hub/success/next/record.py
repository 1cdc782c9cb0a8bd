"""Proposals in the database: every one is kept with its chance, its reason, what was done and what came of it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, delete, func, select, update

from hub.store import schema
from hub.store.questions import movement
from hub.store.upserts import insert

_P: Final = schema.proposals
_MOST: Final = 20_000  # the newest, that are learned from and judged
GREEN: Final = 60.0
"""Health at and above which a customer is well, whether it rose or not."""


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """One proposal.

    Attributes:
        account: ours.
        at: unix seconds, of customers' time.
        due: when what came of it is known.
        action: proposed.
        label: of it, in words.
        reason: why, in words.
        propensity: chance with which it was chosen.
        chances: of all that applied, in the operator's order.
        context: what the choice went by.
        health: then.
        risk: then.
        rise: points by which health must have risen.
        config_version: measures and scorecard.
        model_version: the models.
        actions_version: the actions.
        taken: what was done; None: nobody said that anything was.
        taken_at: unix seconds.
        reward: 1: better when it was due, 0: not; None: not known yet.
    """

    account: str
    at: float
    due: float
    action: str
    label: str
    reason: str
    propensity: float
    chances: dict[str, float]
    context: dict[str, float]
    health: float
    risk: float
    rise: float
    config_version: str
    model_version: int
    actions_version: str
    taken: str | None = None
    taken_at: float | None = None
    reward: float | None = None


_decode: Final = msgspec.json.Decoder(Proposal).decode


def of(connection: Connection, account: str, limit: int = 100) -> list[Proposal]:
    """What was proposed for one account, newest first."""
    asked = select(_P.c.body, _P.c.reward).where(_P.c.account == account).order_by(_P.c.at.desc()).limit(limit)
    return _read(connection.execute(asked).all())


def every(connection: Connection) -> list[Proposal]:
    """The newest of all, oldest first."""
    asked = select(_P.c.body, _P.c.reward).order_by(_P.c.at.desc(), _P.c.account).limit(_MOST)
    return _read(connection.execute(asked).all())[::-1]


def state(connection: Connection) -> tuple[int, float]:
    """Changes when there are outcomes that were not there before."""
    known = select(func.count(), func.max(_P.c.due)).where(_P.c.reward.is_not(None))
    count, newest = connection.execute(known).one()
    return count, newest or 0.0


def keep(connection: Connection, one: Proposal) -> Proposal:
    """Write a proposal down; what is returned is the one that holds, if another process was quicker."""
    row = {"account": one.account, "at": one.at, "due": one.due, "reward": None, "body": _body(one)}
    connection.execute(insert(_P).values(row).on_conflict_do_nothing())
    found = connection.execute(
        select(_P.c.body, _P.c.reward).where(_P.c.account == one.account, _P.c.at == one.at)
    ).one()
    return _read([found])[0]


def tell(connection: Connection, one: Proposal, taken: str, at: float) -> Proposal:
    """Write down what was done."""
    told = msgspec.structs.replace(one, taken=taken, taken_at=at)
    here = (_P.c.account == one.account, _P.c.at == one.at)
    connection.execute(update(_P).where(*here).values(body=_body(told)))
    return told


def settle(connection: Connection, now: float) -> int:
    """Write down what came of proposals whose whole horizon has passed, whichever way it ended; how many.

    A customer is better if it was not lost, and its health is 60 or more, or higher by as much as was asked for.
    """
    asked = select(_P.c.account, _P.c.at, _P.c.body, _P.c.reward).where(_P.c.reward.is_(None), _P.c.due <= now)
    rows = connection.execute(asked.order_by(_P.c.due).limit(_MOST)).all()
    settled = 0
    for row in rows:
        for one in _read([row]):
            here = (_P.c.account == one.account, _P.c.at == one.at)
            found = movement.histories(connection, [one.account], [one.due])
            if not found:  # it is another account by now: what came of this one nobody knows
                connection.execute(delete(_P).where(*here))
                continue
            then = found[one.account][0]
            reward = float(_better(one, then) and not _lost(connection, one.account, one.due))
            connection.execute(update(_P).where(*here).values(reward=reward))
            settled += 1
    return settled


def _better(one: Proposal, health: float | None) -> bool:
    """Well, or better than it was."""
    return health is not None and (health >= GREEN or health >= one.health + one.rise)


def _lost(connection: Connection, account: str, at: float) -> bool:
    """Whether it had left by then: its newest band of before says so."""
    table = schema.ledger
    asked = select(table.c.band).where(table.c.account == account, table.c.at <= at)
    newest = asked.order_by(table.c.at.desc(), table.c.sequence.desc()).limit(1)
    return connection.scalar(newest) == "left"


def _read(rows: Any) -> list[Proposal]:
    found = []
    for row in rows:
        with suppress(msgspec.MsgspecError):  # of a newer program
            found.append(msgspec.structs.replace(_decode(row.body), reward=row.reward))
    return found


def _body(one: Proposal) -> str:
    return msgspec.json.encode(msgspec.structs.replace(one, reward=None)).decode()
