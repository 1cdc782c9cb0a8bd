"""Table `alerts` as a queue: what each destination is still to tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, and_, bindparam, select, update

from hub.sdk.actions import Action
from hub.sdk.contracts import Delivery
from hub.sdk.events import Scalar
from hub.store.schema import alerts
from sinks.outcomes import Settled
from sinks.queue import Item, asked
from sinks.words import name_of, subject

LIFE: Final = 3 * 86_400.0  # an alert that could not be sent for three days is no news any more
_STATES: Final = {"ok": "sent", "reject": "rejected", "retry": "due", "pending": "pending"}
_action = msgspec.json.Decoder(Action)
_THIS = and_(alerts.c.sink == bindparam("b_sink"), alerts.c.key == bindparam("b_key"))
_BEGIN: Final = update(alerts).where(_THIS).values(pushed_at=bindparam("b_pushed_at"))
_SETTLE: Final = (
    update(alerts)
    .where(_THIS, alerts.c.state != "sent")  # what was sent stays so, whoever says it
    .values(
        state=bindparam("b_state"),
        job=bindparam("b_job"),
        attempts=bindparam("b_attempts"),
        next_at=bindparam("b_next_at"),
        reason=bindparam("b_reason"),
    )
)

_SENT: Final = update(alerts).where(_THIS, alerts.c.state != "sent").values(state="sent", job=None, reason=None)


def parts(action: Action) -> dict[str, Scalar]:
    """An alert's parts, flat, as a sink is given them: `kind`, `name`, `subject`, `at` and the action's facts."""
    return {
        **action.facts,
        "kind": action.kind,
        "name": name_of(action),
        "subject": subject(action),
        "at": action.at,
    }


class AlertsQueue:
    """The rows of one sink of alerts."""

    def __init__(self, sink: str) -> None:
        self._sink = sink

    def due(self, connection: Connection, now: float, limit: int) -> list[Item]:
        """Alerts nobody has been told yet, oldest first."""
        rows = connection.execute(
            select(alerts)
            .where(alerts.c.sink == self._sink, alerts.c.state == "due", alerts.c.next_at <= now)
            .order_by(alerts.c.next_at, alerts.c.at)
            .limit(limit),
        )
        return sorted((self._item(row, now) for row in rows), key=lambda item: item.row)

    def jobs(self, connection: Connection, now: float) -> dict[str, list[Item]]:
        """Alerts taken but not sent yet."""
        rows = connection.execute(
            select(alerts)
            .where(alerts.c.sink == self._sink, alerts.c.state == "pending", asked(alerts.c.next_at, now))
            .order_by(alerts.c.key),
        )
        found: dict[str, list[Item]] = defaultdict(list)
        for row in rows:
            found[row.job or ""].append(self._item(row, row.pushed_at or now))
        return dict(found)

    def begin(self, connection: Connection, items: Sequence[Item]) -> None:
        """Note when they were tried."""
        binds = [{"b_sink": self._sink, "b_key": i.row, "b_pushed_at": i.pushed_at} for i in items]
        connection.execute(_BEGIN, binds)

    def settle(self, connection: Connection, settled: Sequence[Settled], now: float) -> None:  # noqa: ARG002 - a queue's shape
        """Record which were told."""
        connection.execute(
            _SETTLE,
            [
                {
                    "b_sink": self._sink,
                    "b_key": one.item.row,
                    "b_state": _STATES[one.word],
                    "b_job": one.job,
                    "b_attempts": one.attempts,
                    "b_next_at": one.next_at,
                    "b_reason": one.reason,
                }
                for one in settled
            ],
        )

    def replay(self, connection: Connection, row: str | None) -> int:
        """Rejected alerts are due again."""
        which = and_(alerts.c.sink == self._sink, alerts.c.state == "rejected")
        if row is not None:
            which = and_(which, alerts.c.key == row)
        return connection.execute(update(alerts).where(which).values(state="due", next_at=0.0)).rowcount

    def unsure(self, connection: Connection) -> list[str]:  # noqa: ARG002 - a queue's shape
        """None: an alert that may have been sent is sent again with the same key, and that once."""
        return []

    def doubt(self, connection: Connection, rows: Sequence[str]) -> None:
        """An alert that came late is still the alert."""

    def late(self, connection: Connection, settled: Sequence[Settled]) -> None:
        """What was sent was sent, even by somebody who holds no lease any more: nobody need send it again."""
        if sent := [one.item.row for one in settled if one.word == "ok"]:
            connection.execute(_SENT, [{"b_sink": self._sink, "b_key": row} for row in sent])

    def _item(self, row: Row[Any], pushed_at: float) -> Item:
        action = _action.decode(row.body)
        return Item(
            row=row.key,
            delivery=Delivery(
                key=row.key,
                account=row.account,
                target=row.target,
                fields=parts(action),
                health=action.health,
            ),
            body=row.body,
            attempts=row.attempts,
            pushed_at=pushed_at,
            expires_at=row.at + LIFE,
            job=row.job,
        )
