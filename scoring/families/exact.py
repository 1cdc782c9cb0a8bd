"""What happened in the last so many days, to the day: counts and sums that fall off a cliff where that is meant.

A ring of days: each cell keeps the newest day that fell into it and the sum of that day; an older day is forgotten. So
any order gives the same cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from scoring.arrays import Floats
from scoring.batch import Batch, Codes, Integers
from scoring.config import Measure
from scoring.families.protocol import DAY, Rows
from scoring.rows import Block

_SPARE: Final = 4  # days: an event dated a day ahead must not push out the oldest


class Exact:
    """Family `exact`."""

    def __init__(self, measures: Sequence[Measure], codes: Codes) -> None:
        self.columns = [i for i, m in enumerate(measures) if m.family == "exact"]
        self._ours = [measures[i] for i in self.columns]
        self._coefficients = [codes.coefficients(m) for m in self._ours]
        self._windows = [round((m.window or DAY) / DAY) for m in self._ours]

    def blocks(self) -> Sequence[Block]:
        """The sums of the days, and which days they are, since 1970; 0: none."""
        cells = [(m.name, window + _SPARE) for m, window in zip(self._ours, self._windows, strict=True)]
        return [
            *(Block(f"exact.{name}", "f8", (name,), (0.0,), cells=size) for name, size in cells),
            *(Block(f"exact.{name}.days", "u2", (f"{name}.days",), (0.0,), cells=size) for name, size in cells),
        ]

    def fold(self, rows: Rows, batch: Batch) -> None:
        """A newer day takes its cell, an equal one adds, an older one is forgotten."""
        for measure, coefficients in zip(self._ours, self._coefficients, strict=True):
            worth = coefficients[batch.code] * batch.worth(measure.of)
            chosen = np.flatnonzero(~np.isnan(worth) & (worth != 0.0))
            if len(chosen):
                days = (batch.time[chosen] / DAY).astype(np.int64)
                sums, kept = self._ring(rows, measure)
                _add(sums, kept, (batch.index[chosen], days % sums.shape[1]), days, worth[chosen])

    def read(self, rows: Rows, now: Floats) -> Floats:
        """Sums of the window, today being one of its days; a good thing that never happened is unknown."""
        out = np.zeros((len(rows), len(self._ours)))
        today = np.floor(now / DAY).astype(np.int64)[:, None]
        for place, (measure, window) in enumerate(zip(self._ours, self._windows, strict=True)):
            sums, days = self._ring(rows, measure)
            age = today - days.astype(np.int64)
            out[:, place] = np.where((age >= 0) & (age < window), sums, 0.0).sum(axis=1)
            if measure.direction == "up":
                out[~days.any(axis=1), place] = np.nan
        return out

    def merge(self, into: Rows, other: Rows) -> None:
        """Cell by cell the newer day, and of one day both sums."""
        for measure in self._ours:
            (sums, days), (their_sums, their_days) = self._ring(into, measure), self._ring(other, measure)
            mine, theirs = np.where(days >= their_days, sums, 0.0), np.where(their_days >= days, their_sums, 0.0)
            sums[:], days[:] = mine + theirs, np.maximum(days, their_days)

    def _ring(self, rows: Rows, measure: Measure) -> tuple[Floats, Integers]:
        name = f"exact.{measure.name}"
        return rows[name][:, 0], rows[f"{name}.days"][:, 0]


def _add(sums: Floats, kept: Integers, cells: tuple[Integers, Integers], days: Integers, worth: Floats) -> None:
    was = kept.copy()
    np.maximum.at(kept, cells, days.astype(np.uint16))
    sums[kept != was] = 0.0
    newest = kept[cells] == days
    np.add.at(sums, (cells[0][newest], cells[1][newest]), worth[newest])
