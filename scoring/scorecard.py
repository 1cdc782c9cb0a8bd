"""The scorecard: what people believe about health, written down as weights, read as a probability.

Each transform turns its measure into a score from 0 (worst) to 1 (best); one half is neutral. Their weighted mean is
the card's score, and the card's opinion is `logit(base rate) - STEEPNESS * (score - 1/2)`: a neutral customer stands at
the base rate, and what each measure adds to the logit is its own term of a sum.
"""

from __future__ import annotations

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
        linear: list[tuple[int, float, float, float, float]] = []
        self._banded: list[tuple[int, float, Transform]] = []
        for dimension in scorecard.dimensions:
            inside = sum(t.weight for t in dimension.measures)
            for transform in dimension.measures:
                weight = STEEPNESS * dimension.weight / dimensions * transform.weight / inside
                place = places[transform.measure]
                if transform.kind == "bands":
                    _check_bands(transform)
                    self._banded.append((place, weight, transform))
                else:
                    low, high = _bounds(transform)
                    linear.append((place, weight, low, high - low, _MISSING[transform.missing]))
        columns = np.array(linear).reshape(-1, 5).T
        self._places = columns[0].astype(np.intp)
        self._low, self._span, self._missing = columns[2:]
        self._weights = np.zeros((len(linear), len(places)))
        self._weights[np.arange(len(linear)), self._places] = columns[1]

    def contributions(self, values: Floats) -> Floats:
        """What each measure adds to the logit of losing the customer: (n, M) in, NaN unknown; (n, M) out, finite."""
        read = values[:, self._places]
        with np.errstate(over="ignore"):  # beyond the largest number is beyond every bound
            scores = np.clip((read - self._low) / self._span, 0.0, 1.0)
        out: Floats = (0.5 - np.where(np.isnan(read), self._missing, scores)) @ self._weights
        for place, weight, transform in self._banded:
            out[:, place] += weight * (0.5 - _band_scores(transform, values[:, place]))
        return out


def _band_scores(transform: Transform, values: Floats) -> Floats:
    steps = np.array([0.0, *(score for _, score in transform.bands)])  # below the first band nothing is earned
    scores = steps[np.searchsorted([at_least for at_least, _ in transform.bands], values, side="right")]
    return np.where(np.isnan(values), _MISSING[transform.missing], scores)


def _bounds(transform: Transform) -> tuple[float, float]:
    if transform.low is None or transform.high is None or transform.low == transform.high:
        raise ConfigError(
            f"scorecard: {transform.measure} needs two different bounds, low and high (low > high: less is better)"
        )
    return transform.low, transform.high


def _check_bands(transform: Transform) -> None:
    where = f"scorecard: {transform.measure}"
    borders = [at_least for at_least, _ in transform.bands]
    if not borders or borders != sorted(set(borders)):
        raise ConfigError(f"{where} needs bands of ascending borders, [at least, score]")
    if not all(0.0 <= score <= 1.0 for _, score in transform.bands):
        raise ConfigError(f"{where} has a band whose score is not between 0 and 1")
