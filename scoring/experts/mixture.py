"""Which expert to believe, and how much: weights that follow what each one's predictions turned out to be worth.

Experts are averaged in log odds, which is what keeps drivers additive, and labels multiply an expert's weight by
`exp(-rate * (chance - lost) * log odds)`: whoever would have pulled the mix nearer to what happened gains
(exponentiated gradient; Kivinen and Warmuth 1997). Log loss is convex in log odds, so the mix loses little more than
the best *blend* of its experts, and so than the best of them. How much mixing costs is added up (`gap`), and the rate
falls as that grows: de Rooij et al., *Follow the leader if you can, hedge if you must* (2014). A small share of the
weight is handed round at every label (Herbster and Warmuth 1998), so that an expert who was wrong for a year is heard
again within weeks.

The promise: over any sequence the mix loses at most `gap + SPAN / rate` more than its best expert, and `SHARE / rate`
for each label of weight 1. Labels that overlap weigh less: a customer who is put on record every week is judged by the
same two months again and again, and is one witness, not eight. Where weights are not used at once (a label comes a
horizon after its prediction, and some are learned together) the promise holds for a world that changes slowly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np

from scoring.arrays import Floats, Mask, expit

LIMIT: Final = 7.0
"""Log odds beyond which no expert's opinion goes: 1 in 1,100."""
SHARE: Final = 1e-4
SPAN: Final = 12.0
"""The most that `log(1 / weight)` can become, rounded up: what the weights can have to make good."""
_FASTEST: Final = 0.2  # labels of one week share its weather, and bolder weights would follow that


def log_losses(opinions: Floats, lost: Mask) -> Floats:
    """Log losses in nats of predictions given as log odds of losing the customer, of arrays of one shape.

    >>> log_losses(np.array([0.0, 2.0]), np.array([True, False])).round(4).tolist()
    [0.6931, 2.1269]
    """
    found: Floats = np.logaddexp(0.0, np.where(lost, -opinions, opinions))
    return found


def mixed(opinions: Floats, weights: Floats) -> Floats:
    """What a mix says (n,) of opinions (n, E), each within `LIMIT`; where one is NaN its weight is the others'.

    >>> mixed(np.array([[1.0, 3.0], [1.0, np.nan], [1.0, 9.0]]), np.array([0.5, 0.5])).tolist()
    [2.0, 1.0, 4.0]
    """
    heard = ~np.isnan(opinions)
    said = np.where(heard, np.clip(opinions, -LIMIT, LIMIT), 0.0)
    found: Floats = said @ weights / (heard @ weights)
    return found


class Mixture(msgspec.Struct):
    """Weights of experts, learned from matured predictions.

    Attributes:
        weights: by expert, positive, sum 1.
        gap: what mixing has cost so far, in nats; the rate is made of it.
        losses: by expert, the sum of log losses of what it predicted, since the beginning.
    """

    weights: dict[str, float]
    gap: float = 0.0
    losses: dict[str, float] = msgspec.field(default_factory=dict)

    @property
    def rate(self) -> float:
        """How boldly the next label moves the weights."""
        return min(_FASTEST, SPAN / max(SPAN, self.gap))

    def learn(self, opinions: Floats, lost: Mask, weight: float = 1.0, level: float = 0.0) -> None:
        """Judge opinions by what became of the customers, all by the weights there were before.

        Args:
            opinions: (n, E) log odds, columns as in `weights`; NaN where an expert has none, which costs it nothing.
            lost: (n,) whether the customers left.
            weight: how much of a label each is, more than 0 and at most 1.
            level: log odds that are added to whatever the mix says.
        """
        heard = ~np.isnan(opinions)
        awake, some = np.asarray(heard.any(axis=0)), np.asarray(heard.any(axis=1))
        if not some.any():
            return
        names = [name for name, one in zip(self.weights, awake.tolist(), strict=True) if one]
        trust = np.array([self.weights[name] for name in names])
        mass, trust = float(trust.sum()), trust / trust.sum()
        heard, ended = heard[np.ix_(some, awake)], lost[some]
        said = np.where(heard, np.clip(opinions[np.ix_(some, awake)], -LIMIT, LIMIT), 0.0)
        together = said @ trust / (heard @ trust)
        pull = weight * (expit(together + level) - ended)  # of the mix's log loss, along its log odds
        suffered = (pull[:, None] * np.where(heard, said, together[:, None])).sum(axis=0)
        kept = trust * np.exp(-self.rate * (suffered - suffered.min()))
        ideal = float(suffered.min()) - math.log(kept.sum()) / self.rate
        share = 1.0 - (1.0 - SHARE * weight) ** len(ended)
        kept = kept / kept.sum() * (1.0 - share) + share / len(names)
        judged = weight * np.where(heard, log_losses(said, ended[:, None]), 0.0).sum(axis=0)
        for name, now, lost_by in zip(names, (mass * kept).tolist(), judged.tolist(), strict=True):
            self.weights[name] = now
            self.losses[name] = self.losses.get(name, 0.0) + lost_by
        self.gap += max(0.0, float(pull @ together) - ideal)

    def welcome(self, trust: Mapping[str, float]) -> None:
        """Take in experts that came after these weights were learned, each at the share that it is trusted with."""
        new = {name: share for name, share in trust.items() if name not in self.weights}
        left = 1.0 - sum(new.values())
        self.weights = {name: weight * left for name, weight in self.weights.items()} | new

    def dismiss(self, name: str) -> None:
        """Forget an expert; what it was listened to is the others', in proportion."""
        left = 1.0 - self.weights.pop(name, 0.0)
        self.weights = {other: weight / left for other, weight in self.weights.items()}
        self.losses.pop(name, None)
