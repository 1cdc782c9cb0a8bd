"""The scorecard: what people believe about health, written down as weights, read as a probability.

Each transform turns its measure into a score from 0 (worst) to 1 (best); one half is neutral. Their weighted mean is
the card's score, and the card's opinion is `logit(base rate) - STEEPNESS * (score - 1/2)`: a neutral customer stands at
the base rate, and what each measure adds to the logit is its own term of a sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from hub import ConfigError
from scoring.arrays import Floats
from scoring.config import Measure, Scorecard, Transform

STEEPNESS: Final = 6.0  # the best and the worst card are e^6 apart in odds, 20 times either side of the base rate
_MISSING: Final = {"neutral": 0.5, "worst": 0.0, "best": 1.0}


class Card:
    """A scorecard laid out for a matrix of measures.

    Args:
        measures: the columns of the matrix, in order.
        scorecard: its transforms name some of them; a measure may be named more than once.

    Raises:
        ConfigError: a transform lacks its bounds, or its bands make no sense.
    """

    def __init__(self, measures: Sequence[Measure], scorecard: Scorecard) -> None:
        places = {measure.name: place for place, measure in enumerate(measures)}
        dimensions = sum(d.weight for d in scorecard.dimensions)
        self._columns: list[tuple[int, float, Transform]] = []
        for dimension in scorecard.dimensions:
            inside = sum(t.weight for t in dimension.measures)
            for transform in dimension.measures:
                _check(transform)
                share = dimension.weight / dimensions * transform.weight / inside
                self._columns.append((places[transform.measure], share * STEEPNESS, transform))
        self._width = len(places)
        self.base_logit: float = math.log(scorecard.base_rate / (1.0 - scorecard.base_rate))

    def contributions(self, values: Floats) -> Floats:
        """What each measure adds to the logit of losing the customer: (n, M) in, NaN unknown; (n, M) out, finite."""
        out = np.zeros((len(values), self._width))
        for place, weight, transform in self._columns:
            out[:, place] += weight * (0.5 - _score(transform, values[:, place]))
        return out


def _score(transform: Transform, values: Floats) -> Floats:
    """Scores from 0 to 1 of one column."""
    if transform.kind == "bands":
        steps = np.array([0.0, *(score for _, score in transform.bands)])  # below the first band nothing is earned
        score = steps[np.searchsorted([at_least for at_least, _ in transform.bands], values, side="right")]
    else:
        low, high = transform.low or 0.0, transform.high or 0.0
        score = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.where(np.isnan(values), _MISSING[transform.missing], score)


def _check(transform: Transform) -> None:
    where = f"scorecard: {transform.measure}"
    if transform.kind == "bands":
        borders = [at_least for at_least, _ in transform.bands]
        if not borders or borders != sorted(set(borders)):
            raise ConfigError(f"{where} needs bands of ascending borders, [at least, score]")
        if not all(0.0 <= score <= 1.0 for _, score in transform.bands):
            raise ConfigError(f"{where} has a band whose score is not between 0 and 1")
    elif transform.low is None or transform.high is None or transform.low == transform.high:
        raise ConfigError(f"{where} needs two different bounds, low and high (low > high: less is better)")
