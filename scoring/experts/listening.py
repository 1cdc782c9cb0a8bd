"""Whom to listen to, laid out for many customers at once: all alike, or each as its segment does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from scoring.arrays import Codes, Floats
from scoring.families.segments import DEFAULT

_WHOLE: Final = 1e-6  # weights that sum to 1 but for this need no others to make up for


@dataclass(frozen=True, slots=True)
class Listening:
    """Of n customers, who all listen alike (one number for each expert) or do not (a row for each customer).

    Attributes:
        weights: (E,) or (n, E) of the experts everybody has; sum 1.
        beside: (V,) or (n, V) of those that may be silent, where all others together are 1.
        constant: () or (n,) log odds that the mix gives a customer of whom nothing is known.
        level: () or (n,) log odds that are added to it, and to whatever else the mix says.
        where: the row of `Table` that is theirs, or (n,) those of each.
    """

    weights: Floats
    beside: Floats
    constant: Floats
    level: Floats
    where: Codes | int

    def to(self, expert: int) -> Floats:
        """The weight of an expert, (1,) or (n, 1)."""
        return self.weights[..., expert, None]

    def mix(self, opinions: Floats) -> Floats:
        """(n,) of opinions (n, E)."""
        alike = self.weights.ndim == 1
        found: Floats = opinions @ self.weights if alike else np.einsum("ne,ne->n", opinions, self.weights)
        return found

    def rows(self, table: Floats) -> Floats:
        """(K,) or (n, K): the customers' own of a table (S, K) with a row for each segment."""
        found: Floats = table[self.where]
        return found


class Table:
    """The weights of all segments; the last row is of whoever no card fits, or of everybody where there are none.

    Args:
        weights: of each row, by expert; sum 1.
        levels: log odds of each row.
        experts: those that everybody has.
        beside: those that may be silent.
        constants: (E,) log odds that experts give a customer of whom nothing is known.
    """

    def __init__(
        self,
        weights: Sequence[Mapping[str, float]],
        levels: Sequence[float],
        experts: Sequence[str],
        beside: Sequence[str],
        constants: Floats,
    ) -> None:
        shares = [np.array([one.get(name, 0.0) for name in experts]) for one in weights]
        present = [float(one.sum()) for one in shares]  # the others share what the absent would have had
        alone = [math.isclose(one, 1.0, abs_tol=_WHOLE) for one in present]
        self.weights = np.array(
            [one if whole else one / sum_ for one, whole, sum_ in zip(shares, alone, present, strict=True)]
        )
        self.beside = np.array(
            [[one.get(name, 0.0) / sum_ for name in beside] for one, sum_ in zip(weights, present, strict=True)]
        ).reshape(len(weights), len(beside))
        self.constants = np.array([float(constants @ one) for one in self.weights])
        self.levels = np.array(levels)

    def of(self, cards: Codes | None) -> Listening:
        """How these customers (n,) listen, by the codes of their cards; None: all as whoever no card fits."""
        where: Codes | int = DEFAULT
        if cards is not None and len(cards) and len(self.weights) > 1:
            where = cards if (cards != cards[0]).any() else int(cards[0])
        return Listening(self.weights[where], self.beside[where], self.constants[where], self.levels[where], where)
