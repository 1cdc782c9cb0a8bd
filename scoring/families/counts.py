"""Counts, sums and gauges that fade or do not: each event is worth half as much a half-life later.

A row keeps S = sum of w * 2^((t - L) / h) against a landmark L, so that a late event, a replay and a merge are plain
additions, and reading at `now` is one multiplication. The landmark of a half-life is the newest event's time rounded
down to a multiple of 512 half-lives: it depends on nothing but the events, moves once in years (7 days: ten years),
and moving it is an exact power of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from scoring.arrays import Floats
from scoring.batch import Batch, Codes
from scoring.config import Measure
from scoring.families.protocol import Rows
from scoring.rows import Block

_STRIDE: Final = 512.0
_FADED: Final = 1e-280  # below it a sum has no digits left, and whether it is 0 depends on the order of adding


class Counts:
    """Families `count`, `sum` and `gauge`; also the newest event of the account and how many there were."""

    def __init__(self, measures: Sequence[Measure], codes: Codes) -> None:
        self.columns = [i for i, m in enumerate(measures) if m.family in ("count", "sum", "gauge")]
        ours = [measures[i] for i in self.columns]
        self._names = tuple(m.name for m in ours)
        self._coefficients = np.array([codes.coefficients(m) for m in ours]).reshape(len(ours), codes.size).T
        self._worth = [None, *sorted({m.of for m in ours if m.of})]
        self._of = np.array([self._worth.index(m.of) for m in ours], np.int64)
        self.lives = np.array(sorted({m.half_life for m in ours}))
        self._life = np.array([int(np.searchsorted(self.lives, m.half_life)) for m in ours], np.int64)
        self._upward = np.array([m.direction == "up" and m.family != "gauge" for m in ours], bool)
        self._gauges = np.array([m.family == "gauge" for m in ours], bool)

    def blocks(self) -> Sequence[Block]:
        """The sums, the newest event's time, the number of events."""
        return (
            Block("counts", "f8", self._names, (0.0,) * len(self._names)),
            Block("newest", "f8", ("newest",), (0.0,)),
            Block("events", "f8", ("events",), (0.0,)),
        )

    def place(self, name: str) -> int:
        """Place of a measure among the sums."""
        return self._names.index(name)

    def fold(self, rows: Rows, batch: Batch) -> None:
        """Add every event's worth at the landmark."""
        newest = np.maximum(rows["newest"][:, 0], np.maximum.reduceat(batch.time, batch.starts))
        rows["events"][:, 0] += np.diff(batch.starts, append=len(batch))
        if self._names:
            marks = self._move(rows, newest)
            ages = (batch.time[:, None] - marks[batch.index]) / self.lives
            worth = self._coefficients[batch.code]
            worth *= np.exp2(ages)[:, self._life]
            if self._of.any():
                parts = np.stack([np.nan_to_num(batch.worth(of)) for of in self._worth], axis=1)
                worth *= parts[:, self._of]
            rows["counts"] += np.add.reduceat(worth, batch.starts, axis=0)
        rows["newest"][:, 0] = newest

    def decayed(self, rows: Rows, now: Floats) -> Floats:
        """(n, sums) at `now`."""
        if not self._names:
            return np.zeros((len(rows), 0))
        fade = np.exp2((self._landmarks(rows["newest"][:, 0]) - now[:, None]) / self.lives)
        return np.asarray(rows["counts"] * fade[:, self._life])

    def read(self, rows: Rows, now: Floats) -> Floats:
        """As `decayed`; a good thing that never happened is unknown, a bad one is 0, and no gauge is below 0."""
        never = (np.abs(rows["counts"]) < _FADED) & self._upward
        found = np.where(never, np.nan, self.decayed(rows, now))
        if self._gauges.any():
            found[:, self._gauges] = np.maximum(found[:, self._gauges], 0.0)
        return found

    def merge(self, into: Rows, other: Rows) -> None:
        """Bring both to the later landmark, and add."""
        newest = np.maximum(into["newest"][:, 0], other["newest"][:, 0])
        other = other.copy()
        for rows in (into, other):
            if self._names:
                self._move(rows, newest)
            rows["newest"][:, 0] = newest
        into["counts"] += other["counts"]
        into["events"] += other["events"]

    def _landmarks(self, newest: Floats) -> Floats:
        """(n, half-lives) of accounts whose newest event is this old; 0 where nothing fades."""
        stride = np.where(np.isfinite(self.lives), self.lives, 1.0) * _STRIDE
        return np.where(np.isfinite(self.lives), np.floor(newest[:, None] / stride) * stride, 0.0)

    def _move(self, rows: Rows, newest: Floats) -> Floats:
        was, marks = self._landmarks(rows["newest"][:, 0]), self._landmarks(newest)
        if (moved := (was != marks).any(axis=1)).any():
            rows["counts"][moved] *= np.exp2((was[moved] - marks[moved]) / self.lives)[:, self._life]
        return marks
