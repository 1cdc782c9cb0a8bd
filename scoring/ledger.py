"""The ledger: every change of health is a row, and the rows are what topic `health` is published from.

What was `was` of a row is `health` of the row before, so the deltas of an account always add up to the difference
between its first health and its last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from hub import Health
from hub.store import schema
from hub.store.bulk import insert_rows
from hub.streams.room import Message, Waiting

_TABLE: Final = schema.ledger
_INSERT: Final = insert(_TABLE)


def row_of(health: Health, parts: bytes | None) -> tuple[Any, ...]:
    """What the ledger keeps beside a message: account, at, health, was, band, was_band, and `scoring.parts`."""
    return (health.account, health.at, health.health, health.was, health.band, health.was_band, parts)


class Ledger:
    """The outbox (`hub.streams.room.Outbox`) of topic `health`: nothing is stored twice."""

    def append(self, connection: Connection, waiting: Sequence[Waiting]) -> None:
        """Write the rows of these messages."""
        rows = []
        for partition, sequence, message in waiting:
            *told, parts = message.row
            rows.append((partition, sequence, *told, message.value, parts))
        insert_rows(connection, _INSERT, rows)

    def read(self, connection: Connection, source: int, after: int, limit: int) -> Sequence[Waiting]:
        """Messages beyond sequence `after`, oldest first."""
        asked = (
            select(_TABLE.c.sequence, _TABLE.c.account, _TABLE.c.message)
            .where(_TABLE.c.partition == source, _TABLE.c.sequence > after)
            .order_by(_TABLE.c.sequence)
            .limit(limit)
        )
        return [
            Waiting(source, sequence, Message(account.encode(), bytes(message)))
            for sequence, account, message in connection.execute(asked)
        ]

    def published(self, connection: Connection, source: int, through: int) -> None:
        """The ledger stays: it is history."""
