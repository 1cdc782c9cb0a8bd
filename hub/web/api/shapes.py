"""What the API answers. Times are ISO 8601 in UTC."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from hub.sdk.health import Band


class Problem(BaseModel):
    """Why a request was refused."""

    code: str = Field(description="for programs; stable", examples=["bad_cursor"])
    message: str = Field(description="for people: what happened, and what to do")


class AccountSummary(BaseModel):
    """One customer in a list."""

    id: str = Field(description="our id", examples=["acc_3f0c9e1b2a4d5e6f7081"])
    name: str = Field(description="what people call it: its name, else its domain, else a vendor's reference")
    domain: str | None
    health: float | None = Field(description="0 to 100; null: never scored")
    band: Band | None
    risk: float | None = Field(description="probability of losing it within the horizon, 0 to 1")
    driver: str | None = Field(description="the first driver, in words")
    mrr: float | None = Field(description="money a month, in units of `currency`")
    currency: str | None
    renewal_on: str | None = Field(description="ISO date")
    owner: str | None
    as_of: str = Field(description="the moment the health holds for")
    expansion: float | None = Field(None, description="probability that it pays more within the horizon")


class Accounts(BaseModel):
    """A page of customers."""

    accounts: list[AccountSummary]
    total: int = Field(description="how many match, on all pages")
    next: str | None = Field(description="pass it as `cursor` to go on; null at the end")


class DriverOut(BaseModel):
    """A signed share of a health value."""

    name: str
    text: str = Field(description="for people", examples=["3 urgent tickets open"])
    points: float = Field(description="health points it adds to the base, or takes; base + all points = health")
    dimension: str


class MeasureOut(BaseModel):
    """A number kept of an account."""

    name: str
    label: str = Field(description="in words; `{n}` stands for the number")
    value: float | None = Field(description="null: not known yet")
    unit: str
    dimension: str
    as_of: str | None = Field(description="the newest event it has seen")


class OverrideOut(BaseModel):
    """One word about a health."""

    at: str
    until: str | None = Field(description="null: it takes back what was said before")
    health: float | None = Field(description="null: likewise")
    author: str
    reason: str


class Overrides(BaseModel):
    """What was said of one customer, newest first."""

    overrides: list[OverrideOut]


class RollupOut(BaseModel):
    """An account and all its parts, at any depth, as one."""

    health: float
    by: str = Field(description="value: each counts by what it pays; average: all alike")
    accounts: int = Field(description="how many count")


class SourceOut(BaseModel):
    """A source that told of an account."""

    name: str
    as_of: str = Field(description="the newest event it told of")
    silent: bool = Field(description="nothing came from it, of anybody, for longer than is usual: alerts wait")


class OutlookOut(BaseModel):
    """How likely a customer pays more: usual + the drivers' points / 100 (and those of smaller ones) = chance."""

    measure: str = Field(description="whose number grows")
    by: float = Field(description="by this share, or more")
    days: float = Field(description="within so many")
    chance: float | None = Field(description="null: labels do not suffice, or there is nothing that could grow")
    usual: float | None = Field(description="of an average customer")
    drivers: list[DriverOut] = Field(description="points are hundredths of chance")
    labels: int = Field(description="how many have taught it")
    missing: int = Field(description="how many more it takes before anything is said")


class LeftOut(BaseModel):
    """How a customer was lost."""

    how: str = Field(description="by which of the ways that the scorecard names", examples=["subscription.cancelled"])
    at: str


class Account(AccountSummary):
    """One customer, explained."""

    base: float | None = Field(description="the health of a customer of whom nothing is known")
    drivers: list[DriverOut]
    measures: list[MeasureOut]
    references: list[str] = Field(description="by which vendors know it")
    parent: str | None = Field(None, description="our id of the account it is a part of")
    parts: list[str] = Field(default_factory=list, description="our ids of the accounts that are parts of it")
    confidence: float | None = Field(None, description="the share of its scorecard that rests on what is known, 0 to 1")
    sources: list[SourceOut] = Field(default_factory=list, description="who told of it, the newest first")
    rollup: RollupOut | None = Field(None, description="it and all its parts as one; null: it has none")
    card: str = Field("", description="of its segment, by which it is weighed; empty: the scorecard itself")
    computed: float | None = Field(None, description="what health would be had nobody set it by hand")
    override: OverrideOut | None = Field(None, description="the person's word that holds; null: nobody's does")
    outlook: OutlookOut | None = Field(None, description="how likely it pays more, and why; null: nobody asks")
    left: LeftOut | None = Field(None, description="how it was lost, and when; null while it is a customer")
    config_version: str
    model_version: int


class Events(BaseModel):
    """A page of events, newest first, in our words."""

    events: list[dict[str, Any]]
    next: str | None


class Receipt(BaseModel):
    """One attempt at one delivery."""

    id: int
    at: str
    sink: str
    account: str
    key: str = Field(description="idempotency key: the same for every attempt at the same thing")
    outcome: str = Field(description="ok, retry, reject or pending")
    reason: str | None
    attempt: int
    took: float = Field(description="seconds")
    fields: dict[str, Any]


class DestinationOut(BaseModel):
    """How one destination does."""

    sink: str
    paused: bool
    reason: str | None
    states: dict[str, int] = Field(description="records and alerts by state")
    outcomes: dict[str, int] = Field(description="attempts of the last 24 hours by outcome")


class Deliveries(BaseModel):
    """Destinations, and a page of attempts, newest first."""

    destinations: list[DestinationOut]
    receipts: list[Receipt]
    next: str | None


class DeadLetter(BaseModel):
    """What could not be taken."""

    id: str
    at: str
    stage: str = Field(description="normalize, apply or deliver")
    connection: str
    reason: str
    version: str = Field(description="of the plugin that could not")
    context: dict[str, Any]
    state: str = Field(description="open or replayed")
    size: int = Field(description="bytes of its body")


class DeadLetters(BaseModel):
    """A page of dead letters, newest first."""

    dead_letters: list[DeadLetter]
    open: int = Field(description="how many are open, on all pages")
    next: str | None
