"""What an account looked like at a moment, and what became of it a horizon later."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from sqlalchemy import Connection, bindparam, delete, select

from hub.store import schema
from hub.store.family import family
from hub.streams.room import Message

_TABLE: Final = schema.snapshots
_predictions: Final = msgspec.json.Decoder(dict[str, float]).decode


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot whose horizon has passed, whichever way it ended; the message of topic `labels`, keyed by account.

    Attributes:
        account: our account's id.
        at: unix seconds of the snapshot; with the account, its identity.
        matured_at: unix seconds when its whole horizon had passed.
        lost: whether the customer was lost within it.
        features: as `Scores.features` had them, in the order of `config_version`; all finite.
        predictions: probabilities by expert and of the `mix`, as predicted then.
        config_version: the measures and scorecard it was taken with.
    """

    account: str
    at: float
    matured_at: float
    lost: bool
    features: list[float]
    predictions: dict[str, float]
    config_version: str


class Waiting(msgspec.Struct, frozen=True):
    """A snapshot in table `snapshots`; the outcome is in (at, due]."""

    account: str
    at: float
    due: float
    features: bytes
    predictions: dict[str, float]
    config_version: str

    def label(self, *, lost: bool) -> Label:
        """What it teaches."""
        return Label(
            account=self.account,
            at=self.at,
            matured_at=self.due,
            lost=lost,
            features=np.frombuffer(self.features, np.float32).tolist(),
            predictions=self.predictions,
            config_version=self.config_version,
        )


def row_of(waiting: Waiting, partition: int, model_version: int) -> tuple[Any, ...]:
    """A row of table `snapshots`."""
    return (
        waiting.account,
        waiting.at,
        partition,
        waiting.due,
        waiting.features,
        msgspec.json.encode(waiting.predictions).decode(),
        waiting.config_version,
        model_version,
    )


def matured(connection: Connection, partitions: Collection[int], now: float, most: int | None = None) -> list[Waiting]:
    """Snapshots of these partitions whose whole horizon has passed, oldest first."""
    asked = (
        select(
            _TABLE.c.account,
            _TABLE.c.at,
            _TABLE.c.due,
            _TABLE.c.features,
            _TABLE.c.predictions,
            _TABLE.c.config_version,
        )
        .where(_TABLE.c.partition.in_(list(partitions)), _TABLE.c.due <= now)
        .order_by(_TABLE.c.due, _TABLE.c.account)
        .limit(most)
    )
    return [
        Waiting(row.account, row.at, row.due, bytes(row.features), _predictions(row.predictions), row.config_version)
        for row in connection.execute(asked)
    ]


def happened(connection: Connection, waiting: Waiting, kinds: Sequence[str]) -> bool:
    """Whether an event of these kinds lies within the horizon, by the archive: for a row that lost its mark."""
    archive = schema.archive
    asked = select(archive.c.row).where(
        archive.c.account.in_(family(connection, waiting.account)),
        archive.c.occurred_at > waiting.at,
        archive.c.occurred_at <= waiting.due,
        archive.c.kind.in_(list(kinds)),
    )
    return connection.scalar(asked.limit(1)) is not None


def drop(connection: Connection, labels: Sequence[Label]) -> None:
    """Take matured snapshots out of the table: each teaches once."""
    if labels:
        gone = delete(_TABLE).where(_TABLE.c.account == bindparam("whose"), _TABLE.c.at == bindparam("when"))
        connection.execute(gone, [{"whose": label.account, "when": label.at} for label in labels])


def message(label: Label) -> Message:
    """What topic `labels` gets."""
    return Message(label.account.encode(), msgspec.json.encode(label))
