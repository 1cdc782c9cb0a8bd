"""Receipts: every delivery leaves one, whatever became of it. The message of topic `deliveries`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, delete, insert, select

from hub.store.schema import receipts
from sinks.outcomes import Settled, Word

KEEP: Final = 90 * 86_400.0


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt.

    Attributes:
        at: unix seconds when the answer came.
        sink: the destination.
        account: our account's id.
        key: idempotency key, the same for every attempt at the same thing.
        outcome: how it ended.
        reason: why it was not taken.
        attempt: 1 for the first.
        took: seconds the call took; a batch's records share it.
        fields: what was written.
    """

    at: float
    sink: str
    account: str
    key: str
    outcome: Word
    reason: str | None
    attempt: int
    took: float
    fields: dict[str, Any]


def write(sink: str, settled: Sequence[Settled], at: float, took: float) -> list[Receipt]:
    """The receipts of one call."""
    return [
        Receipt(
            at=at,
            sink=sink,
            account=one.item.delivery.account,
            key=one.item.delivery.key,
            outcome=one.word,
            reason=one.reason,
            attempt=one.item.attempts + 1,
            took=took,
            fields=dict(one.item.delivery.fields),
        )
        for one in settled
    ]


def keep(connection: Connection, written: Sequence[Receipt]) -> None:
    """Store them."""
    rows = [{**msgspec.structs.asdict(r), "fields": msgspec.json.encode(r.fields).decode()} for r in written]
    if rows:
        connection.execute(insert(receipts), rows)


def forget(connection: Connection, before: float, limit: int = 5_000) -> int:
    """Let go of receipts older than `before`, at most `limit` at a time; how many went."""
    old = select(receipts.c.id).where(receipts.c.at < before).order_by(receipts.c.at).limit(limit)
    return connection.execute(delete(receipts).where(receipts.c.id.in_(old))).rowcount
