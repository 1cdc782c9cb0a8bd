"""A person's word about a customer's health: who said it, why, and until when; and every such word there was.

What scoring goes by is in the account's row, folded from the same events (`scoring.families.by_hand`). Table
`overrides` is what people read, one row for each word, never changed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select

from hub import Event, RejectedError, Scalar
from hub.store import schema
from hub.store.bulk import insert_rows
from hub.store.family import family
from hub.store.upserts import insert
from scoring.families.by_hand import KIND, MOST, OURS, until

_TABLE: Final = schema.overrides
_INSERT: Final = insert(_TABLE).on_conflict_do_nothing()
_LONGEST: Final = 366 * 86_400.0


class Override(NamedTuple):
    """One word.

    Attributes:
        at: unix seconds when it was said.
        until: unix seconds until when it holds; 0: it takes back what was said before.
        health: 0 to 100; None where it takes back.
        author: who said it.
        reason: why.
    """

    at: float
    until: float
    health: float | None
    author: str
    reason: str


def checked(said: Override) -> Override:
    """A word that can be taken.

    Raises:
        RejectedError: it lacks an author or a reason, is no health, or does not end within a year.
    """
    if not said.author.strip() or not said.reason.strip():
        raise RejectedError("who says so, and why? An override has an author and a reason")
    if said.health is not None:
        if not 0.0 <= said.health <= MOST:
            raise RejectedError(f"health is 0 to 100, not {said.health:g}")
        if not said.at < said.until <= said.at + _LONGEST:
            raise RejectedError("an override ends in the future, within a year: what nobody looks at again goes wrong")
    return said


def event(account: str, said: Override) -> Event:
    """The hub's event of a word, ready for the log."""
    at = datetime.fromtimestamp(said.at, UTC)
    told: dict[str, Scalar] = {"author": said.author, "reason": said.reason}
    if said.health is None:
        told["clear"] = True
    else:
        told["until"] = datetime.fromtimestamp(said.until, UTC).isoformat()
    return Event(
        id=f"{OURS}:override:{account}:{at.isoformat()}",
        kind=KIND,
        account=account,
        connection=OURS,
        occurred_at=at,
        value=said.health,
        properties=told,
    )


def rows(told: Iterable[tuple[str, Event]]) -> list[tuple[Any, ...]]:
    """Rows of table `overrides` for those of these events, each with its account, that are such words."""
    found = []
    for account, one in told:
        if one.kind != KIND or math.isnan(end := until(one)):
            continue
        author, reason = (str(one.properties.get(name, "")) for name in ("author", "reason"))
        health = one.value if end else None
        found.append((one.id, account, one.occurred_at.timestamp(), end, health, author, reason))
    return found


def write(connection: Connection, found: Sequence[tuple[Any, ...]]) -> None:
    """Keep them."""
    insert_rows(connection, _INSERT, list(found))


def history(connection: Connection, account: str, limit: int = 50) -> list[Override]:
    """What was said of an account and of those merged into it, newest first."""
    c = _TABLE.c
    asked = select(c.at, c.until, c.health, c.author, c.reason).where(c.account.in_(family(connection, account)))
    asked = asked.order_by(c.at.desc(), c.until.desc(), c.health.desc()).limit(limit)
    return [Override(*row) for row in connection.execute(asked)]


def current(connection: Connection, account: str, now: float) -> Override | None:
    """The word that holds at `now`; None if nobody's does."""
    newest = next(iter(history(connection, account, 1)), None)
    return newest if newest is not None and now < newest.until else None
