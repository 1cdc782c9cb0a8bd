"""A logistic regression that has no step size: it knows how sure it is of each weight.

It reads the same standardized features as River's regressions. Before any label it believes every weight near 0, and it
gives way as the evidence for a weight grows, so a hundred labels teach it what a hundred labels can and no more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from scoring.arrays import Floats, Mask
from scoring.experts.posterior import Posterior, learned

_DOUBT: Final = 25.0
"""1 / variance of a weight before any label: by one standard deviation a measure moves the odds by a fifth or so."""
_LEVEL: Final = 0.05  # of the intercept: any base rate that happens
_ROUNDS: Final = 8


class Bayes(msgspec.Struct):
    """What was learned.

    Attributes:
        names: of the features, in the order of the belief behind its first number, the intercept.
        belief: of the intercept and the weights, whatever their signs.
        intercept: as it is used.
        weights: as they are used: the most probable ones that weigh against no declared direction.
    """

    belief: Posterior
    intercept: float
    names: tuple[str, ...] = ()
    weights: dict[str, float] = msgspec.field(default_factory=dict)

    def learn(self, names: Sequence[str], read: Floats, lost: Mask, weight: float, kept: float) -> None:
        """Take a portion of labels into account.

        Args:
            names: columns of `read`.
            read: (n, F) standardized features.
            lost: (n,) what became of the customers.
            weight: how much of a label each is.
            kept: the share that is left of what was learned before.
        """
        self._know(names)
        rows = np.zeros((len(read), len(self.names) + 1))
        rows[:, 0] = 1.0
        rows[:, [1 + self.names.index(name) for name in names]] = read
        mean, before = np.array(self.belief.mean), self.belief.precision
        precision = kept * before + (1.0 - kept) * _prior(len(self.names))
        self.belief = Posterior.of(*learned(mean, precision, lambda w: (rows @ w, rows), lost, weight))

    def doubt(self, kept: float) -> None:
        """Be less sure of everything, and believe the same."""
        before = self.belief.precision
        precision = kept * before + (1.0 - kept) * _prior(len(self.names))
        self.belief = Posterior.of(np.array(self.belief.mean), precision)

    def settle(self, signs: Mapping[str, float], known: Collection[str]) -> None:
        """Say what follows from the belief.

        Args:
            signs: by feature, 1 where more of it may only mean more risk, -1 where only less; others are free.
            known: features there still are; others are forgotten.
        """
        self._forget(known)
        mean, precision = np.array(self.belief.mean), self.belief.precision
        wanted = np.array([0.0, *(signs.get(name, 0.0) for name in self.names)])
        held = np.zeros(len(mean), bool)
        weights = mean
        for _ in range(_ROUNDS):  # hold at 0 what points the wrong way, and let the others make up for it
            wrong = weights * wanted < 0.0
            if not wrong.any():
                break
            held |= wrong
            free = ~held
            weights = np.zeros(len(mean))
            pull = precision[np.ix_(free, held)] @ mean[held]
            weights[free] = mean[free] + np.linalg.solve(precision[np.ix_(free, free)], pull)
        weights = np.where(weights * wanted < 0.0, 0.0, weights)
        self.intercept = float(weights[0])
        self.weights = dict(zip(self.names, weights[1:].tolist(), strict=True))

    def _know(self, names: Sequence[str]) -> None:
        new = tuple(name for name in names if name not in self.names)
        if not new:
            return
        size = len(self.names) + 1
        precision = _prior(size - 1 + len(new))
        precision[:size, :size] = self.belief.precision
        self.belief = Posterior.of(np.array([*self.belief.mean, *[0.0] * len(new)]), precision)
        self.names += new

    def _forget(self, known: Collection[str]) -> None:
        kept = [place for place, name in enumerate(self.names) if name in known]
        if len(kept) == len(self.names):
            return
        places = [0, *(1 + place for place in kept)]
        mean, precision = np.array(self.belief.mean)[places], self.belief.precision[np.ix_(places, places)]
        self.belief, self.names = Posterior.of(mean, precision), tuple(self.names[place] for place in kept)


def fresh(zero: float) -> Bayes:
    """One that has seen nothing and says the log odds `zero` of everybody."""
    return Bayes(Posterior.of(np.array([zero]), _prior(0)), zero)


def _prior(features: int) -> Floats:
    return np.diag([_LEVEL, *[_DOUBT] * features])
