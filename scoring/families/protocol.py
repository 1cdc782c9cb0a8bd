"""What a family of measures promises, and what the rows it works on are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from scoring.arrays import Floats
from scoring.batch import Batch
from scoring.rows import Block

DAY = 86_400.0
Rows = np.ndarray[Any, np.dtype[np.void]]
"""Structured rows seen by blocks: `rows["counts"]` is a matrix (n, measures of that family)."""


class Family(Protocol):
    """Measures kept in one way."""

    @property
    def columns(self) -> Sequence[int]:
        """Places of its measures among all measures; what `read` returns has them in this order."""

    def blocks(self) -> Sequence[Block]:
        """The columns of the row it owns."""

    def fold(self, rows: Rows, batch: Batch) -> None:
        """Take a batch into rows aligned with `batch.accounts`, in place."""

    def read(self, rows: Rows, now: Floats) -> Floats:
        """Values (n, len(columns)) in natural units at `now` (n,); NaN where nothing is known."""

    def merge(self, into: Rows, other: Rows) -> None:
        """Make each row of `into` what it would be had it seen the events of `other` too."""
