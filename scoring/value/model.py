"""What is kept of a valuation, and of each customer: JSON, so that whoever only reads it needs no model."""

from __future__ import annotations

from typing import Literal

import msgspec

How = Literal["orders", "contract"]


class Proof(msgspec.Struct, frozen=True):
    """What would have been said, beside what came.

    Attributes:
        since: the day (since 1970) from whose beginning nothing was known.
        days: that were predicted.
        customers: who were known then.
        expected: of them all, in money.
        came: from them all.
        error: mean absolute error of a customer.
        error_naive: the same of a rule: as much as in as long a time before.
        covered: share of what came that was within bounds, set by the other half of the customers.
        covered_plain: share that was within the models' own bounds.
    """

    since: int
    days: float
    customers: int
    expected: float
    came: float
    error: float
    error_naive: float
    covered: float
    covered_plain: float


class Contracts(msgspec.Struct, frozen=True):
    """What was learned of contracts.

    Attributes:
        leave: chance that a new customer is lost within a horizon of risk.
        alike: the `k` of above, in horizons.
        customers: how many have had one.
        ended: how many of them ended.
    """

    leave: float
    alike: float
    customers: int
    ended: int


class Learned(msgspec.Struct, frozen=True):
    """What was learned of the customers of one currency that buy now and then.

    Attributes:
        pace: r, alpha (days), a, b of the BG/NBD model; none where too few are known.
        spend: p, q, gamma (money) of the Gamma-Gamma model.
        customers: who bought.
        back: of them, who came back.
        shares: of the draws, that the bounds enclose, for each of `orders.GROUPS`.
        proof: whether it came true; None: too little was known to look.
    """

    pace: tuple[float, ...] = ()
    spend: tuple[float, ...] = ()
    customers: int = 0
    back: int = 0
    shares: list[float] = []
    proof: Proof | None = None


class Valuation(msgspec.Struct, frozen=True):
    """What was learned on one occasion. As JSON it is what is kept.

    Attributes:
        version: 1, 2, ...
        at: unix seconds, of customers' time.
        days: how far is looked ahead.
        discount: a year.
        interval: share of what may come that lies within bounds.
        orders: by currency.
        contracts: None: nobody has had one.
        unreadable: purchases without an amount and a currency that make sense.
    """

    version: int
    at: float
    days: float
    discount: float
    interval: float
    orders: dict[str, Learned] = {}
    contracts: Contracts | None = None
    unreadable: int = 0


class Worth(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one customer will bring in one currency.

    Attributes:
        account: ours.
        currency: of all that is money here.
        how: by what it bought, or by what it pays a month.
        value: expected within the horizon; None: not enough history, and `lacking` says why.
        low, high: what comes lies between them, with the chance of the valuation's `interval`.
        discounted: `value` in today's money.
        lacking: why there is no number.
        times: days on which it bought.
        since_first, since_last: days ago of the first and last of them.
        spent: in all, less what went back.
        alive: chance that it is still a customer; of a contract, that it lasts the whole horizon.
        expected_times: it will buy on so many days.
        each: it will spend so much on each.
        mrr: it pays a month.
        risk: of losing it, when it was valued.
    """

    account: str
    currency: str
    how: How
    value: float | None = None
    low: float | None = None
    high: float | None = None
    discounted: float | None = None
    lacking: str = ""
    times: int = 0
    since_first: float = 0.0
    since_last: float = 0.0
    spent: float = 0.0
    alive: float | None = None
    expected_times: float | None = None
    each: float | None = None
    mrr: float | None = None
    risk: float | None = None
