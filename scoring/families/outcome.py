"""What became of an account since each of its snapshots: marks that wait out their horizon.

A mark is the time of a snapshot and whether the outcome's events have happened in (time, time + horizon]; an event
sets it whenever it arrives, so the order does not matter. Beside the marks: when the account was last lost, and when
it last came back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from scoring.arrays import Floats
from scoring.batch import Batch, Codes, Integers
from scoring.config import Outcome
from scoring.families.protocol import Rows
from scoring.rows import Block


class Marks:
    """The outcome's own columns; no measure of the configuration."""

    columns: Sequence[int] = ()

    def __init__(self, outcome: Outcome, codes: Codes) -> None:
        self.size = math.ceil(outcome.horizon / outcome.every) + 2
        self._horizon = outcome.horizon
        self._silence = outcome.silence
        self._ends, self._back = codes.having(outcome.kinds), codes.having(outcome.back)

    def blocks(self) -> Sequence[Block]:
        """The marks' times (0: free) and hits; the newest end and return."""
        return (
            Block("mark_at", "f8", ("marks.at",), (0.0,), cells=self.size),
            Block("mark_hit", "u1", ("marks.hit",), (0.0,), cells=self.size),
            Block("turns", "f8", ("ended", "returned"), (0.0, 0.0)),
        )

    def fold(self, rows: Rows, batch: Batch) -> None:
        """Hit the marks in whose horizon an outcome lies."""
        for place, those in enumerate((self._ends, self._back)):
            chosen = np.flatnonzero(those[batch.code])
            if len(chosen):
                np.maximum.at(rows["turns"][:, place], batch.index[chosen], batch.time[chosen])
        chosen = np.flatnonzero(self._ends[batch.code])
        if len(chosen):
            index, time = batch.index[chosen], batch.time[chosen, None]
            np.maximum.at(rows["mark_hit"][:, 0], index, self._hits(rows["mark_at"][index, 0], time))

    def read(self, rows: Rows, now: Floats) -> Floats:  # noqa: ARG002 - it measures nothing
        """Nothing."""
        return np.zeros((len(rows), 0))

    def merge(self, into: Rows, other: Rows) -> None:
        """Marks are the account's own, and the other's events may hit them; its marks are given up."""
        ended = other["turns"][:, 0, None]
        hit = into["mark_hit"][:, 0]
        np.maximum(hit, self._hits(into["mark_at"][:, 0], ended), out=hit)
        np.maximum(into["turns"], other["turns"], out=into["turns"])

    def gone(self, rows: Rows) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """(n,) whether an account is lost already: of it there is nothing to predict."""
        if self._silence:
            return np.zeros(len(rows), bool)
        return np.asarray((rows["turns"][:, 0] > 0.0) & (rows["turns"][:, 0] >= rows["turns"][:, 1]))

    def newest(self, row: Rows) -> float:
        """When the newest of the outcome's events of one row (length 1) was; 0: never."""
        return float(row["turns"][0, 0])

    def put(self, rows: Rows, at: Floats, period: Integers) -> None:
        """Mark each row at `at` (n,); the mark of `size` periods ago, long matured, makes room.

        An outcome already known that lies beyond `at` (clocks differ by up to a day) hits at once.
        """
        each, cell = np.arange(len(rows)), period % self.size
        rows["mark_at"][each, 0, cell] = at
        rows["mark_hit"][each, 0, cell] = self._hits(at, rows["turns"][:, 0])

    def hit(self, row: Rows, at: float) -> bool | None:
        """Whether the mark of `at` of one row (length 1) was hit; None when there is no such mark."""
        cells = np.flatnonzero(row["mark_at"][0, 0] == at)
        return bool(row["mark_hit"][0, 0, cells[0]]) if len(cells) else None

    def _hits(self, at: Floats, time: Floats) -> Floats:
        return ((at > 0.0) & (time > at) & (time <= at + self._horizon)).astype(np.uint8)
