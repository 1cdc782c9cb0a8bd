"""Days since something first happened."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scoring.arrays import Floats
from scoring.batch import Batch, Codes
from scoring.config import Measure
from scoring.families.protocol import DAY, Rows
from scoring.rows import Block


class Tenure:
    """Family `tenure`: the time of the oldest event of its kinds."""

    def __init__(self, measures: Sequence[Measure], codes: Codes) -> None:
        self.columns = [i for i, m in enumerate(measures) if m.family == "tenure"]
        ours = [measures[i] for i in self.columns]
        self._names = tuple(m.name for m in ours)
        counted = np.array([codes.coefficients(m) != 0.0 for m in ours]).reshape(len(ours), codes.size).T
        self._handicap = np.where(counted, 0.0, np.inf)

    def blocks(self) -> Sequence[Block]:
        """One time each; inf: never."""
        return (Block("tenure", "f8", self._names, (np.inf,) * len(self._names)),)

    def fold(self, rows: Rows, batch: Batch) -> None:
        """The earlier of what was and what came."""
        if self._names:
            times = np.minimum.reduceat(self._handicap[batch.code] + batch.time[:, None], batch.starts, axis=0)
            np.minimum(rows["tenure"], times, out=rows["tenure"])

    def read(self, rows: Rows, now: Floats) -> Floats:
        """Days, 0 or more; NaN: never."""
        if not self._names:
            return np.zeros((len(rows), 0))
        first = rows["tenure"]
        return np.where(np.isfinite(first), np.maximum(now[:, None] - first, 0.0) / DAY, np.nan)

    def merge(self, into: Rows, other: Rows) -> None:
        """The earlier of the two."""
        if self._names:
            np.minimum(into["tenure"], other["tenure"], out=into["tenure"])
