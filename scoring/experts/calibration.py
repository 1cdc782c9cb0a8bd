"""Platt scaling: how much an expert's opinion should be believed, and where its zero lies.

`calibrated = scale * opinion + shift` (Platt 1999), the most probable line under a prior: the scale is believed to be
near 1, since people meant what they wrote, while the shift is left to the labels, since nobody knows how many leave
before some have. So the level is right after a hundred labels, and how steep the line is takes its time. Labels are
kept as piles of like opinions, which is all that is needed to fit the line anew, whatever came before.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from scoring.arrays import Floats, Mask, expit

_MEMORY: Final = 20_000.0  # labels it averages over; older ones fade, so that it can follow
_WIDTH: Final = 0.5  # of a pile, log odds
_FARTHEST: Final = 14  # piles from zero; the last ones take everything beyond
_STEEPEST: Final = 2.0
_MEANT: Final = np.array([1.0, 0.0])  # scale and shift before any label
_TRUST: Final = np.array([4.0, 0.05])  # 1 / variance: a scale within 1/2 of 1, a shift of any size that happens
_STEPS: Final = 50
_STILL: Final = 1e-9


class Pile(msgspec.Struct):
    """Labels of like opinions.

    Attributes:
        weight: how many they count for.
        lost: how much of that were customers who left.
        opinions: weighted sum.
    """

    weight: float = 0.0
    lost: float = 0.0
    opinions: float = 0.0


class Platt(msgspec.Struct):
    """An affine map of log odds; opinions are given relative to the base rate written in the scorecard.

    Attributes:
        scale: 0 when the expert knows nothing, 1 when it is taken at its word; never negative, since an expert that is
            always wrong is to be mended by people, not read backwards; never above 2.
        shift: log odds added to all its opinions.
        piles: the labels it was fitted to, by half log odds of the opinion.
    """

    scale: float = 1.0
    shift: float = 0.0
    piles: dict[int, Pile] = msgspec.field(default_factory=dict)

    def __call__(self, opinion: float) -> float:
        """The opinion as it deserves to be taken."""
        return self.scale * opinion + self.shift

    def doubt(self, kept: float) -> None:
        """Let what was noted count for less."""
        for pile in self.piles.values():
            pile.weight *= kept
            pile.lost *= kept
            pile.opinions *= kept

    def learn(self, opinions: Floats, lost: Mask, weight: float = 1.0) -> None:
        """Note labels (n,), each of which counts as so many; `settle` draws the conclusion."""
        self.doubt((1.0 - weight / _MEMORY) ** len(lost))
        places = np.clip(np.rint(opinions / _WIDTH), -_FARTHEST, _FARTHEST).astype(np.intp)
        places += _FARTHEST
        sums = [np.bincount(places, weights=of, minlength=2 * _FARTHEST + 1) for of in (None, lost, opinions)]
        for place in np.flatnonzero(sums[0]).tolist():
            pile = self.piles.setdefault(place - _FARTHEST, Pile())
            pile.weight += weight * float(sums[0][place])
            pile.lost += weight * float(sums[1][place])
            pile.opinions += weight * float(sums[2][place])

    def settle(self, zero: float) -> None:
        """Fit the line to all that was noted; opinions were held relative to the log odds `zero`."""
        piles = [self.piles[place] for place in sorted(self.piles)]
        if not piles:
            return
        weight = np.array([pile.weight for pile in piles])
        lost = np.array([pile.lost for pile in piles])
        said = np.array([pile.opinions for pile in piles]) / weight
        ones = np.ones_like(said)
        lines = np.column_stack([said, ones])
        scale, shift = _most_probable(lines, ones * zero, weight, lost, prior=_MEANT, trust=_TRUST).tolist()
        if not 0.0 <= scale <= _STEEPEST:
            scale = min(_STEEPEST, max(0.0, scale))
            held = zero + scale * said
            shift = float(_most_probable(lines[:, 1:], held, weight, lost, prior=_MEANT[1:], trust=_TRUST[1:])[0])
        self.scale, self.shift = scale, shift


def _most_probable(
    columns: Floats, offset: Floats, weight: Floats, lost: Floats, *, prior: Floats, trust: Floats
) -> Floats:
    """Coefficients (c,) of a logistic regression on grouped labels with a normal prior: Newton steps, halved as needed.

    Args:
        columns: (k, c), one row a pile.
        offset: (k,) log odds before the columns are looked at.
        weight: (k,) labels, positive.
        lost: (k,) how many of them left.
        prior: (c,) expected.
        trust: (c,) 1 / variance of that, positive, so that the answer is unique.
    """

    def cost(beliefs: Floats) -> float:
        odds = offset + columns @ beliefs
        return float(
            (weight * np.logaddexp(0.0, odds) - lost * odds).sum() + (trust * (beliefs - prior) ** 2).sum() / 2
        )

    beliefs, now = prior.copy(), cost(prior)
    for _ in range(_STEPS):
        chances = expit(offset + columns @ beliefs)
        slope = columns.T @ (weight * chances - lost) + trust * (beliefs - prior)
        bend = (columns * (weight * chances * (1.0 - chances))[:, None]).T @ columns + np.diag(trust)
        step = np.linalg.solve(bend, slope)
        while (then := cost(beliefs - step)) > now and np.abs(step).max() > _STILL:
            step = step / 2.0
        if np.abs(step).max() <= _STILL:
            break
        beliefs, now = beliefs - step, then
    return beliefs
