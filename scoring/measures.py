"""All measures of an installation: the row they live in, how events change it, what it says at a moment."""

from __future__ import annotations

import math
import zlib
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from hub import ConfigError, Event
from scoring import expression
from scoring.arrays import Codes as Codes8
from scoring.arrays import Floats, Mask
from scoring.batch import Batch, Codes, Integers, Reader, columns
from scoring.config import Config
from scoring.families import (
    ByHand,
    Counts,
    Dates,
    Days,
    Exact,
    Heard,
    Holdings,
    Last,
    Marks,
    People,
    Recency,
    Segments,
    Tenure,
    Trend,
)
from scoring.families.by_hand import KIND
from scoring.families.dates import date_of
from scoring.families.outcome import OUTCOME
from scoring.families.protocol import DAY, Family
from scoring.families.segments import FIELD as SEGMENT
from scoring.families.segments import TELLING
from scoring.folds import folds, number
from scoring.rows import FOLDS, Block, Layout, Rows
from scoring.ways import Cancelled, Contraction, Left, NotRenewed, Silent, Way


class MeasureSet:
    """The measures a configuration declares.

    Args:
        config: what to measure.
        more: further columns that others keep in the row.

    Attributes:
        measures: as declared; the columns of what `read` returns.
        layout: of a row; `dtype` and `empty` are its.
        folds: version of each measure's fold, and of the outcome's.
        folded: the number that a row says of them.
    """

    def __init__(self, config: Config, more: Sequence[Block] = ()) -> None:
        self.measures = tuple(config.measures)
        if taken := {measure.name for measure in self.measures} & {OUTCOME, "points", "marks", "override", SEGMENT}:
            raise ConfigError(f"no measure can be called {min(taken)}: a row has something else of that name")
        outcome, cards = config.scorecard.outcome, config.scorecard.cards
        told, named = TELLING if cards else (), sorted({name for _, name in config.scorecard.numbers()})
        self.codes = Codes.of(self.measures, (*outcome.ending, *outcome.alive, *outcome.back, KIND, *told))
        counts = Counts(self.measures, self.codes)
        self.holdings = Holdings(self.measures)
        self.marks = Marks(outcome, self.codes, named, self.measures, self.holdings.sums)
        self._contracts = [way for way in outcome.ways if isinstance(way, NotRenewed)]
        self._ending = sorted(outcome.ending)
        self.by_hand = ByHand(self.codes)
        self.segments = Segments(cards, self.codes)
        self._heard = Heard(self.measures, self.codes)
        self._families: tuple[Family, ...] = (
            counts,
            Exact(self.measures, self.codes),
            Last(self.measures, self.codes),
            Dates(self.measures, self.codes),
            Recency(self.measures, self.codes),
            Tenure(self.measures, self.codes),
            Days(self.measures, self.codes),
            People(self.measures, self.codes),
            Trend(self.measures, self.codes, counts),
            self.holdings,
            self.marks,
            self.by_hand,
            self.segments,
            self._heard,
        )
        self._readers = {**self.by_hand.readers, **self.segments.readers, **self._read()}
        names = [measure.name for measure in self.measures]
        self._ratios = [
            (place, names.index(m.top or ""), names.index(m.bottom or ""))
            for place, m in enumerate(self.measures)
            if m.family == "ratio"
        ]
        self._every = outcome.every
        self.folds = folds(config)
        self.folded = number(self.folds)
        versions = Block(FOLDS, "u4", (FOLDS,), (float(self.folded),))
        self.layout = Layout([*(block for family in self._families for block in family.blocks()), versions, *more])
        self.dtype, self.empty = self.layout.dtype, self.layout.empty

    def batch(self, events: Sequence[Event], accounts: Sequence[str]) -> Batch:
        """Events as columns, with the account of each."""
        return columns(events, accounts, self.codes, self._readers)

    def fold(self, rows: Rows, batch: Batch) -> Rows:
        """Take a batch into rows (n,), one for each of `batch.accounts`, in place; returns them.

        Any order of events and any cut into batches come to the same: bit by bit where it is days, times and
        registers, within rounding where it is sums. Repeated events must have been removed.
        """
        if len(batch):
            seen = rows.view(self.layout.view)
            for family in self._families:
                family.fold(seen, batch)
        return rows

    def read(self, rows: Rows, now: Floats | float) -> Floats:
        """Values (n, measures) at `now`, one moment for all or (n,); NaN where nothing is known."""
        seen, moment = rows.view(self.layout.view), np.broadcast_to(np.asarray(now, np.float64), (len(rows),))
        out = np.empty((len(rows), len(self.measures)))
        for family in self._families:
            if family.columns:
                out[:, family.columns] = family.read(seen, moment)
        self._heard.hide(seen, moment, out)
        for place, top, bottom in self._ratios:
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                found = out[:, top] / out[:, bottom]
            out[:, place] = np.where(np.isfinite(found), found, np.nan)
        return out

    def _read(self) -> dict[str, Reader]:
        """What is read off events beside their columns, by name: expressions, and dates."""
        readers: dict[str, Reader] = {}
        for measure in self.measures:
            if measure.of is None or (measure.of in expression.COLUMNS and measure.family != "date"):
                continue
            dated = measure.family == "date"
            name = date_of(measure) if dated else measure.of
            read = (expression.moment if dated else expression.reading)(measure.of)
            those = self.codes.coefficients(measure) != 0.0
            readers[name] = Reader(those | readers[name].those if name in readers else those, read)
        return readers

    def period(self, accounts: Sequence[str], at: Floats | float) -> Integers:
        """(n,) number of the period between snapshots in which `at` lies; it begins on another day for each account."""
        days = max(1, int(self._every / DAY))
        phases = np.array([zlib.crc32(account.encode()) % days for account in accounts]) * DAY
        return np.asarray(np.floor((at - phases) / self._every), np.int64)

    def mark(self, rows: Rows, period: Integers, at: Floats) -> Rows:
        """Note in rows (n,), in place, that a snapshot was taken at `at` in `period`; what comes of it is marked."""
        self.marks.put(rows.view(self.layout.view), at, period)
        return rows

    def gone(self, rows: Rows, now: Floats | float) -> Mask:
        """(n,) whether accounts are lost already at `now`, one moment for all or (n,): nothing is predicted of them."""
        found = self.marks.gone(rows.view(self.layout.view))
        for way in self._contracts:
            found |= rows[way.not_renewed] + way.grace <= now
        return found

    def left(self, row: Rows, now: float, newest: Mapping[str, float]) -> Left | None:
        """How one account (1,) was lost first; None where it is a customer at `now`.

        Args:
            row: its own.
            now: unix seconds.
            newest: kind of event -> when it happened last, as far as that is known.
        """
        ended = float(self.marks.ended(row.view(self.layout.view))[0])
        kinds = [kind for kind in self._ending if newest.get(kind) == ended] or self._ending
        found = [] if math.isnan(ended) else [Left(" or ".join(kinds), ended)]
        for way in self._contracts:
            at = float(row[way.not_renewed][0]) + way.grace
            found += [Left(way.words, at)] if at <= now else []
        return min(found, key=lambda one: one.at, default=None)

    def set_by_hand(self, rows: Rows, now: Floats | float) -> Floats:
        """(n,) the health that a person set and that holds at `now`; NaN where there is none."""
        moment = np.broadcast_to(np.asarray(now, np.float64), (len(rows),))
        return self.by_hand.health(rows.view(self.layout.view), moment)

    def cards(self, rows: Rows) -> Codes8:
        """(n,) the card of each account: its place among the scorecard's, -1 for the scorecard itself."""
        return self.segments.cards(rows.view(self.layout.view))

    def came_true(self, rows: Rows, way: Way, at: Floats, until: Floats) -> tuple[Mask, Mask]:
        """What rows (n,) know of a way to be lost, of snapshots taken at `at` (n,) whose span ends at `until` (n,).

        Returns:
            (n,) whether it came true; (n,) whether the row knows.
        """
        seen = rows.view(self.layout.view)
        match way:
            case Cancelled():
                return self.marks.happened(seen, way, at, until)
            case Silent():
                happened, known = self.marks.happened(seen, way, at, until)
                return ~happened, known
            case NotRenewed():
                return rows[way.not_renewed] + way.grace <= until, self.marks.still(seen, way.not_renewed, until)
            case Contraction():  # nothing moved it since: what it was before need not be known
                return np.zeros(len(rows), bool), self.marks.still(seen, way.contraction, at)

    def still(self, rows: Rows, name: str, since: Floats) -> Mask:
        """(n,) whether nothing that tells of a measure which the outcome or an expansion names lies behind `since`."""
        return self.marks.still(rows.view(self.layout.view), name, since)

    def fields(self, folded: Collection[str]) -> list[str]:
        """Fields of the row that these folds own: those of measures, by their name, and of the outcome."""
        own = {OUTCOME: ("marks.at", "marks.hit", "ended", "returned")}  # and what begins with its name
        return [
            field
            for field in self.dtype.names or ()
            if any(field in own.get(name, ()) or field.partition(".")[0] == name for name in folded)
        ]

    def merge(self, into: Rows, other: Rows) -> None:
        """Make each row of `into` what it would be had it seen the events of `other` as well."""
        seen, theirs = into.view(self.layout.view), other.view(self.layout.view)
        for family in self._families:
            family.merge(seen, theirs)
