"""How often customers will come: the BG/NBD model, fitted to all of them at once.

Fader, Hardie and Lee, "Counting Your Customers" the Easy Way (Marketing Science 24, 2005): while it is one, a
customer comes at a pace of its own (Poisson), and after each time is gone for good with a chance of its own; paces
are gamma distributed among customers (`r`, `alpha`), chances beta (`a`, `b`). All that matters of a past is how often
a customer came back (`x`), when last (`t_x`) and how long it has been one (`T`), the last two counted from its first
time.

`scoring.experts.rhythm` has the same model as an expert for risk: there its numbers learn from what became of
customers, one horizon ahead; here they are those that make the past likeliest, since what is wanted is a count over
any time.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaincinv, betaln, gammaln

from scoring.arrays import Floats

_WIDE: Final = 3.0
"""Standard deviation of the belief about each log before anything is seen: within a factor of 20 of what is usual."""
_WITHIN: Final = 9.0
"""... and how far a log may go: what the past leaves open ends there."""
_RARELY: Final = 1e-12  # a chance to be gone, below which nobody is
_POINTS, _GAUSS = np.polynomial.legendre.leggauss(64)
_EVEN: Final = (_POINTS + 1.0) / 2.0
_QUANTILES: Final = _EVEN**3 * (10.0 - 15.0 * _EVEN + 6.0 * _EVEN**2)  # closer together at both ends, where it bends
_WEIGHTS: Final = _GAUSS * 15.0 * (_EVEN * (1.0 - _EVEN)) ** 2


class Pace(NamedTuple):
    """What was learned of all customers: paces are gamma(`r`, `alpha` days), chances to be gone are beta(`a`, `b`)."""

    r: float
    alpha: float
    a: float
    b: float


class Pasts(NamedTuple):
    """(n,) each: times a customer came back, days from its first time to its last, days from its first time to now."""

    again: Floats
    last: Floats
    age: Floats


def likelihood(pace: Pace, pasts: Pasts) -> Floats:
    """(n,) log likelihood of each past: equation 6 of Fader, Hardie and Lee (2005)."""
    r, alpha, a, b = pace
    x, last, age = pasts
    both = gammaln(r + x) - gammaln(r) + r * math.log(alpha)
    stayed = betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + age)
    some = np.maximum(x, 1.0)
    left = betaln(a + 1.0, b + some - 1.0) - betaln(a, b) - (r + x) * np.log(alpha + last)
    found: Floats = both + np.where(x > 0.0, np.logaddexp(stayed, left), stayed)
    return found


def fitted(pasts: Pasts, weights: Floats) -> Pace:
    """The numbers that make these pasts likeliest, under a wide belief about what numbers there are.

    Args:
        pasts: of customers.
        weights: (n,) how many customers each stands for.
    """
    typical = float(np.average(np.maximum(pasts.age, 1.0), weights=weights))
    usual = np.array([0.0, math.log(typical), math.log(0.5), math.log(2.0)])

    def cost(logs: Floats) -> float:
        spread = float((((logs - usual) / _WIDE) ** 2).sum()) / 2.0
        return spread - float(weights @ likelihood(Pace(*np.exp(logs).tolist()), pasts))

    bounds = [(middle - _WITHIN, middle + _WITHIN) for middle in usual]
    best = min(
        (minimize(cost, usual + shift, method="L-BFGS-B", bounds=bounds) for shift in (0.0, -1.0)),
        key=lambda one: one.fun,
    )
    return Pace(*np.exp(best.x).tolist())


def alive(pace: Pace, pasts: Pasts) -> Floats:
    """(n,) chance that a customer is still one: the one who came but once has had no time after which to be gone."""
    r, alpha, a, b = pace
    x, last, age = pasts
    odds = math.log(a) - np.log(b + np.maximum(x, 1.0) - 1.0) + (r + x) * (np.log(alpha + age) - np.log(alpha + last))
    found: Floats = np.where(x > 0.0, 1.0 / (1.0 + np.exp(np.minimum(odds, 700.0))), 1.0)
    return found


def expected(pace: Pace, pasts: Pasts, days: Floats) -> Floats:
    """(m, n) times a customer is expected to come within each of (m,) spans of days.

    One that is still there, comes at a pace `l` and is gone each time with chance `p` will come `(1 - exp(-l p t)) / p`
    times (equation 7 of Fader, Hardie and Lee, 2005). The mean over its pace, gamma(`r + x`, `alpha + T`), is exact;
    that over its chance, beta(`a`, `b + x`), a sum over the distribution's quantiles. Their equation 10 is the same in
    closed form, with a hypergeometric function that SciPy gets wrong for customers who came a hundred times.
    """
    r, alpha, a, b = pace
    x, _, age = pasts
    often, which = np.unique(x, return_inverse=True)
    gone = np.maximum(betaincinv(a, b + often[:, None], _QUANTILES), _RARELY)[which]
    known, still = (alpha + age)[:, None], alive(pace, pasts)
    found = np.empty((len(days), len(x)))
    for row, span in zip(found, days.tolist(), strict=True):
        times = -np.expm1(-(r + x)[:, None] * np.log1p(gone * span / known)) / gone
        row[:] = still * (times @ _WEIGHTS)
    return found
