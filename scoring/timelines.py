"""What a number stood at, and since when: each step holds until the next, by the times at which things happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hub import Event
from scoring.arrays import Floats
from scoring.batch import Codes, Integers
from scoring.config import Measure
from scoring.entities import Entity, after, counts, kind_of
from scoring.families.dates import date_of
from scoring.families.entities import THOUSANDTHS


@dataclass(frozen=True, slots=True)
class Steps:
    """Times of accounts, sorted by account and then by time.

    Attributes:
        whose: (s,) places of accounts.
        when: (s,) unix seconds.
        value: (s,) what holds from then on.
    """

    whose: Integers
    when: Floats
    value: Floats

    @classmethod
    def of(cls, whose: Any, when: Any, value: Any) -> Steps:
        """Of steps in any order; of two at one moment the one with the greater value holds."""
        who, at, what = np.asarray(whose, np.int64), np.asarray(when, np.float64), np.asarray(value, np.float64)
        order = np.lexsort((what, at, who))
        return cls(who[order], at[order], what[order])

    def before(self, accounts: Integers, moments: Floats | float) -> Integers:
        """(n,) where the first step of each account behind a moment, one for all or (n,), stands or would stand."""
        starts = np.searchsorted(self.whose, accounts, "left")
        ends = np.searchsorted(self.whose, accounts, "right")
        if np.ndim(moments) == 0:
            upto = np.concatenate([[0], np.cumsum(self.when <= moments)])
            return np.asarray(starts + (upto[ends] - upto[starts]), np.int64)
        spans = zip(starts.tolist(), ends.tolist(), np.asarray(moments).tolist(), strict=True)
        return np.array([a + int(np.searchsorted(self.when[a:b], at, "right")) for a, b, at in spans], np.int64)

    def count(self, accounts: Integers, moments: Floats | float) -> Integers:
        """(n,) how many steps each account had taken by then."""
        return self.before(accounts, moments) - np.searchsorted(self.whose, accounts, "left")

    def at(self, accounts: Integers, moments: Floats | float) -> Floats:
        """(n,) what stood at these moments; NaN where there was no step yet."""
        place = self.before(accounts, moments)
        there = place > np.searchsorted(self.whose, accounts, "left")
        if not len(self.value):
            return np.full(len(accounts), np.nan)
        return np.where(there, self.value[np.maximum(place - 1, 0)], np.nan)

    def first_below(self, account: int, after: float, bar: float) -> float:
        """When an account's number first stood below a bar behind a moment; inf: never."""
        ends = int(np.searchsorted(self.whose, account, "right"))
        begins = int(self.before(np.array([account]), after)[0])
        below = np.flatnonzero(self.value[begins:ends] < bar)
        return float(self.when[begins + below[0]]) if len(below) else np.inf


def told(measure: Measure, codes: Codes, columns: Mapping[str, Any]) -> Steps:
    """Steps of a date, a last value or a gauge.

    Args:
        measure: it; a date's steps are unix seconds.
        codes: what events count for.
        columns: of events, as `Batch` has them, and the place of the `account` of each.
    """
    coefficients = codes.coefficients(measure)
    worth = _worth(measure, columns)
    if measure.family != "date":
        worth = worth * coefficients[columns["code"]]
    some = (coefficients != 0.0)[columns["code"]]
    if measure.family != "gauge":
        some &= ~np.isnan(worth)
        return Steps.of(columns["account"][some], columns["time"][some], worth[some])
    steps = Steps.of(columns["account"][some], columns["time"][some], np.nan_to_num(worth[some]))
    if not len(steps.value):
        return steps
    total = np.cumsum(steps.value)
    first = np.searchsorted(steps.whose, steps.whose, "left")
    level = np.maximum(total - total[first] + steps.value[first], 0.0)
    last = np.append((np.diff(steps.whose) != 0) | (np.diff(steps.when) != 0), True)  # all of one moment count
    return Steps(steps.whose[last], steps.when[last], level[last])


def held(measure: Measure, things: Iterable[tuple[float, Event, str]], places: Mapping[str, int]) -> Steps:
    """Steps of what adds up over the things accounts have.

    Args:
        measure: it.
        things: (time, event, account), in order of time.
        places: of accounts.
    """
    known: dict[tuple[str, str], Entity] = {}
    level: dict[str, float] = {}
    steps: dict[tuple[int, float], float] = {}
    unit = THOUSANDTHS if measure.read == "sum" else 1.0
    for at, event, account in things:
        kind = kind_of(event)
        if kind is None or event.entity is None:
            continue
        was = known.get((account, event.entity))
        now = known[account, event.entity] = after(was, event, kind)
        if now.kind == measure.entity:
            level[account] = level.get(account, 0.0) + counts(now, measure) - counts(was, measure)
            steps[places[account], at] = level[account] / unit
    keys = list(steps)
    return Steps.of([who for who, _ in keys], [at for _, at in keys], list(steps.values()))


def _worth(measure: Measure, columns: Mapping[str, Any]) -> Floats:
    name = date_of(measure) if measure.family == "date" else measure.of
    if name is None:
        return np.ones(len(columns["time"]))
    found: Floats = columns[name] if name in columns else np.full(len(columns["time"]), np.nan)
    return found
