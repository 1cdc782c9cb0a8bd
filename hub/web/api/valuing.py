"""The JSON routes of what customers are worth."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from hub.store.questions import portfolio
from hub.web.api import shapes
from hub.web.api.parameters import Reference
from hub.web.page import Site
from hub.web.pages.account import find
from hub.web.words import iso
from scoring.value.kept import first, newest, worths
from scoring.value.told import groups, part, told


class WorthOut(BaseModel):
    """What one customer will bring in one currency."""

    currency: str = Field(description="of all money here; sums of two currencies are never added")
    how: str = Field(description="orders: by what it bought; contract: by what it pays a month")
    value: float | None = Field(description="expected within the days; null: not enough history")
    low: float | None = Field(description="what comes lies between `low` and `high` ...")
    high: float | None = Field(description="... with the chance `interval`")
    discounted: float | None = Field(description="`value` in today's money")
    value_at_risk: float | None = Field(description="`value` times the risk of losing it, as it is now")
    made_of: str = Field(description="how the number comes about, in words; or why there is none")


class Value(BaseModel):
    """What one customer will bring."""

    account: str
    at: str | None = Field(description="when it was valued; null: never")
    days: float = Field(description="how far ahead")
    interval: float = Field(description="share of what may come that lies between `low` and `high`")
    parts: list[WorthOut]
    note: str = Field(description="why there is no number; empty where there is one")
    version: int = Field(description="of the valuation; 0: none")


class ValuedAccount(WorthOut):
    """One customer in a list."""

    id: str
    name: str
    risk: float | None


class ProofOut(BaseModel):
    """What would have been said some time ago, beside what came since."""

    days: float = Field(description="that were predicted")
    customers: int
    expected: float = Field(description="of them all")
    came: float = Field(description="from them all")
    error: float = Field(description="mean absolute error of a customer")
    error_naive: float = Field(description="the same of `as much as in as long a time before`")
    covered: float = Field(description="share of what came that lay between `low` and `high`")


class ValuedCurrency(BaseModel):
    """All customers of one currency."""

    currency: str
    customers: int = Field(description="with a value")
    value: float
    value_at_risk: float
    note: str = Field(description="why customers who buy now and then have none; empty where they have")
    proof: ProofOut | None = Field(description="null: too little past to hold some of it out")
    accounts: list[ValuedAccount] = Field(description="those of most value at risk first")


class Values(BaseModel):
    """What customers will bring."""

    at: str | None = Field(description="when they were valued; null: never")
    days: float
    interval: float
    version: int
    currencies: list[ValuedCurrency]


def router(site: Site) -> APIRouter:
    """The routes."""
    refused: dict[int | str, dict[str, Any]] = {"4XX": {"model": shapes.Problem, "description": "Refused"}}
    routes = APIRouter(prefix="/api", responses=refused, tags=["accounts"])

    @routes.get("/accounts/{reference}/value", summary="What it will bring")
    def value(reference: Reference) -> Value:
        """Expected within the days, with bounds, and how the number is made. Valued once a day."""
        with site.context.database.read() as connection:
            key = find(connection, reference)
            found = told(connection, key, portfolio.by_ids(connection, [key])[key].risk)
        return Value(**msgspec.to_builtins(found) | {"at": iso(found.at) or None})

    @routes.get("/value", summary="What all will bring")
    def values(
        limit: Annotated[int, Query(ge=1, le=500, description="most customers of each currency")] = 20,
    ) -> Values:
        """A currency at a time: all customers together, those of most value at risk, and whether it came true."""
        with site.context.database.read() as connection:
            made = newest(connection)
            if made is None:
                return Values(at=None, days=0.0, interval=0.0, version=0, currencies=[])
            found = []
            for one in groups(connection, made.valuation):
                ids = first(connection, one.currency, limit=limit, by_stake=True)
                known, kept = portfolio.by_ids(connection, ids), worths(connection, ids)
                said = msgspec.to_builtins(one)
                proof = one.learned.proof if one.learned else None
                accounts = []
                for key in ids:
                    mine = next(worth for worth in kept[key] if worth.currency == one.currency)
                    row = msgspec.to_builtins(part(mine, known[key].risk, made.valuation))
                    accounts.append(ValuedAccount(id=key, name=known[key].title, risk=known[key].risk, **row))
                said["proof"] = ProofOut(**msgspec.to_builtins(proof)) if proof else None
                found.append(ValuedCurrency(**said | {"accounts": accounts}))
        kept_at = made.valuation
        return Values(
            at=iso(kept_at.at),
            days=kept_at.days,
            interval=kept_at.interval,
            version=kept_at.version,
            currencies=found,
        )

    return routes
