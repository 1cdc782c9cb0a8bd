"""What happened to many accounts, as columns in the order of time, to be folded again as it came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from hub import Event
from scoring import timelines
from scoring.arrays import Floats, Mask
from scoring.batch import Batch, Integers
from scoring.entities import Things, kind_of
from scoring.measures import MeasureSet
from scoring.outcome import Outcome
from scoring.rows import Rows, lay, picked
from scoring.sentiment.noting import noted_once
from scoring.timelines import Steps
from scoring.ways import Cancelled, Contraction, NotRenewed, Silent, Way

_CHUNK: Final = 50_000  # events that are laid out together


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment of the past, with all that was known then.

    Attributes:
        at: unix seconds.
        accounts: (n,) places in `Story.accounts` of those known by then.
        rows: (n,) theirs.
        values: (n, M) what the measures read.
    """

    at: float
    accounts: Integers
    rows: Rows
    values: Floats


class Story:
    """All events of a past, told once in any order and then read in the order of time.

    Args:
        measures: what they count for.

    Attributes:
        accounts: their names, in the order in which they appeared.
    """

    def __init__(self, measures: MeasureSet) -> None:
        self._measures = measures
        self._places: dict[str, int] = {}
        self._parts: list[tuple[Batch, Integers]] = []
        self._things: list[tuple[float, Event, str]] = []
        self._events: list[Event] = []
        self._whose: list[str] = []
        self.accounts: list[str] = []

    def tell(self, events: Sequence[Event], accounts: Sequence[str]) -> None:
        """Add events and the account of each; an event that comes twice counts twice. Texts are read by their words."""
        self._events += map(noted_once, events)
        self._whose += accounts
        if len(self._events) >= _CHUNK:
            self._lay()

    def end(self) -> Told:
        """The story as a whole; nothing can be told after it."""
        self._lay()
        self._things.sort(key=lambda one: one[0])
        return Told(self._measures, self.accounts, _together(self._parts), self._things)

    def _lay(self) -> None:
        if not self._events:
            return
        batch = self._measures.batch(self._events, self._whose)
        for account in batch.accounts:
            if account not in self._places:
                self._places[account] = len(self.accounts)
                self.accounts.append(account)
        places = np.array([self._places[account] for account in batch.accounts], np.int64)
        self._parts.append((batch, places[batch.index]))
        self._things += [
            (event.occurred_at.timestamp(), event, account)
            for event, account in zip(self._events, self._whose, strict=True)
            if kind_of(event) is not None
        ]
        self._events, self._whose = [], []


class Told:
    """A story in the order of time.

    Args:
        measures: what events count for.
        accounts: names by place.
        columns: of all events, by name; `account` is the place of each.
        things: (time, event, account) of what is said about tickets, subscriptions and the like, in order of time.
    """

    def __init__(
        self,
        measures: MeasureSet,
        accounts: Sequence[str],
        columns: dict[str, Any],
        things: Sequence[tuple[float, Event, str]],
    ) -> None:
        self.accounts, self.measures = accounts, measures
        order = np.argsort(columns["time"], kind="stable")
        self._columns = {name: column[order] for name, column in columns.items()}
        self._things = things
        self._told_of: dict[tuple[str, ...], Steps] = {}
        self._numbers: dict[str, Steps] = {}
        self.time: Floats = self._columns["time"]
        self._born = np.full(len(accounts), np.inf)
        np.minimum.at(self._born, self._columns["account"], self.time)

    def __len__(self) -> int:
        return len(self.time)

    def ticks(self, moments: Sequence[float]) -> Iterator[Tick]:
        """What was known at these moments, which ascend; events at the moment itself included."""
        rows = np.full(len(self.accounts), self.measures.empty, self.measures.dtype)
        things = Things(self.measures.holdings.sums, self.measures.holdings.oldest)
        told = said = 0
        for at in moments:
            end = int(np.searchsorted(self.time, at, "right"))
            if end > told:
                batch, places = self._batch(slice(told, end))
                said_then = said
                while said < len(self._things) and self._things[said][0] <= at:
                    said += 1
                if some := self._things[said_then:said]:
                    told_of = [event for _, event, _ in some], [account for _, _, account in some]
                    batch = batch.changed(things.change(*told_of, batch.accounts))
                lay(rows, places, self.measures.fold(picked(rows, places), batch))
                told = end
            known = np.flatnonzero(self._born <= at)
            seen = picked(rows, known)
            yield Tick(at, known, seen, self.measures.read(seen, at))

    def lost(self, accounts: Integers, at: float, outcome: Outcome, horizon: float | None = None) -> Mask:
        """(n,) whether accounts were lost within the horizon after `at`."""
        found, ends = np.zeros(len(accounts), bool), at + (horizon or outcome.horizon)
        for way in outcome.ways:
            found |= self.came_true(way, accounts, at, ends)
        return found

    def came_true(self, way: Way, accounts: Integers, at: Floats | float, ends: Floats | float) -> Mask:
        """(n,) whether a way to be lost came true in (at, ends], one span for all or (n,)."""
        match way:
            case Cancelled():
                steps = self._happened(way.cancelled)
                return steps.count(accounts, ends) > steps.count(accounts, at)
            case Silent():
                steps = self._happened(way.silent)
                begins = np.maximum(at, ends - (way.after or np.inf))
                return np.asarray(steps.count(accounts, ends) == steps.count(accounts, begins))
            case NotRenewed():
                return np.asarray(self.number(way.not_renewed).at(accounts, ends) + way.grace <= ends)
            case Contraction():
                steps = self.number(way.contraction)
                return way.below(steps.at(accounts, at), steps.at(accounts, ends))

    def already(self, accounts: Integers, at: float, outcome: Outcome) -> Mask:
        """(n,) whether accounts had been silent for long enough at `at`: nobody needs a model to see that."""
        found = np.zeros(len(accounts), bool)
        for way in outcome.ways:
            if isinstance(way, Silent):
                found |= self.came_true(way, accounts, at - (way.after or outcome.horizon), at)
        return found

    def lost_at(self, accounts: Integers, at: float, outcome: Outcome) -> Floats:
        """(n,) when accounts were lost; inf: never. Of silence, when it had lasted long enough, be it before `at`."""
        found, ends = np.full(len(accounts), np.inf), at + outcome.horizon
        for way in outcome.ways:
            found = np.minimum(found, self._when(way, accounts, at, ends))
        return found

    def number(self, name: str) -> Steps:
        """What a measure that stands until an event changes it stood at."""
        if name not in self._numbers:
            measure = next(one for one in self.measures.measures if one.name == name)
            if measure.family == "entities":
                places = {account: place for place, account in enumerate(self.accounts)}
                self._numbers[name] = timelines.held(measure, self._things, places)
            else:
                self._numbers[name] = timelines.told(measure, self.measures.codes, self._columns)
        return self._numbers[name]

    def _when(self, way: Way, accounts: Integers, at: float, ends: float) -> Floats:
        """(n,) when a way came true; inf where it did not by `ends`, or, of an event, ever."""
        if isinstance(way, Cancelled):
            steps = self._happened(way.cancelled)
            found, after = np.full(len(accounts), np.inf), steps.before(accounts, at)
            there = np.flatnonzero(after < np.searchsorted(steps.whose, accounts, "right"))
            found[there] = steps.when[after[there]]
            return found
        true = self.came_true(way, accounts, at, ends)
        match way:
            case Silent():
                since = self._happened(way.silent).at(accounts, ends)
                moments = np.where(np.isnan(since), at, since) + (way.after or ends - at)
            case NotRenewed():
                moments = self.number(way.not_renewed).at(accounts, ends) + way.grace
            case Contraction():
                steps = self.number(way.contraction)
                bars = way.bar(steps.at(accounts, at))
                some = zip(accounts.tolist(), bars.tolist(), true.tolist(), strict=True)
                moments = np.array([steps.first_below(who, at, bar) if so else np.inf for who, bar, so in some])
        return np.where(true, moments, np.inf)

    def _batch(self, some: slice) -> tuple[Batch, Integers]:
        """Some events, and the places of the accounts that they touch."""
        columns = {name: column[some] for name, column in self._columns.items()}
        order = np.argsort(columns["account"], kind="stable")
        account = columns.pop("account")[order]
        starts = np.flatnonzero(np.concatenate([[True], account[1:] != account[:-1]]))
        index = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(account))))
        plain = {name: columns.pop(name)[order] for name in ("code", "time", "amount", "value", "person")}
        numbers = {name: column[order] for name, column in columns.items()}
        places: Integers = account[starts]
        names = [self.accounts[place] for place in places.tolist()]
        return Batch(accounts=names, index=index, starts=starts, numbers=numbers, **plain), places

    def _happened(self, kinds: tuple[str, ...]) -> Steps:
        """Events of these kinds, each a step to its own time."""
        if kinds not in self._told_of:
            those = self.measures.codes.having(kinds)[self._columns["code"]]
            when = self.time[those]
            self._told_of[kinds] = Steps.of(self._columns["account"][those], when, when)
        return self._told_of[kinds]


def _together(parts: Sequence[tuple[Batch, Integers]]) -> dict[str, Any]:
    names = {name for batch, _ in parts for name in batch.numbers}
    columns = {
        name: [getattr(batch, name) for batch, _ in parts] for name in ("code", "time", "amount", "value", "person")
    }
    columns |= {name: [batch.worth(name) for batch, _ in parts] for name in names}
    columns["account"] = [places for _, places in parts]
    empty = {"code": np.int64, "account": np.int64, "person": np.int64}
    return {
        name: np.concatenate(some) if some else np.zeros(0, empty.get(name, np.float64))
        for name, some in columns.items()
    }
