"""Which expert to believe, and how much: weights that follow what each one's predictions turned out to be worth.

Experts are averaged in log odds, which is what keeps drivers additive, and each label multiplies an expert's weight by
`exp(-rate * log loss)`. Log loss is convex in log odds, so the mix loses at most the weighted average of its experts.
How much more than the best possible mixing it loses is added up (`gap`), and the rate falls as that grows: de Rooij et
al., *Follow the leader if you can, hedge if you must* (2014). A small share of the weight is handed round at every
label (Herbster and Warmuth 1998), so that an expert who was wrong for a year is heard again within weeks.

The promise: over any sequence the mix loses at most `gap + SPAN / rate` more than its best expert, and `SHARE / rate`
for each label of weight 1. Labels that overlap weigh less: a customer who is put on record every week is judged by the
same two months again and again, and is one witness, not eight. Where weights are not used at once (a label comes a
horizon after its prediction) the promise holds for a world that changes slowly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import msgspec

LIMIT: Final = 7.0
"""Log odds beyond which no expert's opinion goes: 1 in 1,100."""
SHARE: Final = 1e-4
SPAN: Final = 12.0
"""The most that `log(1 / weight)` can become, rounded up: what the weights can have to make good."""
_FASTEST: Final = 0.2  # labels of one week share its weather, and bolder weights would follow that


def log_loss(opinion: float, *, lost: bool) -> float:
    """Log loss in nats of a prediction given as log odds of losing the customer.

    >>> round(log_loss(0.0, lost=True), 4)
    0.6931
    """
    against = -opinion if lost else opinion
    return max(against, 0.0) + math.log1p(math.exp(-abs(against)))


def clipped(opinion: float) -> float:
    """An opinion within `LIMIT`."""
    return min(LIMIT, max(-LIMIT, opinion))


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

    def mix(self, opinions: Mapping[str, float]) -> float:
        """Weighted mean of log odds over the experts that have an opinion."""
        awake = {name: weight for name, weight in self.weights.items() if name in opinions}
        return sum(weight * clipped(opinions[name]) for name, weight in awake.items()) / sum(awake.values())

    def learn(self, opinions: Mapping[str, float], *, lost: bool, weight: float = 1.0) -> None:
        """Judge opinions (log odds) by what became of the customer. An expert without one keeps its weight.

        Args:
            opinions: by expert.
            lost: whether the customer left.
            weight: how much of a label it is, more than 0 and at most 1.
        """
        awake = {name: trust for name, trust in self.weights.items() if name in opinions}
        if not awake:
            return
        rate, mass = self.rate, sum(awake.values())
        losses = {name: weight * log_loss(clipped(opinions[name]), lost=lost) for name in awake}
        kept = {name: trust * math.exp(-rate * losses[name]) for name, trust in awake.items()}
        total = sum(kept.values())
        ideal = -math.log(total / mass) / rate
        self.gap += max(0.0, weight * log_loss(self.mix(opinions), lost=lost) - ideal)
        share = SHARE * weight
        for name in awake:
            self.weights[name] = kept[name] / total * mass * (1.0 - share) + mass * share / len(awake)
            self.losses[name] = self.losses.get(name, 0.0) + losses[name]
