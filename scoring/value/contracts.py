"""What a subscription will bring: what is paid a month, for as long as the customer is expected to stay.

A customer's chance to be lost within a horizon comes from its risk. It is not known exactly, and customers of one
risk are not alike: those who stay turn out to have been the faithful ones. So the chance is beta distributed around
the risk, and the share that is still there after `n` horizons is `B(k m, k (1 - m) + n) / B(k m, k (1 - m))` for a
mean `m` (the shifted beta-geometric of Fader and Hardie, "How to Project Customer Retention", 2007, at any time). How
much alike they are (`k`) comes from contracts that ended and those that did not; and each horizon a customer has
stayed makes its own surer by one.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln

from scoring.arrays import Floats, Mask
from scoring.value.model import Contracts

MONTH: Final = 365.25 / 12.0
_STEPS: Final = 120  # of the horizon, over which it is summed
_LEAST: Final = 1e-6
_ALIKE: Final = 10.0  # horizons' worth of belief in what is usual, where no contract has ended yet
_DOUBT: Final = np.array([2.0, 1.0])  # standard deviations of that: of the log odds of leaving, of the log of `_ALIKE`


class Stream(NamedTuple):
    """(n,) each: what contracts bring within a horizon, in what their MRR is in.

    Attributes:
        value: expected.
        low, high: bounds of what may come.
        discounted: expected, in today's money.
        stays: chance that it lasts the whole horizon.
    """

    value: Floats
    low: Floats
    high: Floats
    discounted: Floats
    stays: Floats


def fitted(horizons: Floats, ended: Mask, base_rate: float) -> Contracts:
    """What contracts so far tell.

    Args:
        horizons: (n,) for how many a contract has run.
        ended: (n,) whether it ended then.
        base_rate: what is believed before anything is seen.
    """
    whole = np.floor(np.maximum(horizons, 0.0))
    usual = np.array([math.log(base_rate / (1.0 - base_rate)), math.log(_ALIKE)])

    def cost(beliefs: Floats) -> float:
        mean, alike = 1.0 / (1.0 + math.exp(-beliefs[0])), math.exp(beliefs[1])
        a, b = alike * mean, alike * (1.0 - mean)
        said = np.where(ended, betaln(a + 1.0, b + whole), betaln(a, b + whole)) - betaln(a, b)
        return float((((beliefs - usual) / _DOUBT) ** 2).sum()) / 2.0 - float(said.sum())

    bounds = [(-12.0, 12.0), (math.log(0.5), math.log(1e4))]
    found = minimize(cost, usual, method="L-BFGS-B", bounds=bounds).x
    return Contracts(1.0 / (1.0 + math.exp(-found[0])), math.exp(found[1]), len(whole), int(np.sum(ended)))


def stays(risk: Floats, alike: Floats, horizons: Floats | float) -> Floats:
    """Chance that customers of such risks are still there after so many horizons of risk.

    Args:
        risk: of being lost within one.
        alike: how sure that is, in horizons.
        horizons: how many, as a number or such that it broadcasts.
    """
    mean = np.clip(risk, _LEAST, 1.0 - _LEAST)
    a, b = alike * mean, alike * (1.0 - mean)
    found: Floats = np.exp(np.minimum(betaln(a, b + horizons) - betaln(a, b), 0.0))
    return found


def stream(
    learned: Contracts,
    mrr: Floats,
    risk: Floats,
    stayed: Floats,
    *,
    days: float,
    horizon: float,
    discount: float,
    interval: float,
) -> Stream:
    """What contracts bring within so many days.

    Args:
        learned: of all contracts.
        mrr: (n,) money a month, not less than 0.
        risk: (n,) of being lost within a horizon of risk.
        stayed: (n,) for how many of those a customer has been one.
        days: how far is looked ahead.
        horizon: of risk, in days.
        discount: a year.
        interval: share of what may come that lies within the bounds: as much of the rest falls below as above. Those
            who stay all bring the same, so above there may be nothing.
    """
    times = np.linspace(0.0, days, _STEPS + 1)
    sure = (learned.alike + np.maximum(stayed, 0.0))[:, None]
    there = stays(risk[:, None], sure, times[None, :] / horizon)
    monthly = mrr / MONTH
    value = monthly * _summed(there, days)
    faded = np.exp(-math.log1p(discount) / 365.25 * times)
    discounted = monthly * _summed(there * faded, days)
    rest = (1.0 - interval) / 2.0
    low, high = (monthly * np.array([np.interp(-at, -row, times) for row in there]) for at in (1.0 - rest, rest))
    return Stream(value, low, high, discounted, there[:, -1])


def _summed(there: Floats, days: float) -> Floats:
    """(n,) days, where each counts as much as is there: by the trapezoidal rule."""
    found: Floats = (there[:, 1:] + there[:, :-1]).sum(axis=1) / 2.0 * (days / _STEPS)
    return found
