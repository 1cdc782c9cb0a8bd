"""The pace of late against the pace before: a short half-life over a long one.

A steady customer stands at 1. Both sums are measured against what a steady pace would have brought since the first
event, or every new customer would seem to soar; a silent one sinks towards 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scoring.arrays import Floats
from scoring.batch import Batch, Codes
from scoring.config import Measure
from scoring.families.counts import Counts
from scoring.families.protocol import Rows
from scoring.rows import Block

_YOUNGEST = 3_600.0


class Trend:
    """Family `trend`, read off two sums of `Counts`; all it keeps is when the first event was."""

    def __init__(self, measures: Sequence[Measure], codes: Codes, counts: Counts) -> None:
        self.columns = [i for i, m in enumerate(measures) if m.family == "trend"]
        ours = [measures[i] for i in self.columns]
        by_name = {m.name: m for m in measures}
        self._counts = counts
        self._names = tuple(m.name for m in ours)
        pairs = [(by_name[m.short or ""], by_name[m.long or ""]) for m in ours]
        self._short, self._long = ([counts.place(pair[side].name) for pair in pairs] for side in (0, 1))
        self._short_life, self._long_life = (np.array([pair[side].half_life for pair in pairs]) for side in (0, 1))
        counted = np.array([codes.coefficients(long) != 0.0 for _, long in pairs]).reshape(len(ours), codes.size).T
        self._handicap = np.where(counted, 0.0, np.inf)

    def blocks(self) -> Sequence[Block]:
        """The first event's time; inf: none yet."""
        return (Block("trend", "f8", self._names, (np.inf,) * len(self._names)),)

    def fold(self, rows: Rows, batch: Batch) -> None:
        """The earlier of what was and what came."""
        if self._names:
            times = np.minimum.reduceat(self._handicap[batch.code] + batch.time[:, None], batch.starts, axis=0)
            np.minimum(rows["trend"], times, out=rows["trend"])

    def read(self, rows: Rows, now: Floats) -> Floats:
        """Times the long pace; NaN before the first event."""
        if not self._names:
            return np.zeros((len(rows), 0))
        sums = self._counts.decayed(rows, now)
        age = np.maximum(now[:, None] - rows["trend"], _YOUNGEST)
        short = sums[:, self._short] / (self._short_life * (1.0 - np.exp2(-age / self._short_life)))
        long = sums[:, self._long] / (self._long_life * (1.0 - np.exp2(-age / self._long_life)))
        ratio = np.divide(short, long, out=np.zeros_like(long), where=long > 0.0)
        return np.where(np.isfinite(rows["trend"]), ratio, np.nan)

    def merge(self, into: Rows, other: Rows) -> None:
        """The earlier of the two."""
        if self._names:
            np.minimum(into["trend"], other["trend"], out=into["trend"])
