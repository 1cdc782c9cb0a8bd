"""On how many days of a window something happened: exactly, a bit a day.

Days lie in blocks of 32, a block in one word of a ring, and the newest block that was ever seen says which block each
word is. What is older than the ring is gone, whichever order the events came in; so any order gives the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from scoring.arrays import Floats
from scoring.batch import Batch, Codes, Integers
from scoring.config import Measure
from scoring.families.protocol import DAY, Rows
from scoring.rows import Block

ACTIVE: Final = 28
"""Days that family `active_days` looks at."""
_BITS: Final = 32
Words = np.ndarray[Any, np.dtype[np.uint32]]


class Days:
    """Families `days` and `active_days`: a ring of words for each measure, and its newest block."""

    def __init__(self, measures: Sequence[Measure], codes: Codes) -> None:
        self.columns = [i for i, m in enumerate(measures) if m.family in ("days", "active_days")]
        self._ours = [measures[i] for i in self.columns]
        self._counted = [codes.coefficients(m) != 0.0 for m in self._ours]
        self._windows = [ACTIVE if m.family == "active_days" else round((m.window or DAY) / DAY) for m in self._ours]

    def blocks(self) -> Sequence[Block]:
        """The words, and the number of the newest block since 1970, 0: none."""
        return [
            *(
                Block(f"days.{m.name}", "u4", (m.name,), (0.0,), cells=math.ceil(window / _BITS) + 1)
                for m, window in zip(self._ours, self._windows, strict=True)
            ),
            Block("days.newest", "u2", tuple(f"{m.name}.newest" for m in self._ours), (0.0,) * len(self._ours)),
        ]

    def fold(self, rows: Rows, batch: Batch) -> None:
        """Set the bits of days that are not too old; a newer block empties the words it wraps around to."""
        for place, (measure, counted) in enumerate(zip(self._ours, self._counted, strict=True)):
            chosen = np.flatnonzero(counted[batch.code])
            if not len(chosen):
                continue
            words, newest = rows[f"days.{measure.name}"][:, 0], rows["days.newest"][:, place]
            days, index = (batch.time[chosen] / DAY).astype(np.int64), batch.index[chosen]
            blocks = days // _BITS
            seen = newest.astype(np.int64)
            np.maximum.at(seen, index, blocks)
            _advance(words, newest, seen)
            kept = blocks > seen[index] - words.shape[1]
            bits = np.left_shift(np.uint32(1), (days[kept] % _BITS).astype(np.uint32))
            np.bitwise_or.at(words, (index[kept], blocks[kept] % words.shape[1]), bits)

    def read(self, rows: Rows, now: Floats) -> Floats:
        """Days, 0 to the window, today being one; NaN: never."""
        out = np.zeros((len(rows), len(self._ours)))
        today = np.floor(now / DAY).astype(np.int64)[:, None]
        for place, (measure, window) in enumerate(zip(self._ours, self._windows, strict=True)):
            words, newest = rows[f"days.{measure.name}"][:, 0], rows["days.newest"][:, place]
            first = _blocks(newest.astype(np.int64), words.shape[1]) * _BITS  # day of each word's lowest bit
            seen = words & _bits(today - window + 1 - first, _BITS) & _bits(0, today + 1 - first)
            out[:, place] = np.where(newest > 0, np.bitwise_count(seen).sum(axis=1), np.nan)
        return out

    def merge(self, into: Rows, other: Rows) -> None:
        """The days of either."""
        for place, measure in enumerate(self._ours):
            name = f"days.{measure.name}"
            words, newest = into[name][:, 0], into["days.newest"][:, place]
            theirs, their_newest = other[name][:, 0].copy(), other["days.newest"][:, place].copy()
            seen = np.maximum(newest, their_newest).astype(np.int64)
            _advance(words, newest, seen)
            _advance(theirs, their_newest, seen)
            words |= theirs


def _blocks(newest: Integers, size: int) -> Integers:
    """(n, size) which block each word of the ring is, when the newest is known (n,)."""
    return newest[:, None] - (newest[:, None] - np.arange(size)) % size


def _advance(words: Words, newest: np.ndarray[Any, np.dtype[np.uint16]], seen: Integers) -> None:
    """Let the rings (n, size) end at the blocks `seen` (n,), in place: words of blocks that came since are empty."""
    words[_blocks(seen, words.shape[1]) > newest[:, None]] = 0
    newest[:] = seen.astype(np.uint16)


def _bits(low: Any, high: Any) -> Words:
    """Words with the bits from `low` up to, not including, `high` set; both are brought within 0 and 32."""
    up_to = [
        (np.uint64(1) << np.clip(end, 0, _BITS).astype(np.uint64)) - np.uint64(1)
        for end in map(np.asarray, (high, low))
    ]
    found: Words = (up_to[0] & ~up_to[1]).astype(np.uint32)
    return found
