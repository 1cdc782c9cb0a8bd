"""The cards of an installation: its scorecard, and others for customers of one kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from scoring.arrays import Codes, Floats
from scoring.batch import Integers
from scoring.config import Measure, Scorecard
from scoring.families.segments import DEFAULT
from scoring.limits import Limits
from scoring.norms import Norms, Peers
from scoring.scorecard import Card, Weighed


class Cards:
    """All of them, laid out for a matrix of measures; a customer's is told by its code.

    Args:
        measures: the columns of the matrix, in order.
        scorecard: with its cards.
        norms: what is usual, for percentiles.

    Raises:
        ConfigError: a transform lacks its bounds, or its bands make no sense.
    """

    def __init__(self, measures: Sequence[Measure], scorecard: Scorecard, norms: Norms | None = None) -> None:
        self.names = (*(card.name for card in scorecard.cards), "")
        all_of_them: Sequence[Weighed] = [*scorecard.cards, scorecard]
        self._cards = [Card(measures, card, norms, name) for card, name in zip(all_of_them, self.names, strict=True)]
        own = [scorecard.limits if card.limits is None else card.limits for card in scorecard.cards]
        self._limits = [Limits(measures, limits) for limits in (*own, scorecard.limits)]

    def contributions(self, values: Floats, codes: Codes | None) -> Floats:
        """As `Card.contributions`, each row (n,) by the card of its code; None: all by the scorecard itself."""
        if (alone := self._alone(codes)) is not None:
            return self._cards[alone].contributions(values)
        out = np.empty_like(values)
        for code, some in _apart(codes):
            out[some] = self._cards[code].contributions(values[some])
        return out

    def limits(self, values: Floats, healths: Floats, codes: Codes | None) -> tuple[Floats, Floats]:
        """As `Limits.apply`, each row by the limits of its card."""
        if (alone := self._alone(codes)) is not None:
            return self._limits[alone].apply(values, healths)
        floor, cap = np.empty_like(healths), np.empty_like(healths)
        for code, some in _apart(codes):
            floor[some], cap[some] = self._limits[code].apply(values[some], healths[some])
        return floor, cap

    def words(self, values: Sequence[float], code: int = DEFAULT) -> Mapping[str, str]:
        """Which floor and which cap hold a customer (M,), in words by the name of the part."""
        return self._limits[code].words(values)

    def peers(self, code: int = DEFAULT) -> Mapping[int, Peers | None]:
        """With whom percentiles of a card compare, by column; None: with nobody yet."""
        return self._cards[code].peers

    def weights(self, code: int = DEFAULT) -> Floats:
        """(M,) the share of each measure in a card; they sum to 1."""
        return self._cards[code].weights

    def _alone(self, codes: Codes | None) -> int | None:
        """The one card that all of them have; None where they have several."""
        if codes is None or len(self._cards) == 1 or not len(codes):
            return DEFAULT
        return int(codes[0]) if (codes == codes[0]).all() else None


def _apart(codes: Codes | None) -> list[tuple[int, Integers]]:
    assert codes is not None  # noqa: S101 - several cards are told by codes
    return [(code, np.flatnonzero(codes == code)) for code in np.unique(codes).tolist()]
