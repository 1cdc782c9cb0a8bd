"""What customers spend each time they come: the Gamma-Gamma model.

Fader and Hardie, "The Gamma-Gamma Model of Monetary Value" (2013): what a customer spends varies around a mean of its
own (gamma with shape `p`), and the scales of customers are gamma distributed (`q`, `gamma`). Who came often is
believed its own mean, who came once mostly that of all. The model takes it that those who come often spend neither
more nor less each time.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln

from scoring.arrays import Floats

_WIDE: Final = 3.0
_WITHIN: Final = 9.0
_FAR: Final = 1e3
"""Times the median of all: the fit sees nobody's mean further from it, or one absurd sum would speak for everybody."""


class Spend(NamedTuple):
    """What was learned of all customers; `gamma` in money."""

    p: float
    q: float
    gamma: float


def likelihood(spend: Spend, times: Floats, mean: Floats) -> Floats:
    """(n,) log likelihood of means over so many times: equation 1a of Fader and Hardie (2013)."""
    p, q, gamma = spend
    px = p * times
    found: Floats = (
        gammaln(px + q)
        - gammaln(px)
        - gammaln(q)
        + q * math.log(gamma)
        + (px - 1.0) * np.log(mean)
        + px * np.log(times)
        - (px + q) * np.log(gamma + mean * times)
    )
    return found


def fitted(times: Floats, mean: Floats, weights: Floats) -> Spend:
    """The numbers that make these means likeliest, under a wide belief about what numbers there are.

    Args:
        times: (n,) each customer came, at least one.
        mean: (n,) it spent each time, more than nothing.
        weights: (n,) how many customers each stands for.
    """
    middle = float(np.median(mean))
    near = np.clip(mean / middle, 1.0 / _FAR, _FAR)  # in medians, so that no currency is harder to fit than another
    usual = np.array([0.0, math.log(2.0), 0.0])

    def cost(logs: Floats) -> float:
        p, over, gamma = np.exp(logs).tolist()
        spread = float((((logs - usual) / _WIDE) ** 2).sum()) / 2.0
        return spread - float(weights @ likelihood(Spend(p, 1.0 + over, gamma), times, near))

    bounds = [(one - _WITHIN, one + _WITHIN) for one in usual]
    found = minimize(cost, usual, method="L-BFGS-B", bounds=bounds)
    p, over, gamma = np.exp(found.x).tolist()
    return Spend(p, 1.0 + over, gamma * middle)


def expected(spend: Spend, times: Floats, mean: Floats) -> Floats:
    """(n,) what a customer is expected to spend each time: equation 5 of Fader and Hardie (2013)."""
    p, q, gamma = spend
    found: Floats = p * (gamma + times * mean) / (p * times + q - 1.0)
    return found
