"""What an installation measures and how it weighs it: YAML in, validated data out."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_UNITS = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def seconds(value: object) -> object:
    """`30d`, `12h`, `90m`, `2w` or a number of seconds, as seconds; `forever` as infinity."""
    if value == "forever":
        return math.inf
    if isinstance(value, str) and (found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([mhdw])", value)):
        return float(found[1]) * _UNITS[found[2]]
    return value


Duration = Annotated[float, BeforeValidator(seconds)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Measure(_Data):
    """A number kept per account, updated by events.

    `family` says how it is kept; `hub` docs list them. The families are commutative: events in any order and
    repeated deliveries give the same number.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    family: Literal["sum", "count", "last", "recency", "active_days", "people", "entities", "trend"]
    kinds: dict[str, float] = Field(default_factory=dict, description="event kind -> coefficient")
    where: dict[str, Any] = Field(default_factory=dict, description="property -> value it must have")
    of: Literal["amount", "value"] | None = None
    half_life: Duration = math.inf
    short: str | None = Field(None, description="trend: the measure with the short half-life")
    long: str | None = Field(None, description="trend: the measure with the long half-life")
    entity: Literal["ticket", "subscription", "invoice", "opportunity"] | None = None
    read: Literal["open", "urgent", "sum", "oldest"] | None = Field(None, description="entities: what of them")
    dimension: str
    label: str = Field(description="for people, `{n}` stands for the number: `{n} urgent tickets open`")
    unit: str = ""
    direction: Literal["up", "down"] = Field(description="whether more is better")


class Transform(_Data):
    """How a measure becomes a score between 0 and 1."""

    measure: str
    weight: float = Field(gt=0)
    kind: Literal["linear", "bands"] = "linear"
    low: float | None = None
    high: float | None = None
    bands: list[tuple[float, float]] = Field(default_factory=list, description="[(at least, score)], ascending")
    missing: Literal["neutral", "worst", "best"] = "neutral"


class Dimension(_Data):
    """A side of the relationship: adoption, support, billing, relationship, sentiment."""

    name: str
    weight: float = Field(gt=0)
    measures: list[Transform]


class Outcome(_Data):
    """What losing a customer means, and how far ahead it is predicted.

    With `silence`, an account is lost when none of `kinds` happens within the horizon; without, when one does.
    """

    horizon: Duration
    every: Duration = Field(description="time between two snapshots of an account")
    kinds: list[str]
    silence: bool = False


class Scorecard(_Data):
    """Dimensions and weights, what churn means, and the bands."""

    dimensions: list[Dimension]
    outcome: Outcome
    base_rate: float = Field(0.05, gt=0, lt=1, description="share lost within the horizon before it is known")
    bands: dict[Literal["thriving", "steady", "watch"], float] = Field(
        default_factory=lambda: {"thriving": 80.0, "steady": 60.0, "watch": 40.0},
        description="health from which a band begins; below all of them is at_risk",
    )
    hysteresis: float = Field(3.0, ge=0, description="points beyond a border before the band changes")
