"""On how many of the last 28 days something happened."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scoring.arrays import Floats
from scoring.batch import Batch, Codes
from scoring.config import Measure
from scoring.families.protocol import DAY, Rows
from scoring.rows import Block

WINDOW = 28
_RING = 32  # four days more than the window: an event dated a day ahead must not push out the oldest


class ActiveDays:
    """Family `active_days`: a ring of days, each cell keeping the newest day that fell into it."""

    def __init__(self, measures: Sequence[Measure], codes: Codes) -> None:
        self.columns = [i for i, m in enumerate(measures) if m.family == "active_days"]
        self._names = tuple(measures[i].name for i in self.columns)
        self._counted = [codes.coefficients(measures[i]) != 0.0 for i in self.columns]

    def blocks(self) -> Sequence[Block]:
        """The rings: days since 1970, 0 for none."""
        return (Block("active_days", "u2", self._names, (0.0,) * len(self._names), cells=_RING),)

    def fold(self, rows: Rows, batch: Batch) -> None:
        """A newer day takes its cell, an older one is forgotten."""
        for place, counted in enumerate(self._counted):
            chosen = np.flatnonzero(counted[batch.code])
            if len(chosen):
                days = (batch.time[chosen] / DAY).astype(np.int64)
                cells = (batch.index[chosen], np.full(len(chosen), place), days % _RING)
                np.maximum.at(rows["active_days"], cells, days.astype(np.uint16))

    def read(self, rows: Rows, now: Floats) -> Floats:
        """Days, 0 to 28, today being one; NaN: never active."""
        if not self._names:
            return np.zeros((len(rows), 0))
        today = np.floor(now / DAY).astype(np.int64)[:, None, None]
        age = today - rows["active_days"].astype(np.int64)
        count = ((age >= 0) & (age < WINDOW)).sum(axis=2)
        return np.where(rows["active_days"].any(axis=2), count, np.nan)

    def merge(self, into: Rows, other: Rows) -> None:
        """Cell by cell the newer day."""
        if self._names:
            np.maximum(into["active_days"], other["active_days"], out=into["active_days"])
