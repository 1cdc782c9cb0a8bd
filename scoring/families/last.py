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


class Last:
    """Family `last`: the maximum by (time, value), a total order, so it does not matter which comes first."""

    def __init__(self, measures: Sequence[Measure], codes: Codes) -> None:
        self.columns = [i for i, m in enumerate(measures) if m.family == "last"]
        self._ours = [measures[i] for i in self.columns]
        self._coefficients = [codes.coefficients(m) for m in self._ours]

    def blocks(self) -> Sequence[Block]:
        """Value and time of each."""
        n = len(self._ours)
        return (
            Block("last_value", "f8", tuple(m.name for m in self._ours), (np.nan,) * n),
            Block("last_time", "f8", tuple(f"{m.name}.at" for m in self._ours), (-np.inf,) * n),
        )

    def fold(self, rows: Rows, batch: Batch) -> None:
        """Take each account's newest value where it is newer than the row's."""
        for place, (measure, coefficients) in enumerate(zip(self._ours, self._coefficients, strict=True)):
            values = batch.of(measure.of or "value") * coefficients[batch.code]
            chosen = np.flatnonzero((coefficients[batch.code] != 0.0) & ~np.isnan(values))
            if not len(chosen):
                continue
            index, time, value = batch.index[chosen], batch.time[chosen], values[chosen]
            order = np.lexsort((value, time, index))
            ends = order[np.flatnonzero(np.diff(index[order], append=-1))]
            _newer(rows, place, index[ends], time[ends], value[ends])

    def read(self, rows: Rows, now: Floats) -> Floats:  # noqa: ARG002 - a value does not fade
        """The values themselves."""
        return np.array(rows["last_value"]) if self._ours else np.zeros((len(rows), 0))

    def merge(self, into: Rows, other: Rows) -> None:
        """The newer of the two."""
        for place in range(len(self._ours)):
            found = np.flatnonzero(np.isfinite(other["last_time"][:, place]))
            _newer(into, place, found, other["last_time"][found, place], other["last_value"][found, place])


def _newer(
    rows: Rows, place: int, index: np.ndarray[Any, np.dtype[np.signedinteger[Any]]], time: Floats, value: Floats
) -> None:
    was, held = rows["last_time"][index, place], rows["last_value"][index, place]
    wins = (time > was) | ((time == was) & (value > held))
    rows["last_time"][index[wins], place] = time[wins]
    rows["last_value"][index[wins], place] = value[wins]
