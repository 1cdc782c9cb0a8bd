"""What an account looked like at a moment, and what became of it a horizon later."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from sqlalchemy import Connection, bindparam, delete, select, update

from hub.store import schema
from hub.streams.room import Message

_TABLE: Final = schema.snapshots
_ONE: Final = (_TABLE.c.account == bindparam("whose"), _TABLE.c.at == bindparam("when"))
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
        expanded: whether what it pays grew as much as is asked about; None: nobody asks, or nothing could.
        early: whether only half the horizon has passed, and `lost` and `matured_at` are of that.
        segment: name of the card it was weighed by then, empty where no card fit; None where that is not known, as of
            snapshots taken while there were no cards.
    """

    account: str
    at: float
    matured_at: float
    lost: bool
    features: list[float]
    predictions: dict[str, float]
    config_version: str
    early: bool = False
    segment: str | None = None
    expanded: bool | None = None


class Waiting(msgspec.Struct, frozen=True):
    """A snapshot in table `snapshots`; the outcome is in (at, due], that of half the horizon in (at, half_due]."""

    account: str
    at: float
    due: float
    features: bytes
    predictions: dict[str, float]
    config_version: str
    half_due: float | None = None
    segment: str | None = None

    def ends(self, *, early: bool = False) -> float:
        """When all of its horizon, or half of it, has passed."""
        return self.due if self.half_due is None or not early else self.half_due

    def label(self, *, lost: bool, early: bool = False, expanded: bool | None = None) -> Label:
        """What it teaches, when all of its horizon or half of it has passed; of growth, only all of it does."""
        return Label(
            account=self.account,
            at=self.at,
            matured_at=self.ends(early=early),
            lost=lost,
            early=early,
            features=np.frombuffer(self.features, np.float32).tolist(),
            predictions=self.predictions,
            config_version=self.config_version,
            segment=self.segment,
            expanded=None if early else expanded,
        )


def row_of(waiting: Waiting, partition: int, model_version: int) -> tuple[Any, ...]:
    """A row of table `snapshots`."""
    return (
        waiting.account,
        waiting.at,
        partition,
        waiting.due,
        waiting.half_due,
        waiting.features,
        msgspec.json.encode(waiting.predictions).decode(),
        waiting.config_version,
        model_version,
        waiting.segment,
    )


def matured(
    connection: Connection, partitions: Collection[int], now: float, most: int | None = None, *, early: bool = False
) -> list[Waiting]:
    """Snapshots of these partitions of whose horizon all, or half, has passed and was not taught; oldest first."""
    due = _TABLE.c.half_due if early else _TABLE.c.due
    asked = (
        select(
            _TABLE.c.account,
            _TABLE.c.at,
            _TABLE.c.due,
            _TABLE.c.features,
            _TABLE.c.predictions,
            _TABLE.c.config_version,
            _TABLE.c.half_due,
            _TABLE.c.segment,
        )
        .where(_TABLE.c.partition.in_(list(partitions)), due <= now)
        .order_by(due, _TABLE.c.account)
        .limit(most)
    )
    return [
        Waiting(
            row.account,
            row.at,
            row.due,
            bytes(row.features),
            _predictions(row.predictions),
            row.config_version,
            row.half_due,
            row.segment,
        )
        for row in connection.execute(asked)
    ]


def taught(connection: Connection, labels: Sequence[Label]) -> None:
    """Each teaches once: take out those of whole horizons, and note those of half of them."""
    mine = [{"whose": label.account, "when": label.at} for label in labels if not label.early]
    if mine:
        connection.execute(delete(_TABLE).where(*_ONE), mine)
    halves = [{"whose": label.account, "when": label.at} for label in labels if label.early]
    if halves:
        connection.execute(update(_TABLE).where(*_ONE).values(half_due=None), halves)


def message(label: Label) -> Message:
    """What topic `labels` gets."""
    return Message(label.account.encode(), msgspec.json.encode(label))
