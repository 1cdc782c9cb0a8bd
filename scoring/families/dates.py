"""A date that events tell: days until it, or since it. When does the contract end, when did the trial begin?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scoring.arrays import Floats
from scoring.batch import Batch, Codes
from scoring.config import Measure
from scoring.families.last import Last
from scoring.families.protocol import DAY, Rows


class Dates(Last):
    """Family `date`: what the newest event that tells the date says; of two at one moment the later date."""

    family = "date"

    def __init__(self, measures: Sequence[Measure], codes: Codes) -> None:
        super().__init__(measures, codes)
        self._sign = np.array([1.0 if m.read == "until" else -1.0 for m in self._ours])

    def worth(self, batch: Batch, measure: Measure, coefficients: Floats) -> Floats:  # noqa: ARG002 - a date is one
        """Unix seconds."""
        return batch.worth(date_of(measure))

    def read(self, rows: Rows, now: Floats) -> Floats:
        """Days, until it or since it; below 0 where it is past, or has not come. NaN: nobody told it."""
        if not self._ours:
            return np.zeros((len(rows), 0))
        return np.asarray(self._sign * (super().read(rows, now) - now[:, None]) / DAY)


def date_of(measure: Measure) -> str:
    """Under which name a batch has what the measure reads."""
    return f"date {measure.of}"
