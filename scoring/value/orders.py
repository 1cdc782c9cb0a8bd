"""What customers who buy now and then will bring: how often they will come, times what they spend each time.

Both are expected in closed form (`scoring.value.coming`, `scoring.value.spending`); what may come around that is
drawn from the same models, customer by customer, each from a seed of its own, so that the same past gives the same
bounds.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from scoring.arrays import Floats
from scoring.batch import Integers
from scoring.value import coming, spending
from scoring.value.coming import Pace, Pasts
from scoring.value.spending import Spend

DRAWS: Final = 600
"""A bound is then off by at most 2 % of the customers, nineteen times of twenty."""
_STEPS: Final = 12  # of the horizon, in which money is discounted
_MOST_FITTED: Final = 20_000  # customers; more make the numbers no truer
_SURE: Final = 1e-12
GROUPS: Final = (1, 2, 3, 6)
"""Bounds are held to what came of customers who have come so often, or more often up to the next."""


class History(NamedTuple):
    """What customers bought of one currency.

    Attributes:
        accounts: whose.
        pasts: when they came; a day on which they bought is one time.
        times: (n,) on how many days they bought.
        spent: (n,) what they spent in all, less what went back.
    """

    accounts: Sequence[str]
    pasts: Pasts
    times: Floats
    spent: Floats

    def some(self, which: Integers) -> History:
        """Those at these places."""
        return History(
            [self.accounts[place] for place in which.tolist()],
            Pasts(*(column[which] for column in self.pasts)),
            self.times[which],
            self.spent[which],
        )


class Numbers(NamedTuple):
    """What was learned of all customers of a currency."""

    pace: Pace
    spend: Spend


def fitted(history: History, seed: int = 0) -> Numbers:
    """The numbers that make such a past likeliest. Of very many customers a sample tells as much.

    Args:
        history: of at least one customer who spent more than went back.
        seed: of the sample.
    """
    if len(history.times) > _MOST_FITTED:
        chosen = np.random.default_rng(seed).choice(len(history.times), _MOST_FITTED, replace=False)
        history = history.some(np.sort(chosen))
    paid = history.spent > 0.0
    times, spent = history.times[paid], history.spent[paid]
    return Numbers(
        coming.fitted(history.pasts, np.ones(len(history.times))),
        spending.fitted(times, spent / times, np.ones(len(times))),
    )


class Expected(NamedTuple):
    """(n,) each: what is expected of customers.

    Attributes:
        alive: chance that it is still one.
        times: it comes within the horizon.
        each: it spends each time.
        value: money within the horizon.
        discounted: the same in today's money.
    """

    alive: Floats
    times: Floats
    each: Floats
    value: Floats
    discounted: Floats


def expected(numbers: Numbers, history: History, days: float, discount: float) -> Expected:
    """What customers will bring within so many days, at a discount a year."""
    each = spending.expected(numbers.spend, history.times, np.maximum(history.spent, 0.0) / history.times)
    ends = np.linspace(0.0, days, _STEPS + 1)[1:]
    counts = coming.expected(numbers.pace, history.pasts, ends)
    fade = np.exp(-math.log1p(discount) / 365.25 * (ends - ends[0] / 2.0))
    steps = np.diff(counts, axis=0, prepend=0.0)
    return Expected(
        coming.alive(numbers.pace, history.pasts), counts[-1], each, counts[-1] * each, (fade @ steps) * each
    )


def draws(numbers: Numbers, history: History, days: float, seed: int = 0) -> Floats:
    """(n, DRAWS) what may come of customers within so many days, ascending.

    A customer that still is one comes at a pace gamma(`r + x`, `alpha + T`), and is gone after each time with a chance
    beta(`a`, `b + x`); what it spends is gamma with a scale gamma(`q + p n`, `gamma + spent`) of its own.
    """
    pace, (p, q, gamma) = numbers.pace, numbers.spend
    still = coming.alive(pace, history.pasts)
    out = np.empty((len(history.times), DRAWS))
    spent = np.maximum(history.spent, 0.0)
    for place, account in enumerate(history.accounts):
        random = np.random.Generator(np.random.PCG64(zlib.crc32(account.encode()) + (seed << 32)))
        again, age = history.pasts.again[place], history.pasts.age[place]
        here = random.random(DRAWS) < still[place]
        paces = random.gamma(pace.r + again, 1.0 / (pace.alpha + age), DRAWS)
        gone = np.clip(random.beta(pace.a, pace.b + again, DRAWS), _SURE, 1.0)
        comes = np.where(here, np.minimum(random.poisson(paces * days), random.geometric(gone)), 0)
        scale = random.gamma(q + p * history.times[place], 1.0 / (gamma + spent[place]), DRAWS)
        out[place] = np.where(comes > 0, random.gamma(np.maximum(p * comes, _SURE)) / scale, 0.0)
    out.sort(axis=1)
    return out


def narrowest(drawn: Floats, share: Floats) -> tuple[Floats, Floats]:
    """(n,) bounds of the narrowest range that holds so much of what was drawn.

    Args:
        drawn: (n, m) ascending.
        share: (n,) of it.
    """
    low, high = np.empty(len(drawn)), np.empty(len(drawn))
    held = np.clip(np.ceil(share * drawn.shape[1]).astype(int), 1, drawn.shape[1])
    for many in np.unique(held).tolist():
        rows = np.flatnonzero(held == many)
        some = drawn[rows]
        widths = some[:, many - 1 :] - some[:, : drawn.shape[1] - many + 1]
        first = widths.argmin(axis=1)
        low[rows] = some[np.arange(len(rows)), first]
        high[rows] = some[np.arange(len(rows)), first + many - 1]
    return low, high


def group(times: Floats) -> Integers:
    """(n,) which of `GROUPS` customers are in."""
    return np.searchsorted(np.array(GROUPS, float), times, side="right") - 1
