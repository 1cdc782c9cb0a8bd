"""What half the horizon already tells: a regression that learns in half the time, calibrated to the whole.

Whoever will be lost within 60 days is often silent, or gone, after 30. A label of half the horizon matures in half the
time, so a young installation learns sooner, and a change of season is seen while it happens. How much of it holds for
the whole horizon is learned, too (`scoring.experts.calibration`), from predictions made before either was known.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from scoring.arrays import Floats, logit
from scoring.experts import bayes
from scoring.experts.bayes import Bayes
from scoring.experts.scaling import Scaling


class Proxy(msgspec.Struct):
    """What was learned.

    Attributes:
        scaling: of the features, as half the horizon's labels have them.
        bayes: the regression.
    """

    scaling: Scaling = msgspec.field(default_factory=Scaling)
    bayes: Bayes = msgspec.field(default_factory=lambda: bayes.fresh(0.0))

    def laid_out(self, names: Sequence[str]) -> tuple[Floats, Floats, Floats, float]:
        """Means and scales (M,), weights (2M,) of features of these names, and the log odds of the average customer."""
        means, scales = self.scaling.scales(names[: len(names) // 2])
        weights = np.array([self.bayes.weights.get(name, 0.0) for name in names])
        return means, scales, weights, self.bayes.intercept


def fresh(base_rate: float) -> Proxy:
    """One that has seen nothing and says so much of everybody; of two halves each loses half."""
    return Proxy(Scaling(), bayes.fresh(logit(base_rate / 2.0)))
