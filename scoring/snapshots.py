"""What an account looked like at a moment, and what became of it a horizon later."""

from __future__ import annotations

import msgspec


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
