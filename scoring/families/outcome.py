"""What became of an account since each of its snapshots: marks that wait out their horizon.

A mark is the time of a snapshot and whether events that tell of the outcome have happened in its horizon: a bit for
those that end it, and one for each silence whose end they would be. An event sets it whenever it arrives, so the order
does not matter. Beside the marks: when each of these last happened, when the account last came back, and when each
number that the outcome goes by was last told.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from scoring.arrays import Floats, Mask
from scoring.batch import Batch, Codes, Integers
from scoring.config import Measure
from scoring.families.protocol import Rows
from scoring.outcome import Outcome
from scoring.rows import Block
from scoring.ways import Cancelled, Silent, Way

OUTCOME = "outcome"
"""What the folds of all this are called, beside the measures'."""


class _Watched(NamedTuple):
    """Kinds that tell of the outcome, if they happen in (at + begins, at + horizon].

    Attributes:
        kinds: of events.
        begins: seconds after the snapshot.
        those: (codes,) whether a code is of these kinds.
    """

    kinds: frozenset[str]
    begins: float
    those: Mask


class Marks:
    """The outcome's own columns; no measure of the configuration.

    Args:
        outcome: what losing a customer means.
        codes: what events count for.
        named: measures of which is asked what they were.
        measures: as declared.
        holdings: of them, those that add up what an account has, in the order of `Changes.told`.
    """

    columns: Sequence[int] = ()

    def __init__(
        self,
        outcome: Outcome,
        codes: Codes,
        named: Sequence[str],
        measures: Sequence[Measure],
        holdings: Sequence[Measure],
    ) -> None:
        self.size = math.ceil(outcome.horizon / outcome.every) + 2
        self._horizon = outcome.horizon
        self._back = codes.having(outcome.back)
        ending = [_Watched(outcome.ending, 0.0, codes.having(outcome.ending))] if outcome.ending else []
        silences = {
            (frozenset(way.silent), outcome.horizon - (way.after or outcome.horizon)): None
            for way in outcome.ways
            if isinstance(way, Silent)
        }
        self._ends = bool(ending)
        self._watched = ending + [_Watched(kinds, begins, codes.having(kinds)) for kinds, begins in silences]
        of = {measure.name: measure for measure in measures if measure.name in named}
        held = [measure.name for measure in holdings]
        self._told = [f"{OUTCOME}.{name}" for name in named]
        self._counted = [
            (place, codes.coefficients(of[name]) != 0.0) for place, name in enumerate(named) if name not in held
        ]
        self._held = [(place, held.index(name)) for place, name in enumerate(named) if name in held]

    def blocks(self) -> Sequence[Block]:
        """The marks' times (0: free) and hits; the newest end and return; the newest of all else that tells."""
        more = tuple(f"{OUTCOME}.{place}" for place in range(1, len(self._watched)))
        return (
            Block("mark_at", "f8", ("marks.at",), (0.0,), cells=self.size),
            Block("mark_hit", "u1", ("marks.hit",), (0.0,), cells=self.size),
            Block("turns", "f8", ("ended", "returned", *more), (0.0,) * (2 + len(more))),
            Block("outcome_told", "f8", tuple(self._told), (0.0,) * len(self._told)),
        )

    def fold(self, rows: Rows, batch: Batch) -> None:
        """Hit the marks in whose horizon an outcome lies."""
        for place, those in [(_turn(place), one.those) for place, one in enumerate(self._watched)] + [(1, self._back)]:
            chosen = np.flatnonzero(those[batch.code])
            if len(chosen):
                np.maximum.at(rows["turns"][:, place], batch.index[chosen], batch.time[chosen])
        for bit, watched in enumerate(self._watched):
            chosen = np.flatnonzero(watched.those[batch.code])
            if len(chosen):
                index, time = batch.index[chosen], batch.time[chosen, None]
                hits = self._hits(watched, bit, rows["mark_at"][index, 0], time)
                np.bitwise_or.at(rows["mark_hit"][:, 0], index, hits)
        for place, counted in self._counted:
            chosen = np.flatnonzero(counted[batch.code])
            if len(chosen):
                np.maximum.at(rows["outcome_told"][:, place], batch.index[chosen], batch.time[chosen])
        if batch.changes is not None:
            for place, column in self._held:
                told = rows["outcome_told"][:, place]
                np.maximum(told, batch.changes.told[:, column], out=told)

    def read(self, rows: Rows, now: Floats) -> Floats:  # noqa: ARG002 - it measures nothing
        """Nothing."""
        return np.zeros((len(rows), 0))

    def merge(self, into: Rows, other: Rows) -> None:
        """Marks are the account's own, and the other's events may hit them; its marks are given up.

        So are those of whose horizon the other's newest event says nothing: what came before it, the archive knows.
        """
        at, hit = into["mark_at"][:, 0], into["mark_hit"][:, 0]
        for bit, watched in enumerate(self._watched):
            theirs = other["turns"][:, _turn(bit), None]
            np.bitwise_or(hit, self._hits(watched, bit, at, theirs), out=hit)
            at[(theirs > at + self._horizon) & (hit >> bit & 1 == 0)] = 0.0
        np.maximum(into["turns"], other["turns"], out=into["turns"])
        if self._told:
            np.maximum(into["outcome_told"], other["outcome_told"], out=into["outcome_told"])

    def gone(self, rows: Rows) -> Mask:
        """(n,) whether an account has cancelled: of it there is nothing to predict."""
        return ~np.isnan(self.ended(rows))

    def ended(self, rows: Rows) -> Floats:
        """(n,) when an account cancelled last, unix seconds; NaN where it did not, or has come back."""
        if not self._ends:
            return np.full(len(rows), np.nan)
        ended, returned = rows["turns"][:, 0], rows["turns"][:, 1]
        return np.where((ended > 0.0) & (ended >= returned), ended, np.nan)

    def put(self, rows: Rows, at: Floats, period: Integers) -> None:
        """Mark each row at `at` (n,); the mark of `size` periods ago, long matured, makes room.

        An outcome already known that lies beyond `at` (clocks differ by up to a day) hits at once.
        """
        each, cell = np.arange(len(rows)), period % self.size
        rows["mark_at"][each, 0, cell] = at
        hits = np.zeros(len(rows), np.uint8)
        for bit, watched in enumerate(self._watched):
            hits |= self._hits(watched, bit, at, rows["turns"][:, _turn(bit)])
        rows["mark_hit"][each, 0, cell] = hits

    def happened(self, rows: Rows, way: Way, at: Floats, until: Floats) -> tuple[Mask, Mask]:
        """Whether events that a way asks for happened in the span it asks about, of rows (n,).

        Args:
            rows: by blocks.
            way: that of cancelling, or one of silence.
            at: (n,) times of snapshots.
            until: (n,) ends of their horizons, or of half of them.

        Returns:
            (n,) whether they did; (n,) whether the row knows.
        """
        if isinstance(way, Cancelled):
            bit, begins = 0, at
        elif isinstance(way, Silent):
            kinds, after = frozenset(way.silent), way.after or self._horizon
            found = [(one.kinds, one.begins) for one in self._watched]
            bit, begins = found.index((kinds, self._horizon - after)), np.maximum(at, until - after)
        newest = rows["turns"][:, _turn(bit)]
        marked = (rows["mark_at"][:, 0] == at[:, None]) & (until == at + self._horizon)[:, None]
        known = marked.any(axis=1)
        cell = np.argmax(marked, axis=1)
        hit = (rows["mark_hit"][np.arange(len(rows)), 0, cell] >> bit & 1).astype(bool)
        later = newest > until  # whether another came before, only a mark knows
        return np.where(later, known & hit, newest > begins), ~later | known

    def still(self, rows: Rows, name: str, since: Floats) -> Mask:
        """(n,) whether nothing that tells of a measure lies behind `since` (n,)."""
        told: Floats = rows["outcome_told"][:, self._told.index(f"{OUTCOME}.{name}")]
        return told <= since

    def _hits(self, watched: _Watched, bit: int, at: Floats, time: Floats) -> np.ndarray[Any, np.dtype[np.uint8]]:
        inside = (at > 0.0) & (time > at + watched.begins) & (time <= at + self._horizon)
        return np.asarray(inside.astype(np.uint8) << bit, np.uint8)


def _turn(place: int) -> int:
    """Where among the turns the newest of what is watched stands: the first before that of the returns."""
    return place if place == 0 else place + 1
