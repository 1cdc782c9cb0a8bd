"""How a customer is: the value that scoring publishes and everything downstream reads."""

from __future__ import annotations

from typing import Literal

import msgspec

Band = Literal["thriving", "steady", "watch", "at_risk", "left"]
"""Best first; `left` is a customer no more, whatever its health."""


class Driver(msgspec.Struct, frozen=True, array_like=True):
    """A signed share of a health value.

    Attributes:
        name: the measure's or expert's name, `open_urgent_tickets`.
        text: the same for people, with its number: `3 urgent tickets open`.
        points: health points it adds to (or takes from) the base; drivers and `rest` sum to health minus base.
        dimension: `adoption`, `support`, `billing`, ...
    """

    name: str
    text: str
    points: float
    dimension: str = ""


class Health(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One account's health at one moment; the message of topic `health`.

    Attributes:
        account: our account's id.
        at: unix seconds of the moment it holds for.
        health: 0 to 100.
        band: with hysteresis, so that it does not flicker.
        risk: probability of churn within the horizon, 0 to 1.
        base: the health of a customer of whom nothing is known.
        drivers: the strongest few, strongest first.
        rest: points of all the other drivers together; base + drivers + rest = health.
        was: the health before, None the first time.
        was_band: the band before, None the first time.
        moved_by: what changed between the two, in points, strongest first.
        causes: ids of the events that caused the change; empty when time alone did.
        config_version: the measures and scorecard it was computed with.
        model_version: the models it was computed with; 0 before any.
        name: what people call the customer, where known.
        card: of its segment, by which it was weighed; empty: the scorecard itself.
        computed: what it would be had nobody set it by hand; None: nobody has.
    """

    account: str
    at: float
    health: float
    band: Band
    risk: float
    base: float
    drivers: list[Driver]
    rest: float = 0.0
    was: float | None = None
    was_band: Band | None = None
    moved_by: list[Driver] = msgspec.field(default_factory=list)
    causes: list[str] = msgspec.field(default_factory=list)
    config_version: str = ""
    model_version: int = 0
    name: str | None = None
    card: str = ""
    computed: float | None = None
