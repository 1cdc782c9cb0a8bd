"""A blend for each segment: as its own labels have it where they suffice, as the whole's where they do not.

Two things may differ between segments. Both are learned beside the whole, which stays what it would be without them.

Whom to believe: each segment has weights of its own, which begin as the whole's and learn from its labels alone. What
is used is `(1 - z) * whole + z * own`, with the credibility `z = n / (n + STRENGTH)` of its n labels (Bühlmann,
*Experience rating and credibility*, 1967). Experts are averaged in log odds, so this is the logarithmic pool of the two
mixes (Genest and Zidek 1986). Log loss is convex in log odds: a segment loses at most z times what its own weights lose
beyond the whole's. Nothing jumps at any label, and what other segments do to the whole reaches it only by `1 - z`.

How many leave: no expert knows of segments, so where two that measure the same lose customers at different rates, all
experts are wrong by the same log odds. That `level` is added to the mix. It is believed to lie within `SPREAD` of none
and gives way to evidence (a normal prior, as empirical Bayes' shrinkage has it, with the spread given; Laplace's
approximation of `scoring.experts.posterior`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import msgspec
import numpy as np

from scoring.arrays import Floats, Mask
from scoring.experts.mixture import Mixture, mixed
from scoring.experts.posterior import learned

STRENGTH: Final = 100.0
"""Labels at which a segment is believed as much as the whole: as many as suffice for the whole to be listened to."""
SPREAD: Final = 0.5
"""Log odds by which segments differ before anything is known of them: by two thirds in odds."""


class Blend(msgspec.Struct):
    """What one segment's labels taught.

    Attributes:
        weights: its own, of `Blends.experts`, as 8-byte floats; travels as base64.
        labels: how many it learned from.
        seen: the same by weight, with old ones fading.
        gap: of its mixture, see `scoring.experts.mixture.Mixture`.
        level: log odds that are added to the mix.
        certainty: 1 / variance of that.
    """

    weights: bytes
    labels: int = 0
    seen: float = 0.0
    gap: float = 0.0
    level: float = 0.0
    certainty: float = 1.0 / SPREAD**2

    @property
    def credibility(self) -> float:
        """The share of its own weights in those that are used; 0 before any label, never 1."""
        return self.seen / (self.seen + STRENGTH)


class Blends(msgspec.Struct):
    """Of all segments that have had labels.

    Attributes:
        experts: in the order of the weights.
        of: by name of the segment; empty: customers whom no card fits.
    """

    experts: tuple[str, ...] = ()
    of: dict[str, Blend] = msgspec.field(default_factory=dict)

    def weights(self, segment: str, whole: Mapping[str, float]) -> dict[str, float]:
        """How much each expert is listened to in a segment; sum 1."""
        blend = self.of.get(segment)
        if blend is None:
            return dict(whole)
        own, z = self._own(blend, whole), blend.credibility
        return {name: (1.0 - z) * weight + z * own[name] for name, weight in whole.items()}

    def level(self, segment: str) -> float:
        """Log odds by which its customers are likelier lost than the mix says; 0 where nothing is known."""
        blend = self.of.get(segment)
        return 0.0 if blend is None else blend.level

    def learn(
        self, segment: str, whole: Mapping[str, float], said: Floats, lost: Mask, *, weight: float, kept: float
    ) -> None:
        """Judge opinions about customers of one segment.

        Args:
            segment: its name.
            whole: weights of all experts, as they were before these labels.
            said: (n, E) log odds, columns as in `whole`; NaN where an expert has none.
            lost: (n,) whether the customers left.
            weight: how much of a label each is.
            kept: the share that is left of what was learned before.
        """
        heard = ~np.isnan(said).all(axis=1)
        said, lost = said[heard], lost[heard]
        if not len(lost):
            return
        self._align(whole)
        blend = self.of.setdefault(segment, Blend(np.array([*whole.values()], "<f8").tobytes()))
        odds = mixed(said, np.array([*self.weights(segment, whole).values()]))
        own = Mixture(self._own(blend, whole), blend.gap)
        own.learn(said, lost, weight, blend.level)
        blend.weights, blend.gap = np.array([*own.weights.values()], "<f8").tobytes(), own.gap
        certainty = kept * blend.certainty + (1.0 - kept) / SPREAD**2
        mean, precision = np.array([blend.level]), np.array([[certainty]])
        level, bend = learned(mean, precision, lambda at: (odds + at[0], np.ones((len(odds), 1))), lost, weight)
        blend.level, blend.certainty = float(level[0]), float(bend[0, 0])
        blend.labels += len(lost)
        blend.seen = blend.seen * kept + weight * len(lost)

    def keep(self, segments: Collection[str]) -> None:
        """Forget all others: a segment that is gone has nobody any more."""
        self.of = {name: blend for name, blend in self.of.items() if name in segments}

    def _own(self, blend: Blend, whole: Mapping[str, float]) -> dict[str, float]:
        """Its own weights of the whole's experts; one that came since is believed as the whole believes it."""
        known = dict(zip(self.experts, np.frombuffer(blend.weights, "<f8").tolist(), strict=True))
        new = sum(weight for name, weight in whole.items() if name not in known)
        old = sum(weight for name, weight in known.items() if name in whole)
        return {name: known[name] / old * (1.0 - new) if name in known else weight for name, weight in whole.items()}

    def _align(self, whole: Mapping[str, float]) -> None:
        """Put all weights in the order of the whole's experts."""
        experts = tuple(whole)
        if experts == self.experts:
            return
        for blend in self.of.values():
            blend.weights = np.array([*self._own(blend, whole).values()], "<f8").tobytes()
        self.experts = experts
