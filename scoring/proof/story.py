"""What happened to many accounts, as columns in the order of time, to be folded again as it came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from hub import Event
from scoring.arrays import Floats, Mask
from scoring.batch import Batch, Integers
from scoring.config import Outcome
from scoring.entities import Things, kind_of
from scoring.measures import MeasureSet
from scoring.rows import Rows, lay, picked
from scoring.sentiment.noting import noted_once

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
        self._told_of: dict[tuple[str, ...], tuple[Integers, Floats]] = {}
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
        whose, when = self._outcomes(outcome)
        ends = at + (horizon or outcome.horizon)
        happened = _count(whose, when, accounts, ends) > _count(whose, when, accounts, at)
        return ~happened if outcome.silence else happened

    def already(self, accounts: Integers, at: float, outcome: Outcome) -> Mask:
        """(n,) whether accounts had been silent for a whole horizon at `at`: nobody needs a model to see that."""
        if not outcome.silence:
            return np.zeros(len(accounts), bool)
        whose, when = self._outcomes(outcome)
        silent: Mask = _count(whose, when, accounts, at) == _count(whose, when, accounts, at - outcome.horizon)
        return silent

    def lost_at(self, accounts: Integers, at: float, outcome: Outcome) -> Floats:
        """(n,) when accounts were lost; inf: never. Of silence, when it had lasted for a horizon, be it before `at`."""
        whose, when = self._outcomes(outcome)
        after = _place(whose, when, accounts, at)
        if outcome.silence:
            seen = after > np.searchsorted(whose, accounts, "left")
            last = np.where(seen, when[np.maximum(after - 1, 0)], at) if len(when) else np.full(len(accounts), at)
            return np.where(self.lost(accounts, at, outcome), last + outcome.horizon, np.inf)
        found = np.full(len(accounts), np.inf)
        there = np.flatnonzero(after < np.searchsorted(whose, accounts, "right"))
        found[there] = when[after[there]]
        return found

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

    def _outcomes(self, outcome: Outcome) -> tuple[Integers, Floats]:
        """Account and time of the events that tell, by account and then by time."""
        kinds = tuple(outcome.kinds)
        if kinds not in self._told_of:
            those = self.measures.codes.having(kinds)[self._columns["code"]]
            whose, when = self._columns["account"][those], self.time[those]
            order = np.lexsort((when, whose))
            self._told_of[kinds] = whose[order], when[order]
        return self._told_of[kinds]


def _place(whose: Integers, when: Floats, accounts: Integers, at: float) -> Integers:
    """(n,) where, among times sorted by account, the first one after `at` of each account stands or would stand."""
    starts = np.searchsorted(whose, accounts, "left")
    ends = np.searchsorted(whose, accounts, "right")
    upto = np.concatenate([[0], np.cumsum(when <= at)])
    place: Integers = starts + (upto[ends] - upto[starts])
    return place


def _count(whose: Integers, when: Floats, accounts: Integers, at: float) -> Integers:
    return _place(whose, when, accounts, at) - np.searchsorted(whose, accounts, "left")


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
