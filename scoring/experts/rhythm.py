"""Each customer against its own past: who comes every quarter may be silent for two months, who came daily may not.

The BG/NBD model (Fader, Hardie and Lee 2005): a customer comes at a pace of its own, and after each time is gone for
good with a chance of its own; paces are gamma distributed among customers (`r`, `alpha`), chances beta (`a`, `b`). From
how often a customer came back (`x` days after the first), when last (`t_x`) and how long it has been one (`T`) follows
the chance that it will not come within the horizon:

    P(alive)  = 1 / (1 + a / (b + x - 1) * ((alpha + T) / (alpha + t_x))^(r + x))       [x > 0; 1 for x = 0]
    P(silent) = 1 - P(alive) * (1 - ((alpha + T) / (alpha + T + 1))^(r + x))            [time in horizons]

The usual fit asks which numbers make the past likely. Here they learn from matured labels what became of the customers,
as all experts do. Where losing a customer is something else than silence, a line through the log odds is learned with
them; where it is silence the model speaks of the thing itself, and a line would only follow the season.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from scoring.arrays import Floats, Mask
from scoring.config import Measure
from scoring.experts.posterior import Posterior, learned
from scoring.outcome import Outcome

_DAY: Final = 86_400.0
_PRIOR: Final = np.array([0.0, 0.0, math.log(0.5), math.log(2.0), 0.0, 0.0])
"""Logs of r, alpha (in horizons), a and b; then the line: its shift, and the log of its scale."""
_TRUST: Final = np.array(
    [1.0, 1.0, 1.0, 1.0, 1.0, 16.0]
)  # 1 / variance: within a factor e; the line nearly at its word
_LINE: Final = 4  # numbers before it
_NUDGE: Final = 1e-5
_SURE: Final = 1e-6
_WITHIN: Final = 6.0  # of each log: e^6 horizons is beyond any history


class Past(NamedTuple):
    """Which measures tell of a customer's past, by place, and how far back they see in days."""

    days: int
    silence: int
    tenure: int
    window: float


class Rhythm(msgspec.Struct):
    """What was learned about the paces of customers."""

    belief: Posterior = msgspec.field(default_factory=lambda: Posterior.of(_PRIOR, np.diag(_TRUST)))

    def opinions(self, history: Floats) -> Floats:
        """(n,) log odds of silence within the horizon, as the line has them; `history` (n, 3) as `history` makes it."""
        return _odds(np.array(self.belief.mean), history)

    def learn(self, history: Floats, lost: Mask, weight: float, kept: float, *, silence: bool) -> None:
        """Take a portion of labels into account.

        Args:
            history: (n, 3) as `history` makes it.
            lost: (n,) what became of the customers.
            weight: how much of a label each is.
            kept: the share that is left of what was learned before.
            silence: whether to be lost is to be silent.
        """
        known = ~np.isnan(history).any(axis=1)
        if not known.any():
            return
        past, ended = history[known], lost[known]
        free = _LINE if silence else len(_PRIOR)

        def odds(beliefs: Floats) -> tuple[Floats, Floats]:
            said = _odds(beliefs, past)
            slopes = np.zeros((len(past), len(beliefs)))
            for place in range(free):
                slopes[:, place] = (_odds(beliefs + _NUDGE * np.eye(len(beliefs))[place], past) - said) / _NUDGE
            return said, slopes

        precision = kept * self.belief.precision + (1.0 - kept) * np.diag(_TRUST)
        mean, precision = learned(np.array(self.belief.mean), precision, odds, ended, weight, steps=1)
        self.belief = Posterior.of(np.clip(mean, _PRIOR - _WITHIN, _PRIOR + _WITHIN), precision)

    def doubt(self, kept: float) -> None:
        """Be less sure of everything, and believe the same."""
        precision = kept * self.belief.precision + (1.0 - kept) * np.diag(_TRUST)
        self.belief = Posterior.of(np.array(self.belief.mean), precision)


def past(measures: Sequence[Measure], outcome: Outcome) -> Past | None:
    """The measures that tell how often, how lately and since when the same kinds came; None unless there are all three.

    Where losing a customer means silence, those that read the outcome's own kinds; else those that read most kinds.
    """
    wanted = outcome.alive
    found: list[tuple[int, int, Past]] = []
    for place, days in enumerate(measures):
        if days.family != "days" or days.where:
            continue
        alike = {m.family: at for at, m in enumerate(measures) if m.kinds.keys() == days.kinds.keys() and not m.where}
        if {"recency", "tenure"} <= alike.keys():
            one = Past(place, alike["recency"], alike["tenure"], (days.window or _DAY) / _DAY)
            found.append((len(wanted & days.kinds.keys()), len(days.kinds), one))
    return max(found, key=lambda one: one[:2])[2] if found else None


def history(values: Floats, where: Past, outcome: Outcome) -> Floats:
    """(n, 3): days it came back on, when last and how long it has been a customer, both in horizons; NaN unknown.

    Args:
        values: (n, M) measures.
        where: which of them.
        outcome: whose horizon is the unit of time.
    """
    unit = outcome.horizon / _DAY
    age = np.minimum(values[:, where.tenure], where.window) / unit
    again = np.clip(values[:, where.days] - 1.0, 0.0, where.window)
    last = np.where(again > 0.0, np.clip(age - values[:, where.silence] / unit, 0.0, age), 0.0)
    gone = values[:, where.silence] > where.window  # all that it did lies beyond what is kept: it came once, long ago
    found = np.column_stack([np.where(gone, 0.0, again), np.where(gone, 0.0, last), age])
    found[np.isnan(values[:, [where.days, where.silence, where.tenure]]).any(axis=1)] = np.nan
    return found


def _odds(beliefs: Floats, history: Floats) -> Floats:
    r, alpha, a, b = np.exp(beliefs[:4])
    x, last, age = history.T
    known = alpha + age
    leaving = np.log(a / (b + np.maximum(x, 1.0) - 1.0)) + (r + x) * (np.log(known) - np.log(alpha + last))
    alive = np.where(x > 0.0, 1.0 / (1.0 + np.exp(np.minimum(leaving, 700.0))), 1.0)
    comes = alive * -np.expm1((r + x) * (np.log(known) - np.log(known + 1.0)))
    comes = np.clip(comes, _SURE, 1.0 - _SURE)
    line: Floats = beliefs[4] + np.exp(beliefs[5]) * (np.log1p(-comes) - np.log(comes))
    return line
