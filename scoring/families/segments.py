"""Which card weighs a customer: of each fact that a card asks for, the newest one told.

What is kept is not the fact but which of the conditions on it hold, as bits of a number, by the time it was told; of
two told at one moment the greater number. So any order gives the same, and of whom nobody told a fact meets none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from hub import KINDS, Event
from scoring.arrays import Codes as Cards
from scoring.arrays import Floats
from scoring.batch import Batch, Codes, Reader
from scoring.conditions import fits
from scoring.config import SegmentCard
from scoring.families.protocol import Rows
from scoring.rows import Block

DEFAULT: Final = -1
"""The code of the scorecard itself, where no card fits."""
FIELD: Final = "segment"
_ABOUT: Final = ("account", "owner", "contract", "subscription", "invoice", "refund")  # as `scoring.profiles` has it
TELLING: Final = tuple(kind for kind in KINDS if kind.partition(".")[0] in _ABOUT)
"""Kinds of events that tell facts of their account."""


class Segments:
    """No measure of the configuration; nothing at all where there are no cards."""

    columns: Sequence[int] = ()

    def __init__(self, cards: Sequence[SegmentCard], codes: Codes) -> None:
        self._facts = sorted({fact for card in cards for fact in card.when})
        conditions = {fact: [card.when[fact] for card in cards if fact in card.when] for fact in self._facts}
        those = codes.having(TELLING) if cards else np.zeros(codes.size, bool)
        self.readers: Mapping[str, Reader] = {
            _key(fact): Reader(those, _reader(fact, wanted)) for fact, wanted in conditions.items()
        }
        self._needed = [
            [
                (place, float(1 << conditions[fact].index(card.when[fact])))
                for place, fact in enumerate(self._facts)
                if fact in card.when
            ]
            for card in cards
        ]

    def blocks(self) -> Sequence[Block]:
        """What holds, and when it was told (-inf: never)."""
        names = tuple(_key(fact) for fact in self._facts)
        return (
            Block("segments", "f8", names, (0.0,) * len(names)),
            Block("segments_told", "f8", tuple(f"{name}.at" for name in names), (-math.inf,) * len(names)),
        )

    def fold(self, rows: Rows, batch: Batch) -> None:
        """Take what is told where it is newer."""
        for place, fact in enumerate(self._facts):
            told = batch.numbers.get(_key(fact))
            if told is None:
                continue
            for each in np.flatnonzero(~np.isnan(told)).tolist():
                _newer(rows, int(batch.index[each]), place, float(batch.time[each]), float(told[each]))

    def read(self, rows: Rows, now: Floats) -> Floats:  # noqa: ARG002 - it measures nothing
        """Nothing."""
        return np.zeros((len(rows), 0))

    def merge(self, into: Rows, other: Rows) -> None:
        """The newer of the two, fact by fact."""
        for place in range(len(self._facts)):
            for each in np.flatnonzero(np.isfinite(other["segments_told"][:, place])).tolist():
                _newer(into, each, place, other["segments_told"][each, place], other["segments"][each, place])

    def cards(self, rows: Rows) -> Cards:
        """(n,) place of the first card that fits, `DEFAULT` where none does."""
        out: Cards = np.full(len(rows), DEFAULT, np.int8)
        held = rows["segments"].astype(np.int64) if self._facts else None
        for code in reversed(range(len(self._needed))):
            fitting = np.ones(len(rows), bool)
            for place, bit in self._needed[code]:
                fitting &= (held[:, place] & int(bit)) != 0 if held is not None else False
            out[fitting] = code
        return out


def _key(fact: str) -> str:
    return f"{FIELD}.{fact}"


def _reader(fact: str, wanted: Sequence[Sequence[str | float | bool]]) -> Callable[[Event], float]:
    def read(event: Event) -> float:
        said = event.properties.get(fact)
        if said in (None, ""):
            return math.nan
        return float(sum(1 << place for place, one in enumerate(wanted) if fits(said, one)))

    return read


def _newer(rows: Rows, place: int, column: int, time: float, held: float) -> None:
    if (time, held) > (rows["segments_told"][place, column], rows["segments"][place, column]):
        rows["segments_told"][place, column] = time
        rows["segments"][place, column] = held
