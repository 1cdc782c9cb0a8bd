"""Contracts end on a day: whoever may leave at the renewal is at risk when that day comes near, and hardly before.

A hazard in discrete time, learned from person-periods (Allison 1982; Singer and Willett 1993). Time is counted from the
renewal, in horizons, and cut into spans; each has a hazard of its own, whatever its neighbors have, and the renewal
itself adds one for everybody whose date falls within the horizon. A horizon of which the shares n lie in the spans ends
with the loss of the customer with the chance

    P(lost) = 1 - exp(-L),    L = exp(scale * lean) * (sum of n_b exp(level + span_b)
                                                       [+ exp(level + renewal), if it falls within])

which is the complementary log-log link (Prentice and Gloeckler 1978): what it says of a span does not depend on how
long anybody was looked at, so that one label, which only tells that a customer was lost somewhere within a horizon,
teaches all the spans that the horizon crosses. A span of which little is known stands at the level of all
(`scoring.experts.posterior`), and the level begins with the base rate.

Whoever leans to leave by all else has all hazards multiplied (proportional hazards; Cox 1972): an unhappy customer and
a contract that ends hurt together as they do not apart, which no sum over measures can say. How far one leans is what
the regression `bayes` makes of the other measures; how much that counts here is learned, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from scoring.arrays import Floats, Mask
from scoring.config import Measure
from scoring.experts.bayes import Bayes
from scoring.experts.posterior import Posterior, learned
from scoring.features import UNKNOWN

_EDGES: Final = np.array([-4.0, -2.0, -1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0])
"""Where spans meet, in horizons after the renewal."""
_LOW: Final = np.array([-np.inf, *_EDGES])
_HIGH: Final = np.array([*_EDGES, np.inf])
_SPANS: Final = len(_LOW)
_DAY_ITSELF: Final = math.log(1.0 / 8.0)
"""The renewal is worth an eighth of a horizon more of the usual hazard, before anything is known of it."""
_LEVEL_TRUST: Final = 0.25  # 1 / variance: e^2 times as much, or as little, happens
_SPAN_TRUST: Final = 1.0  # a span's hazard is mostly within three times the usual
_DAY_TRUST: Final = 0.1  # whether many leave at the renewal, nobody knows before
_SCALE: Final = 1.0
_SCALE_TRUST: Final = 1.0
_MOST_SCALE: Final = 5.0
_LEAN: Final = 8.0  # logs by which hazards are multiplied, at most
_WITHIN: Final = 8.0  # of each log
_FAR: Final = 1e6  # horizons
_RARE: Final = 1e-9
_CERTAIN: Final = 40.0


class Hazard(msgspec.Struct):
    """What was learned.

    Attributes:
        start: the level's log before any label; the prior is made of it.
        belief: of the logs: the level; each span, and the renewal, beside it. Then of the scale.
    """

    start: float
    belief: Posterior

    def opinions(self, days: Floats, horizon: float, lean: Floats | float = 0.0) -> Floats:
        """(n,) log odds of being lost within the horizon; NaN where no date is known.

        Args:
            days: (n,) until the renewal, below 0 where it has passed; NaN unknown.
            horizon: in days.
            lean: (n,) log odds by which customers lean to leave, by all else.
        """
        said, _ = _odds(np.array(self.belief.mean), exposures(days, horizon), np.broadcast_to(lean, days.shape))
        said[np.isnan(days)] = np.nan
        return said

    def learn(self, days: Floats, horizon: float, lean: Floats, lost: Mask, *, weight: float, kept: float) -> None:
        """Take a portion of labels into account.

        Args:
            days: (n,) until the renewal, as they were when it was predicted.
            horizon: in days.
            lean: (n,) as `opinions` has it.
            lost: (n,) what became of the customers.
            weight: how much of a label each is.
            kept: the share that is left of what was learned before.
        """
        known = ~np.isnan(days)
        if not known.any():
            return
        spent, leaned = exposures(days[known], horizon), lean[known]
        mean, trust = _prior(self.start)
        precision = kept * self.belief.precision + (1.0 - kept) * trust
        now, precision = learned(
            np.array(self.belief.mean), precision, lambda logs: _odds(logs, spent, leaned), lost[known], weight
        )
        now = np.clip(now, mean - _WITHIN, mean + _WITHIN)
        now[-1] = min(_MOST_SCALE, max(0.0, now[-1]))
        self.belief = Posterior.of(now, precision)

    def doubt(self, kept: float) -> None:
        """Be less sure of everything, and believe the same."""
        precision = kept * self.belief.precision + (1.0 - kept) * _prior(self.start)[1]
        self.belief = Posterior.of(np.array(self.belief.mean), precision)


def fresh(base_rate: float) -> Hazard:
    """One that has seen nothing: all spans say the base rate."""
    start = math.log(-math.log1p(-base_rate))
    return Hazard(start, Posterior.of(*_prior(start)))


def renewal(measures: Sequence[Measure]) -> int | None:
    """Which measure counts the days until the renewal, by place; None if none does.

    Of several dates to come it is the first that `contract.renewed` tells, else the first of all.
    """
    found = [place for place, one in enumerate(measures) if one.family == "date" and one.read == "until"]
    return max(found, key=lambda place: "contract.renewed" in measures[place].kinds, default=None)


def leanings(bayes: Bayes, names: Sequence[str], signs: Mapping[str, float], renewal: str) -> Floats:
    """(F,) weights of standardized features of these names that make up how far a customer leans.

    Args:
        bayes: the regression they are of.
        names: of the features.
        signs: by feature, 1 where more of it may only mean more risk, -1 where only less; what is against it is 0.
        renewal: the measure that is left out.
    """
    beliefs = dict(zip(bayes.names, bayes.belief.mean[1:], strict=True))
    weights = [0.0 if name in (renewal, renewal + UNKNOWN) else beliefs.get(name, 0.0) for name in names]
    return np.array(
        [0.0 if one * signs.get(name, 0.0) < 0.0 else one for name, one in zip(names, weights, strict=True)]
    )


def exposures(days: Floats, horizon: float) -> Floats:
    """(n, spans + 1): the share of the horizon ahead that lies in each span, and whether the renewal falls within it.

    >>> exposures(np.array([30.0, 90.0]), 60.0)[:, [3, 4, 5, 6, 7, -1]].tolist()
    [[0.0, 0.25, 0.25, 0.25, 0.25, 1.0], [0.5, 0.0, 0.0, 0.0, 0.0, 0.0]]
    """
    began = np.clip(-np.nan_to_num(days) / horizon, -_FAR, _FAR)
    within = np.minimum(began[:, None] + 1.0, _HIGH) - np.maximum(began[:, None], _LOW)
    falls = (began >= -1.0) & (began < 0.0)
    return np.column_stack([np.maximum(within, 0.0), falls])


def _odds(logs: Floats, spent: Floats, lean: Floats) -> tuple[Floats, Floats]:
    """Log odds (n,) and their derivatives (n, k)."""
    more = np.exp(np.clip(logs[-1] * lean, -_LEAN, _LEAN))
    each = spent * np.exp(logs[0] + logs[1:-1]) * more[:, None]
    total = np.clip(each.sum(axis=1), _RARE, _CERTAIN)
    said = total + np.log(-np.expm1(-total))
    bend = 1.0 / -np.expm1(-total)
    return said, np.column_stack([total, each, total * lean]) * bend[:, None]


def _prior(start: float) -> tuple[Floats, Floats]:
    mean = np.array([start, *[0.0] * _SPANS, _DAY_ITSELF, _SCALE])
    return mean, np.diag([_LEVEL_TRUST, *[_SPAN_TRUST] * _SPANS, _DAY_TRUST, _SCALE_TRUST])
