"""Table `desired` as a queue: what a destination should show, and what it shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, and_, bindparam, case, exists, null, select, update

from hub.sdk.contracts import Delivery
from hub.store.schema import desired, merges
from sinks.outcomes import Settled
from sinks.queue import Item, asked

_THIS = and_(desired.c.sink == bindparam("b_sink"), desired.c.account == bindparam("b_account"))
# the row may have moved on while its push was under way: to another value, or to another record over there
_SAME_TARGET = desired.c.target == bindparam("b_target")
_TOLD = and_(_SAME_TARGET, desired.c.pushing == bindparam("b_body"))  # and no doubt came in between, see `doubt`
_SAME = and_(_TOLD, desired.c.fields == bindparam("b_body"))
_ELSE = case((desired.c.target.is_(None), "absent"), else_="due")

_BEGIN: Final = update(desired).where(_THIS).values(pushing=bindparam("b_body"), pushed_at=bindparam("b_pushed_at"))
_OK: Final = (
    update(desired)
    .where(_THIS)
    .values(
        shown=case((_TOLD, bindparam("b_body")), else_=null()),
        shown_at=case((_TOLD, bindparam("b_now")), else_=null()),
        state=case((_SAME, "shown"), else_=_ELSE),
        pushing=None,
        job=None,
        attempts=0,
        next_at=0.0,
        reason=None,
    )
)
_REJECT: Final = (
    update(desired)
    .where(_THIS)
    .values(
        state=case((_SAME, "rejected"), else_=_ELSE),
        pushing=None,
        job=None,
        attempts=bindparam("b_attempts"),
        reason=bindparam("b_reason"),
    )
)
_RETRY: Final = (  # `pushing` stays: it may have arrived all the same
    update(desired)
    .where(_THIS)
    .values(
        state=_ELSE,
        job=None,
        attempts=bindparam("b_attempts"),
        next_at=bindparam("b_next_at"),
        reason=bindparam("b_reason"),
    )
)
_PENDING: Final = (
    update(desired).where(_THIS).values(state="pending", job=bindparam("b_job"), next_at=bindparam("b_next_at"))
)
_DOUBT: Final = (
    update(desired)
    .where(_THIS)
    .values(
        shown=None,
        shown_at=None,
        pushing=None,  # so that a call that is under way now settles nothing when it ends
        state=case((desired.c.state == "shown", "due"), else_=desired.c.state),
        next_at=case((desired.c.state == "shown", 0.0), else_=desired.c.next_at),
    )
)
_BY_WORD: Final = {"ok": _OK, "reject": _REJECT, "retry": _RETRY, "pending": _PENDING}


class FieldsQueue:
    """The rows of one sink of fields."""

    def __init__(self, sink: str) -> None:
        self._sink = sink

    def due(self, connection: Connection, now: float, limit: int) -> list[Item]:
        """Accounts that show something else than they should; none that was merged away."""
        rows = connection.execute(
            select(desired)
            .where(
                desired.c.sink == self._sink,
                desired.c.state == "due",
                desired.c.next_at <= now,
                desired.c.target.is_not(None),
                ~exists().where(merges.c.absorbed == desired.c.account),
            )
            .order_by(desired.c.next_at)
            .limit(limit),
        )
        return sorted((self._item(row, row.fields, now) for row in rows), key=lambda item: item.row)

    def jobs(self, connection: Connection, now: float) -> dict[str, list[Item]]:
        """Accounts whose push is not done yet, with the value that was pushed."""
        rows = connection.execute(
            select(desired)
            .where(desired.c.sink == self._sink, desired.c.state == "pending", asked(desired.c.next_at, now))
            .order_by(desired.c.account),
        )
        found: dict[str, list[Item]] = defaultdict(list)
        for row in rows:
            found[row.job or ""].append(self._item(row, row.pushing or row.fields, row.pushed_at or now))
        return dict(found)

    def begin(self, connection: Connection, items: Sequence[Item]) -> None:
        """Note the value on its way."""
        connection.execute(_BEGIN, [self._binds(i) | {"b_pushed_at": i.pushed_at} for i in items])

    def settle(self, connection: Connection, settled: Sequence[Settled], now: float) -> None:
        """Record what each account shows now."""
        by_word: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for one in settled:
            binds = self._binds(one.item)
            match one.word:
                case "ok":
                    binds |= {"b_target": one.item.delivery.target, "b_now": now}
                case "reject":
                    binds |= {
                        "b_target": one.item.delivery.target,
                        "b_attempts": one.attempts,
                        "b_reason": one.reason,
                    }
                case "retry":
                    del binds["b_body"]
                    binds |= {"b_attempts": one.attempts, "b_next_at": one.next_at, "b_reason": one.reason}
                case "pending":
                    del binds["b_body"]
                    binds |= {"b_job": one.job, "b_next_at": one.next_at}
            by_word[one.word].append(binds)
        for word, rows in by_word.items():
            connection.execute(_BY_WORD[word], rows)

    def replay(self, connection: Connection, row: str | None) -> int:
        """Rejected accounts are due again, with the value wanted now."""
        which = and_(desired.c.sink == self._sink, desired.c.state == "rejected")
        if row is not None:
            which = and_(which, desired.c.account == row)
        return connection.execute(update(desired).where(which).values(state="due", next_at=0.0)).rowcount

    def again(self, connection: Connection) -> int:
        """What the destination was told is not to be relied on: all it should show is due again."""
        told = and_(desired.c.sink == self._sink, desired.c.state == "shown")
        return connection.execute(update(desired).where(told).values(state="due", shown=None, next_at=0.0)).rowcount

    def unsure(self, connection: Connection) -> list[str]:
        """Accounts of which a push began and nobody wrote down how it ended; jobs are known, and asked after."""
        which = and_(desired.c.sink == self._sink, desired.c.state == "due", desired.c.pushing.is_not(None))
        return list(connection.scalars(select(desired.c.account).where(which).order_by(desired.c.account)))

    def doubt(self, connection: Connection, rows: Sequence[str]) -> None:
        """These may have been told something old, later than we thought: whatever they show, tell them again.

        That holds against a call under way and against a job: neither ends as `shown`.
        """
        if rows:
            connection.execute(_DOUBT, [{"b_sink": self._sink, "b_account": row} for row in rows])

    def late(self, connection: Connection, settled: Sequence[Settled]) -> None:
        """A call of somebody who holds no lease any more: it may have come after a newer one."""
        self.doubt(connection, [one.item.row for one in settled])

    def _binds(self, item: Item) -> dict[str, Any]:
        return {"b_sink": self._sink, "b_account": item.row, "b_body": item.body}

    def _item(self, row: Row[Any], body: str, pushed_at: float) -> Item:
        delivery = Delivery(
            key=f"{row.sink}:{row.account}:{row.sequence}",
            account=row.account,
            target=row.target or "",
            fields=msgspec.json.decode(body, type=dict[str, Any]),
        )
        return Item(
            row=row.account,
            delivery=delivery,
            body=body,
            attempts=row.attempts,
            pushed_at=pushed_at,
            job=row.job,
        )
