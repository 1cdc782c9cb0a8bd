"""The scorecard: what people believe about health, written down as weights, read as a probability.

Each transform turns its measure into a score from 0 (worst) to 1 (best); one half is neutral. Their weighted mean is
the card's score, and the card's opinion is `logit(base rate) - STEEPNESS * (score - 1/2)`: a neutral customer stands at
the base rate, and what each measure adds to the logit is its own term of a sum.

Where something unknown is to be left out (`missing: redistribute`) its weight goes to what is known of its dimension,
in proportion, and the weight of a dimension of which nothing is known to the others. So the terms stay terms of a sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np

from hub import ConfigError
from scoring.arrays import Floats
from scoring.config import Dimension, Measure, Transform
from scoring.norms import Norms, Peers, peers, percentiles

STEEPNESS: Final = 6.0  # the best and the worst card are e^6 apart in odds, 20 times either side of the base rate
_MISSING: Final = {"neutral": 0.5, "worst": 0.0, "best": 1.0, "redistribute": 0.5}


class Weighed(Protocol):
    """A scorecard, or one of a segment."""

    @property
    def dimensions(self) -> Sequence[Dimension]:
        """With their weights."""


class Card:
    """A scorecard laid out for a matrix of measures; `peers` says by place with whom percentiles compare.

    Args:
        measures: the columns of the matrix, in order.
        scorecard: its transforms name some of them; a measure may be named more than once.
        norms: what is usual, for percentiles; None: nobody is compared with anybody, and all are neutral.
        segment: whose card it is.

    Raises:
        ConfigError: a transform lacks its bounds, or its bands make no sense.
    """

    def __init__(
        self, measures: Sequence[Measure], scorecard: Weighed, norms: Norms | None = None, segment: str = ""
    ) -> None:
        places = {measure.name: place for place, measure in enumerate(measures)}
        dimensions = sum(d.weight for d in scorecard.dimensions)
        linear: list[tuple[int, float, int, Transform]] = []
        banded: list[tuple[int, float, int, Transform]] = []
        ranked: list[tuple[int, float, int, Transform]] = []
        kinds = {"linear": linear, "bands": banded, "percentile": ranked}
        for side, dimension in enumerate(scorecard.dimensions):
            inside = sum(t.weight for t in dimension.measures)
            for transform in dimension.measures:
                weight = STEEPNESS * dimension.weight / dimensions * transform.weight / inside
                kinds[transform.kind].append((places[transform.measure], weight, side, transform))
        for *_, transform in banded:
            _check_bands(transform)
        both = linear + banded + ranked
        self._linear = len(linear)
        self._ranked = [
            (transform, peers(norms, transform, segment), measures[place].direction == "up")
            for place, _, _, transform in ranked
        ]
        self.peers = {place: one for (place, *_), (_, one, _) in zip(ranked, self._ranked, strict=True)}
        self._banded = [transform for *_, transform in banded]
        self._places = np.array([place for place, *_ in both], np.intp)
        self._weights = np.array([weight for _, weight, *_ in both])
        self._into = np.zeros((len(both), len(places)))
        self._into[np.arange(len(both)), self._places] = 1.0
        bounds = np.array([_bounds(transform) for *_, transform in linear]).reshape(-1, 2)
        self._low, self._span = bounds[:, 0], bounds[:, 1] - bounds[:, 0]
        self._missing = np.array([_MISSING[transform.missing] for *_, transform in linear])
        self._left_out = np.array([transform.missing == "redistribute" for *_, transform in both])
        self._sides = np.zeros((len(both), len(scorecard.dimensions)))
        self._sides[np.arange(len(both)), [side for _, _, side, _ in both]] = 1.0

    def contributions(self, values: Floats) -> Floats:
        """What each measure adds to the logit of losing the customer: (n, M) in, NaN unknown; (n, M) out, finite."""
        read = values[:, self._places]
        terms = np.empty_like(read)
        some = read[:, : self._linear]
        with np.errstate(over="ignore"):  # beyond the largest number is beyond every bound
            scores = np.clip((some - self._low) / self._span, 0.0, 1.0)
        terms[:, : self._linear] = 0.5 - np.where(np.isnan(some), self._missing, scores)
        for place, transform in enumerate(self._banded, self._linear):
            terms[:, place] = 0.5 - _band_scores(transform, read[:, place])
        for place, (transform, among, up) in enumerate(self._ranked, self._linear + len(self._banded)):
            terms[:, place] = 0.5 - _rank_scores(transform, among, read[:, place], up=up)
        terms *= self._weights
        if self._left_out.any() and (unknown := np.isnan(read) & self._left_out).any():
            terms *= self._shares(~unknown)
        out: Floats = terms @ self._into
        return out

    @property
    def weights(self) -> Floats:
        """(M,) the share of each measure in the card; they sum to 1."""
        found: Floats = self._weights @ self._into / STEEPNESS
        return found

    def _shares(self, known: Floats) -> Floats:
        """By what (n, T) the weights of what counts grow, when only what is `known` (n, T) does."""
        whole = self._weights @ self._sides
        held = (known * self._weights) @ self._sides
        inside = np.divide(whole, held, out=np.zeros_like(held), where=held > 0.0)
        sides = ((held > 0.0) @ whole)[:, None]
        across = np.divide(whole.sum(), sides, out=np.zeros_like(sides), where=sides > 0.0)
        shares: Floats = (inside * across) @ self._sides.T
        return shares


def _band_scores(transform: Transform, values: Floats) -> Floats:
    steps = np.array([0.0, *(score for _, score in transform.bands)])  # below the first band nothing is earned
    scores = steps[np.searchsorted([at_least for at_least, _ in transform.bands], values, side="right")]
    return np.where(np.isnan(values), _MISSING[transform.missing], scores)


def _rank_scores(transform: Transform, among: Peers | None, values: Floats, *, up: bool) -> Floats:
    shares = np.where(np.isnan(values), np.nan, 0.5) if among is None else percentiles(among.quantiles, values)
    return np.where(np.isnan(values), _MISSING[transform.missing], shares if up else 1.0 - shares)


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
