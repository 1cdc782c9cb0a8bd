"""What a customer is worth, as it is told: numbers, and in words how they are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, select

from hub.store import schema
from scoring.value.kept import Total, newest, totals, worths
from scoring.value.model import Learned, Valuation, Worth

NEVER: Final = "customers have not been valued yet: a hub does it once a day, `pulsehub value` at once"
LEFT: Final = "it is a customer no more"
NOTHING: Final = "not enough history: it has bought nothing that the archive knows, and has no subscription"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one customer will bring in one currency; see `Worth`.

    Attributes:
        value_at_risk: `value` times the risk of losing it, as it is now.
        made_of: how the number comes about, in words; or why there is none.
    """

    currency: str
    how: str
    value: float | None
    low: float | None
    high: float | None
    discounted: float | None
    value_at_risk: float | None
    made_of: str


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What one customer will bring.

    Attributes:
        account: ours.
        at: unix seconds when it was valued; None: never.
        days: how far ahead.
        interval: share of what may come that lies between `low` and `high`.
        parts: one for each currency; money of two is never added.
        note: why there is no number; empty where there is one.
        version: of the valuation; 0: none.
    """

    account: str
    at: float | None
    days: float
    interval: float
    parts: list[Part]
    note: str
    version: int


def told(connection: Connection, account: str, risk: float | None) -> Told:
    """What one customer will bring.

    Args:
        connection: to the database.
        account: ours.
        risk: of losing it, as it is now; None: not known.
    """
    made = newest(connection)
    if made is None:
        return Told(account=account, at=None, days=0.0, interval=0.0, parts=[], note=NEVER, version=0)
    valuation, found = made.valuation, worths(connection, [account]).get(account, [])
    gone = connection.scalar(select(schema.accounts.c.band).where(schema.accounts.c.id == account)) == "left"
    if gone:
        found = []
    parts = [part(one, risk, valuation) for one in found]
    lacking = [one.made_of for one in parts if one.value is None]
    return Told(
        account=account,
        at=valuation.at,
        days=valuation.days,
        interval=valuation.interval,
        parts=parts,
        note="" if len(lacking) < len(parts) else "; ".join(lacking) or (LEFT if gone else NOTHING),
        version=valuation.version,
    )


def part(one: Worth, risk: float | None, valuation: Valuation) -> Part:
    """As it is told of a customer whose risk is this now."""
    return Part(
        currency=one.currency,
        how=one.how,
        value=one.value,
        low=one.low,
        high=one.high,
        discounted=one.discounted,
        value_at_risk=None if one.value is None or risk is None else one.value * risk,
        made_of=made_of(one, valuation),
    )


def made_of(one: Worth, valuation: Valuation) -> str:
    """How a number comes about, or why there is none.

    >>> made_of(Worth("a", "EUR", "contract", 11_400.0, alive=0.9, mrr=1_000.0, risk=0.02), Valuation(1, 0, 365, 0,
    0.8)) 'pays 1,000 EUR a month; 90 of 100 such customers stay for all of the 365 days'
    """
    if one.lacking:
        return f"not enough history: {one.lacking}"
    if one.how == "contract":
        stays = _share(one.alive or 0.0)
        return (
            f"pays {one.mrr or 0.0:,.0f} {one.currency} a month; {stays} of 100 such customers stay for all of the "
            f"{valuation.days:.0f} days"
        )
    last = "today" if one.since_last < 1.0 else f"{_number(int(one.since_last), 'day')} ago"
    bought = f"bought on {_number(one.times, 'day')} since {one.since_first:,.0f} days ago, last {last}"
    still = (
        "whether it still is a customer cannot be told from one purchase"
        if one.times == 1
        else f"{_share(one.alive or 0.0)} % sure that it still is a customer"
    )
    more = f"{one.expected_times or 0.0:,.1f} more purchases of {one.each or 0.0:,.0f} {one.currency} each are expected"
    once = "; after one purchase that is mostly what customers like it do" if one.times == 1 else ""
    return f"{bought}; {still}; {more}{once}"


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """All customers of one currency.

    Attributes:
        customers: with a value.
        value: of them all, expected within the days.
        value_at_risk: of it, what is expected to be lost.
        learned: from those who buy now and then; None where nobody does.
        note: why customers who buy now and then have no value; empty where they have.
    """

    currency: str
    customers: int
    value: float
    value_at_risk: float
    learned: Learned | None
    note: str


def groups(connection: Connection, valuation: Valuation) -> list[Group]:
    """What all customers will bring, a currency at a time."""
    found = {one.currency: one for one in totals(connection)}
    names = [*found, *sorted(valuation.orders.keys() - found.keys())]
    return [_group(name, found.get(name, Total(name, 0, 0.0, 0.0)), valuation.orders.get(name)) for name in names]


def _group(currency: str, total: Total, learned: Learned | None) -> Group:
    note = ""
    if learned is not None and not learned.pace:
        note = f"{_number(learned.customers, 'customer')} bought and {learned.back} came back: too few to tell"
    return Group(
        currency=currency,
        customers=total.customers,
        value=total.value,
        value_at_risk=total.at_risk,
        learned=learned,
        note=note,
    )


def proven(learned: Learned, currency: str) -> Sequence[str]:
    """Whether it came true, in sentences; none where too little was known to look."""
    proof = learned.proof
    if proof is None:
        return ["It is not known yet whether this comes true: there is too little past to hold some of it out."]
    return [
        (
            f"{proof.customers:,} customers were valued as of {proof.days:.0f} days earlier: {proof.covered:.0%} then "
            f"brought what lay within their bounds; {proof.expected:,.0f} {currency} were expected of all, "
            f"{proof.came:,.0f} came."
        ),
        (
            f"Off by {proof.error:,.0f} {currency} a customer; the rule `as much as in as long a time before` by "
            f"{proof.error_naive:,.0f}."
        ),
    ]


def _share(chance: float) -> str:
    """In hundredths; nobody is ever all sure."""
    return "over 99" if chance > 0.995 else f"{100.0 * chance:.0f}"  # noqa: PLR2004 - what would be rounded to all


def _number(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
