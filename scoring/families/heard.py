"""When a measure last heard something: what is older than its limit is not known any more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scoring.arrays import Floats
from scoring.batch import Batch, Codes
from scoring.config import Measure
from scoring.families.protocol import Rows
from scoring.rows import Block


class Heard:
    """Beside any family: measures with `stale_after`. It hides their values, and has none of its own."""

    columns: Sequence[int] = ()

    def __init__(self, measures: Sequence[Measure], codes: Codes) -> None:
        self._places = [i for i, m in enumerate(measures) if m.stale_after is not None]
        ours = [measures[i] for i in self._places]
        by_name = {m.name: m for m in measures}
        self._names = tuple(f"{m.name}.heard" for m in ours)
        self._limits = np.array([m.stale_after or np.inf for m in ours])
        sources = [by_name.get(m.long or "", m) for m in ours]
        counted = np.array([codes.coefficients(m) != 0.0 for m in sources]).reshape(len(ours), codes.size).T
        self._handicap = np.where(counted, 0.0, -np.inf)

    def blocks(self) -> Sequence[Block]:
        """One time each; -inf: never."""
        return (Block("heard", "f8", self._names, (-np.inf,) * len(self._names)),)

    def fold(self, rows: Rows, batch: Batch) -> None:
        """The later of what was and what came."""
        if self._names:
            times = np.maximum.reduceat(self._handicap[batch.code] + batch.time[:, None], batch.starts, axis=0)
            np.maximum(rows["heard"], times, out=rows["heard"])

    def read(self, rows: Rows, now: Floats) -> Floats:  # noqa: ARG002 - it measures nothing
        """Nothing."""
        return np.zeros((len(rows), 0))

    def merge(self, into: Rows, other: Rows) -> None:
        """The later of the two."""
        if self._names:
            np.maximum(into["heard"], other["heard"], out=into["heard"])

    def hide(self, rows: Rows, now: Floats, values: Floats) -> None:
        """Make values (n, measures) of measures that heard nothing for too long unknown, in place."""
        if self._names:
            stale = now[:, None] - rows["heard"] > self._limits
            values[:, self._places] = np.where(stale, np.nan, values[:, self._places])
