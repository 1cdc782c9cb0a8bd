"""Numbers about the things an account has: how many tickets are open, what its subscriptions are worth.

The things themselves live in the database; a row keeps their sums, moved by the differences a batch makes. Money is
kept in thousandths, whole numbers, so that what was added can be taken away again without a trace.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scoring.arrays import Floats
from scoring.batch import Batch
from scoring.config import Measure
from scoring.families.protocol import DAY, Rows
from scoring.rows import Block

THOUSANDTHS = 1_000.0


class Holdings:
    """Family `entities`.

    Attributes:
        sums: measures that add up (`open`, `urgent`, `sum`), in the order of `Changes.differences`.
        oldest: measures of the oldest open thing, in the order of `Changes.since`.
    """

    def __init__(self, measures: Sequence[Measure]) -> None:
        places = [i for i, m in enumerate(measures) if m.family == "entities"]
        adding = [i for i in places if measures[i].read != "oldest"]
        aging = [i for i in places if measures[i].read == "oldest"]
        self.columns = adding + aging
        self.sums = [measures[i] for i in adding]
        self.oldest = [measures[i] for i in aging]
        self._unit = np.array([THOUSANDTHS if m.read == "sum" else 1.0 for m in self.sums])

    def blocks(self) -> Sequence[Block]:
        """The sums (NaN: a good thing of which there never was one), and since when the oldest is open."""
        start = tuple(np.nan if m.direction == "up" else 0.0 for m in self.sums)
        return (
            Block("holdings", "f8", tuple(m.name for m in self.sums), start),
            Block("open_since", "f8", tuple(m.name for m in self.oldest), (np.inf,) * len(self.oldest)),
        )

    def fold(self, rows: Rows, batch: Batch) -> None:
        """Add the differences; replace what is the oldest."""
        if batch.changes is None:
            return
        if self.sums:
            held = rows["holdings"]
            held[:] = np.where(batch.changes.known, np.nan_to_num(held) + batch.changes.differences, held)
        if self.oldest:
            since = batch.changes.since
            rows["open_since"][:] = np.where(np.isnan(since), rows["open_since"], since)

    def read(self, rows: Rows, now: Floats) -> Floats:
        """Numbers, money, and days the oldest has been open (0: none is)."""
        out = np.zeros((len(rows), len(self.columns)))
        if self.sums:
            out[:, : len(self.sums)] = rows["holdings"] / self._unit
        if self.oldest:
            days = np.maximum(now[:, None] - rows["open_since"], 0.0) / DAY
            out[:, len(self.sums) :] = np.where(np.isfinite(days), days, 0.0)
        return out

    def merge(self, into: Rows, other: Rows) -> None:
        """Things of two accounts that share none add up."""
        if self.sums:
            both = np.isnan(into["holdings"]) & np.isnan(other["holdings"])
            total = np.nan_to_num(into["holdings"]) + np.nan_to_num(other["holdings"])
            into["holdings"][:] = np.where(both, np.nan, total)
        if self.oldest:
            np.minimum(into["open_since"], other["open_since"], out=into["open_since"])
