"""The newest value: a rating, a score somebody gave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scoring.arrays import Floats
from scoring.batch import Batch, Codes
from scoring.config import Measure
from scoring.families.protocol import Rows
from scoring.rows import Block

Places = np.ndarray[Any, np.dtype[np.signedinteger[Any]]]


class Last:
    """Family `last`: the maximum by (time, value), a total order, so it does not matter which comes first."""

    family = "last"

    def __init__(self, measures: Sequence[Measure], codes: Codes) -> None:
        self.columns = [i for i, m in enumerate(measures) if m.family == self.family]
        self._ours = [measures[i] for i in self.columns]
        self._coefficients = [codes.coefficients(m) for m in self._ours]
        self._value, self._time = f"{self.family}_value", f"{self.family}_time"

    def blocks(self) -> Sequence[Block]:
        """Value and time of each."""
        n = len(self._ours)
        return (
            Block(self._value, "f8", tuple(m.name for m in self._ours), (np.nan,) * n),
            Block(self._time, "f8", tuple(f"{m.name}.at" for m in self._ours), (-np.inf,) * n),
        )

    def worth(self, batch: Batch, measure: Measure, coefficients: Floats) -> Floats:
        """(e,) what the events say; NaN where nothing."""
        return batch.worth(measure.of) * coefficients[batch.code]

    def fold(self, rows: Rows, batch: Batch) -> None:
        """Take each account's newest value where it is newer than the row's."""
        for place, (measure, coefficients) in enumerate(zip(self._ours, self._coefficients, strict=True)):
            counted = coefficients[batch.code] != 0.0
            if not counted.any():
                continue
            values = self.worth(batch, measure, coefficients)
            chosen = np.flatnonzero(counted & ~np.isnan(values))
            if not len(chosen):
                continue
            index, time, value = batch.index[chosen], batch.time[chosen], values[chosen]
            order = np.lexsort((value, time, index))
            ends = order[np.flatnonzero(np.diff(index[order], append=-1))]
            self._newer(rows, place, index[ends], time[ends], value[ends])

    def read(self, rows: Rows, now: Floats) -> Floats:  # noqa: ARG002 - a value does not fade
        """The values themselves."""
        return np.array(rows[self._value]) if self._ours else np.zeros((len(rows), 0))

    def merge(self, into: Rows, other: Rows) -> None:
        """The newer of the two."""
        for place in range(len(self._ours)):
            found = np.flatnonzero(np.isfinite(other[self._time][:, place]))
            self._newer(into, place, found, other[self._time][found, place], other[self._value][found, place])

    def _newer(self, rows: Rows, place: int, index: Places, time: Floats, value: Floats) -> None:
        was, held = rows[self._time][index, place], rows[self._value][index, place]
        wins = (time > was) | ((time == was) & (value > held))
        rows[self._time][index[wins], place] = time[wins]
        rows[self._value][index[wins], place] = value[wins]
