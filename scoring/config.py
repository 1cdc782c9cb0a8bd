"""What an installation measures and how it weighs it: validated data, with a version made of its contents."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    field_serializer,
    model_validator,
)

from hub import Scalar
from scoring import expression
from scoring.conditions import checked
from scoring.declared import Data, Duration, listed
from scoring.outcome import Expansion, Outcome

_DAY = 86_400.0
_LONGEST_EXACT = 92 * _DAY


def coefficients(value: object) -> object:
    """A list of kinds counts each of them once: `[a, b]` is `{a: 1, b: 1}`."""
    return dict.fromkeys(value, 1.0) if isinstance(value, list) else value


Kinds = Annotated[dict[str, float], BeforeValidator(coefficients)]
_NEEDS: dict[str, tuple[str, ...]] = {
    "sum": ("kinds", "of"),
    "count": ("kinds",),
    "last": ("kinds", "of"),
    "recency": ("kinds",),
    "tenure": ("kinds",),
    "active_days": ("kinds",),
    "days": ("kinds", "window"),
    "exact": ("kinds", "window"),
    "gauge": ("kinds",),
    "date": ("kinds", "of", "read"),
    "ratio": ("top", "bottom"),
    "people": ("kinds",),
    "entities": ("entity", "read"),
    "trend": ("short", "long"),
}


class Measure(Data):
    """A number kept per account, updated by events; `family` says how.

    count, sum: of events or of their amounts, each worth half as much a half-life later.
    last: the newest rating. recency: days since the newest, tenure: since the first. active_days: of the last 28, days:
    of the last `window`; exact: counts or sums of that window, to the day. people: distinct, of the last 28 days.
    trend: a short half-life's pace over a long one's, 1: steady. gauge: what was opened and not closed. date: days
    until or since a date that events tell. ratio: of two other measures. entities: how many tickets are open, what the
    subscriptions are worth. Events in any order, however often delivered, give the same number.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    family: Literal[
        "sum",
        "count",
        "exact",
        "gauge",
        "last",
        "recency",
        "tenure",
        "date",
        "active_days",
        "days",
        "people",
        "entities",
        "trend",
        "ratio",
    ]
    kinds: Kinds = Field(default_factory=dict, description="event kind -> coefficient; or a list of kinds")
    where: dict[str, Scalar | list[Scalar]] = Field(
        default_factory=dict, description="property -> value it must have, or a list of them"
    )
    of: Annotated[str, AfterValidator(expression.checked)] | None = Field(
        None,
        description="what an event is worth: `amount`, `value`, `polarity` (how its text sounds, -1 to 1), "
        "`properties.seats`, or arithmetic on such",
    )
    half_life: Duration = math.inf
    window: Duration | None = Field(
        None, ge=_DAY, le=730 * _DAY, description="how far back; days: at most two years, exact: at most 92 days"
    )
    short: str | None = Field(None, description="trend: the measure with the short half-life")
    long: str | None = Field(None, description="trend: the measure with the long half-life")
    top: str | None = Field(None, description="ratio: the measure that is divided")
    bottom: str | None = Field(None, description="ratio: the measure by which; where it is 0, nothing is known")
    entity: Literal["ticket", "subscription", "invoice", "opportunity"] | None = None
    read: Literal["open", "urgent", "sum", "oldest", "until", "since"] | None = Field(
        None, description="entities: what of them; date: days until it, or since it"
    )
    stale_after: Duration | None = Field(
        None, description="unknown again when nothing it counts has been heard for so long"
    )
    registers: int = Field(96, ge=16, le=1024, description="people: memory; 96 are within 11 % up to 200 people")
    dimension: str
    zero: str = Field("", description="said instead of the label when the number is zero: `used today`")
    label: str = Field(description="for people, `{n}` stands for the number: `{n} urgent tickets open`")
    unit: str = ""
    direction: Literal["up", "down"] = Field(description="whether more is better")
    actionable: bool = Field(
        default=False,
        description="whether somebody can do something about it today: `what would bring it to green` names only such",
    )
    later: ClassVar[frozenset[str]] = frozenset({"actionable", "window", "top", "bottom", "stale_after"})

    @field_serializer("half_life")
    def _written(self, value: float) -> float | str:
        return "forever" if math.isinf(value) else value  # JSON has no infinity

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if lacking := [name for name in _NEEDS[self.family] if not getattr(self, name)]:
            raise ValueError(f"measure {self.name}: family {self.family} needs {' and '.join(lacking)}")
        if self.read is not None and (self.read in ("until", "since")) != (self.family == "date"):
            raise ValueError(f"measure {self.name}: family {self.family} does not read {self.read}")
        if self.family == "date":
            expression.moment(self.of or "")
        if self.family == "gauge" and not math.isinf(self.half_life):
            raise ValueError(f"measure {self.name}: what is open does not fade; a gauge has no half_life")
        if self.family == "exact" and self.window is not None and self.window > _LONGEST_EXACT:
            raise ValueError(f"measure {self.name}: to the day at most 92 days are kept; use `sum` with a half_life")
        if self.stale_after is not None and self.family in ("entities", "ratio"):
            raise ValueError(f"measure {self.name}: family {self.family} has no stale_after")
        return self


class Transform(Data):
    """How a measure becomes a score between 0 and 1."""

    measure: str
    weight: float = Field(gt=0)
    kind: Literal["linear", "bands", "percentile"] = "linear"
    low: float | None = None
    high: float | None = None
    bands: list[tuple[float, float]] = Field(default_factory=list, description="[(at least, score)], ascending")
    missing: Literal["neutral", "worst", "best", "redistribute"] = Field(
        "neutral", description="what an unknown counts as; redistribute: its weight goes to what is known"
    )
    among: Literal["segment", "all"] = Field(
        "segment", description="percentile: compared with whom its card weighs, or with all customers"
    )
    later: ClassVar[frozenset[str]] = frozenset({"among"})

    @model_validator(mode="after")
    def _alone(self) -> Self:
        if self.kind == "percentile" and (self.low is not None or self.high is not None or self.bands):
            raise ValueError(
                f"{self.measure}: a percentile takes no bounds and no bands; the measure says which end is good"
            )
        return self


class Dimension(Data):
    """A side of the relationship: adoption, support, billing, relationship, sentiment."""

    name: str
    weight: float = Field(gt=0)
    measures: list[Transform]


class Limit(Data):
    """What no weighing may overrule: health is at most `cap`, at least `floor`, while all of `when` hold."""

    when: dict[str, Annotated[str, AfterValidator(checked)]] = Field(
        min_length=1, description="measure -> condition: `>= 1`, `< 30`, `= 0`, `known`, `unknown`"
    )
    cap: float | None = Field(None, ge=0, le=100)
    floor: float | None = Field(None, ge=0, le=100)
    say: str = Field("", description="why, in words; else what the measures of `when` say")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.cap is None) == (self.floor is None):
            raise ValueError("a limit is a `cap` or a `floor`, one of them")
        return self


class SegmentCard(Data):
    """Other weights, for customers of one kind: those whose facts meet all of `when`."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    when: dict[str, Annotated[list[str | float | bool], BeforeValidator(listed)]] = Field(
        min_length=1, description="fact of the customer -> the value it must have, a list of such, or `>= 100`"
    )
    dimensions: list[Dimension] = Field(min_length=1)
    limits: list[Limit] | None = Field(None, description="floors and caps; else those of the scorecard")

    def named(self) -> Iterator[tuple[str, str]]:
        """Every measure it names, and where."""
        return _named(self.dimensions, self.limits or (), f"card {self.name}, ")


class Scorecard(Data):
    """Dimensions and weights, what churn means, and the bands."""

    dimensions: list[Dimension]
    outcome: Outcome
    base_rate: float = Field(0.05, gt=0, lt=1, description="share lost within the horizon before it is known")
    bands: dict[Literal["thriving", "steady", "watch"], float] = Field(
        default={"thriving": 80.0, "steady": 60.0, "watch": 40.0},
        description="health from which a band begins; below all of them is at_risk",
    )
    hysteresis: float = Field(3.0, ge=0, description="points beyond a border before the band changes")
    limits: list[Limit] = Field(default_factory=list, description="floors and caps")
    cards: list[SegmentCard] = Field(
        default_factory=list, max_length=16, description="by priority: the first that fits weighs, else `dimensions`"
    )
    silent_after: Duration = Field(
        3 * _DAY, description="a source from which nothing at all came for so long is silent; alerts wait for it"
    )
    rollup: Literal["value", "average"] = Field(
        "value", description="how an account with parts is seen as one: each by what it pays, or all alike"
    )
    expansion: Expansion | None = Field(None, description="how likely a customer pays more, where that is asked")
    later: ClassVar[frozenset[str]] = frozenset({"limits", "cards", "rollup", "silent_after", "expansion"})

    @model_validator(mode="after")
    def _apart(self) -> Self:
        names = [card.name for card in self.cards]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"card {twice[0]} is declared twice")
        return self

    def numbers(self) -> Iterator[tuple[str, str]]:
        """Every measure of which it asks what it was at moments of the past, and where."""
        yield from self.outcome.named()
        if self.expansion is not None:
            yield "expansion", self.expansion.measure

    def named(self) -> Iterator[tuple[str, str]]:
        """Every measure it names, and where."""
        yield from _named(self.dimensions, self.limits, "")
        for card in self.cards:
            yield from card.named()


def _named(dimensions: Iterable[Dimension], limits: Iterable[Limit], where: str) -> Iterator[tuple[str, str]]:
    for dimension in dimensions:
        for transform in dimension.measures:
            yield f"{where}dimension {dimension.name}", transform.measure
    for limit in limits:
        for name in limit.when:
            yield f"{where}limits", name


class Config(Data):
    """All that scoring is told: what to measure, how to weigh it, what losing a customer means."""

    measures: tuple[Measure, ...] = Field(min_length=1)
    scorecard: Scorecard

    @cached_property
    def body(self) -> str:
        """The whole of it as JSON, the same for the same contents."""
        return _written(self.model_dump(mode="python"))

    @cached_property
    def version(self) -> str:
        """12 hex digits of all that weighs: the same file gives the same version anywhere."""
        weighing = self.model_dump(mode="python", exclude={"measures": {"__all__": {"actionable"}}})
        return hashlib.blake2b(_written(weighing).encode(), digest_size=6).hexdigest()

    def _check_ratio(self, ratio: Measure) -> None:
        families = {measure.name: measure.family for measure in self.measures}
        for name in (ratio.top or "", ratio.bottom or ""):
            if families.get(name, "ratio") == "ratio":
                raise ValueError(f"measure {ratio.name}: {name} is no measure that can be divided")

    def _check_outcome(self, way: str, name: str) -> None:
        """Whether what a measure was at any moment of the past follows from the events before it."""
        where = way if way == "expansion" else f"outcome, {way}"
        said = f"{where}: {name}"
        measure = next((one for one in self.measures if one.name == name), None)
        if measure is None:
            raise ValueError(f"{where}: there is no measure {name}")
        if measure.stale_after is not None:
            raise ValueError(f"{said} has a stale_after, and of what is unknown nobody is lost: declare one without")
        if way == "not_renewed" and (measure.family, measure.read) != ("date", "until"):
            raise ValueError(f"{said} is no date until which a contract runs (family date, read until)")
        if way != "not_renewed" and not _stands(measure):
            raise ValueError(f"{said} moves as time passes: name one of entities (sum, open), last or gauge")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [measure.name for measure in self.measures]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"measure {twice[0]} is declared twice")
        counted = {m.name: m for m in self.measures if m.family in ("count", "sum")}
        for measure in self.measures:
            if measure.family == "trend":
                for name in (measure.short or "", measure.long or ""):
                    if name not in counted or not math.isfinite(counted[name].half_life):
                        raise ValueError(f"measure {measure.name}: {name} is no count or sum with a half-life")
            if measure.family == "ratio":
                self._check_ratio(measure)
        for where, name in self.scorecard.numbers():
            self._check_outcome(where, name)
        for where, name in self.scorecard.named():
            if name not in names:
                raise ValueError(f"{where}: there is no measure {name}")
        return self


def _stands(measure: Measure) -> bool:
    """Whether a number changes with events alone, and never as time passes."""
    if measure.family == "entities":
        return measure.entity != "ticket" and measure.read in ("sum", "open")
    return measure.family in ("last", "gauge")


def _written(document: dict[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"))
