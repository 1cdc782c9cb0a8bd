"""What features are measured against: their mean and spread among the customers of whom they were known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from scoring.arrays import Floats

CLIP: Final = 4.0
"""Standard deviations beyond which a feature says no more."""
FLAT: Final = 1e-9
"""A variance below this is rounding; what is constant says nothing (and River's may even turn negative)."""


class Scaling(msgspec.Struct):
    """What River's `StandardScaler` keeps, by feature."""

    counts: dict[str, int] = msgspec.field(default_factory=dict)
    means: dict[str, float] = msgspec.field(default_factory=dict)
    variances: dict[str, float] = msgspec.field(default_factory=dict)

    def learn(self, names: Sequence[str], features: Floats) -> None:
        """Take in rows: (n, F) features and then their flags. Merged as Chan, Golub and LeVeque (1979) do."""
        half = len(names) // 2
        known, values = features[:, half:] == 0.0, features[:, :half]
        count = known.sum(axis=0)
        mean = np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1)
        spread = (np.where(known, values - mean, 0.0) ** 2).sum(axis=0)
        columns = zip(names[:half], count.tolist(), mean.tolist(), spread.tolist(), strict=True)
        for name, new, middle, squares in columns:
            if new:
                old, was = self.counts.get(name, 0), self.means.get(name, 0.0)
                both, apart = old + new, middle - was
                self.counts[name], self.means[name] = both, was + apart * new / both
                self.variances[name] = (
                    self.variances.get(name, 0.0) * old + squares + apart**2 * old * new / both
                ) / both

    def scales(self, names: Sequence[str]) -> tuple[Floats, Floats]:
        """Means and 1 / standard deviations of features (F,); 0 where a feature is constant or was never seen."""
        variances = np.array([self.variances.get(name, 0.0) for name in names])
        varied = variances > FLAT
        return (
            np.array([self.means.get(name, 0.0) for name in names]),
            np.where(varied, 1.0 / np.sqrt(np.where(varied, variances, 1.0)), 0.0),
        )

    def standardized(self, names: Sequence[str], features: Floats) -> Floats:
        """(n, F) as regressions read them; see `standardized`."""
        return standardized(features, *self.scales(names[: len(names) // 2]))


def standardized(features: Floats, means: Floats, scales: Floats) -> Floats:
    """(n, 2M) as regressions read them: deviations from the mean within `CLIP`, 0 where unknown; then the flags."""
    half = len(means)
    out = features.copy()
    known = out[:, :half]
    known -= means
    known *= scales
    np.clip(known, -CLIP, CLIP, out=known)
    known[features[:, half:] > 0.0] = 0.0
    return out
