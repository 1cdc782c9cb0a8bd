"""What the API answers to questions about why a health is what it is."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from hub.sdk.health import Band
from hub.web.api.shapes import DriverOut
from hub.web.words import iso
from scoring.explaining.answers import Outcome, Reached, Step, Supposed
from scoring.explaining.entries import Cause, Change
from scoring.explaining.moved import Book, Moved, Mover, Some
from scoring.explaining.why import By, Share


class _Told(BaseModel):
    """Made of one of scoring's answers by attribute."""

    model_config = {"from_attributes": True}


class ShareOut(_Told):
    """What one part did to a health."""

    name: str
    text: str = Field(description="for people, as it is after", examples=["3 urgent tickets open"])
    was: str = Field(description="its number before; empty where it was the same or is no measure's")
    points: float = Field(description="all shares sum to the difference, within 1e-9")
    odds: float | None = Field(description="the same in log odds of staying; null: not known of an old row")
    dimension: str
    by: By = Field(description="what made it move: events, time, a newer model, another scorecard, ...")

    @classmethod
    def of(cls, shares: list[Share]) -> list[Self]:
        """Each of them."""
        return [cls(**{**_plain(one), "odds": one.odds if one.odds == one.odds else None}) for one in shares]


class CauseOut(_Told):
    """An event that made a health change."""

    id: str
    kind: str | None = Field(description="null: the archive has let go of it")
    at: str | None
    connection: str
    text: str

    @classmethod
    def one(cls, cause: Cause) -> Self:
        """From scoring's."""
        return cls(**{**_plain(cause), "at": iso(cause.at) or None})


class LedgerEntry(BaseModel):
    """One change of health."""

    at: str
    health: float
    was: float | None
    band: Band
    was_band: Band | None
    shares: list[ShareOut] = Field(description="all that moved it, strongest first; they sum to health - was")
    moved_by: list[DriverOut] = Field(description="the strongest few as they were published, rounded")
    causes: list[str] = Field(description="ids of the events that caused it; empty when time alone did")
    events: list[CauseOut] = Field(description="the same events, told")
    passed: float | None = Field(description="seconds since the change before")
    exact: bool = Field(description="false: a program of before wrote the row, and it names the strongest few")
    config_version: str
    model_version: int

    @classmethod
    def one(cls, change: Change) -> Self:
        """From scoring's."""
        return cls(
            at=iso(change.at),
            health=change.health,
            was=change.was,
            band=change.band,
            was_band=change.was_band,
            shares=ShareOut.of(change.shares),
            moved_by=[
                DriverOut(name=d.name, text=d.text, points=d.points, dimension=d.dimension) for d in change.moved_by
            ],
            causes=[cause.id for cause in change.causes],
            events=[CauseOut.one(cause) for cause in change.causes],
            passed=change.passed,
            exact=change.exact,
            config_version=change.config_version,
            model_version=change.model_version,
        )


class Ledger(BaseModel):
    """A page of the ledger, newest first."""

    entries: list[LedgerEntry]
    next: str | None


class MovedOut(BaseModel):
    """How one customer moved."""

    account: str
    since: str
    until: str
    was: float | None = Field(description="null: it had no health in all that time that is still known")
    health: float | None
    was_band: Band | None
    band: Band | None
    shares: list[ShareOut] = Field(description="strongest first; they sum to health - was")
    began: str | None = Field(description="when it was scored first, where that lies in the period")
    changes: int = Field(description="entries of its ledger in the period")

    @classmethod
    def one(cls, moved: Moved) -> Self:
        """From scoring's."""
        times = {"since": iso(moved.since), "until": iso(moved.until), "began": iso(moved.began) or None}
        return cls(**{**_plain(moved), **times, "shares": ShareOut.of(moved.shares)})


class MoverOut(BaseModel):
    """One customer of a book."""

    account: str
    name: str
    was: float | None
    health: float
    was_band: Band | None
    band: Band
    shares: list[ShareOut]

    @classmethod
    def of(cls, movers: list[Mover]) -> list[Self]:
        """Each of them."""
        return [cls(**{**_plain(one), "shares": ShareOut.of(one.shares)}) for one in movers]


class SomeOut(BaseModel):
    """How many there are, and the first of them."""

    number: int
    first: list[MoverOut]

    @classmethod
    def one(cls, some: Some) -> Self:
        """From scoring's."""
        return cls(number=some.number, first=MoverOut.of(some.first))


class PartOut(_Told):
    """What one part did to the mean health of a book."""

    name: str
    text: str
    dimension: str
    points: float = Field(description="of the mean health; all parts sum to its difference, within 1e-9")
    fell: int = Field(description="customers that it took points from")
    rose: int


class BookOut(BaseModel):
    """How a book moved."""

    since: str
    until: str
    accounts: int = Field(description="customers at both ends")
    fell: int
    rose: int
    was: float | None = Field(description="their mean health")
    health: float | None
    parts: list[PartOut] = Field(description="strongest first; they sum to health - was")
    movers: list[MoverOut] = Field(description="who moved furthest")
    bands: SomeOut = Field(description="who is in another band")
    came: SomeOut = Field(description="who was scored first in the period, or came back")
    left: SomeOut

    @classmethod
    def one(cls, book: Book) -> Self:
        """From scoring's."""
        return cls(
            **{
                **_plain(book),
                "since": iso(book.since),
                "until": iso(book.until),
                "parts": [PartOut.model_validate(part) for part in book.parts],
                "movers": MoverOut.of(book.movers),
                "bands": SomeOut.one(book.bands),
                "came": SomeOut.one(book.came),
                "left": SomeOut.one(book.left),
            }
        )


class StepOut(_Told):
    """One measure that would read otherwise."""

    name: str
    label: str
    now: str = Field(examples=["3 tickets open"])
    then: str = Field(examples=["no tickets open"])
    value: float | None = Field(description="what it would read; null: not known")
    actionable: bool = Field(description="whether somebody can do something about it")

    @classmethod
    def of(cls, steps: list[Step]) -> list[Self]:
        """Each of them."""
        return [cls.model_validate(one) for one in steps]


class OutcomeOut(BaseModel):
    """What would come of a change."""

    steps: list[StepOut] = Field(description="what would be done, or was supposed")
    follows: list[StepOut] = Field(description="what else would read otherwise")
    health: float
    band: Band
    risk: float
    shares: list[ShareOut] = Field(description="strongest first; they sum to the difference")

    @classmethod
    def one(cls, outcome: Outcome) -> Self:
        """From scoring's."""
        return cls(
            **{
                **_plain(outcome),
                "steps": StepOut.of(outcome.steps),
                "follows": StepOut.of(outcome.follows),
                "shares": ShareOut.of(outcome.shares),
            }
        )


class ReachOut(BaseModel):
    """What would bring a customer to a goal."""

    account: str
    at: str
    health: float
    band: Band | None
    goal: Band | float
    there: bool = Field(description="it is there already")
    ways: list[OutcomeOut] = Field(description="the smallest first; none where nothing one can act on suffices")
    nearest: OutcomeOut | None = Field(description="as near as one comes then")
    note: str = Field(description="why it cannot be reached, in words; empty where it can")
    config_version: str
    model_version: int

    @classmethod
    def one(cls, found: Reached) -> Self:
        """From scoring's."""
        nearest = OutcomeOut.one(found.nearest) if found.nearest else None
        ways = [OutcomeOut.one(way) for way in found.ways]
        return cls(**{**_plain(found), "at": iso(found.at), "ways": ways, "nearest": nearest})


class Suppose(BaseModel):
    """What is supposed; both together if wanted."""

    model_config = {"extra": "forbid"}

    values: dict[str, float | Literal["unknown"] | None] = Field(
        default_factory=dict, max_length=500, description="measure -> what it would read; null: nothing known"
    )
    events: list[str] = Field(
        default_factory=list,
        max_length=100,
        description="kinds that would happen, in order; with properties: `ticket.opened?priority=urgent`",
    )


class SupposedOut(BaseModel):
    """A health, and what it would be."""

    account: str
    at: str
    health: float = Field(description="as it is, by the newest models")
    band: Band | None
    risk: float
    outcome: OutcomeOut
    config_version: str
    model_version: int

    @classmethod
    def one(cls, found: Supposed) -> Self:
        """From scoring's."""
        return cls(**{**_plain(found), "at": iso(found.at), "outcome": OutcomeOut.one(found.outcome)})


def _plain(one: Any) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__dataclass_fields__}
