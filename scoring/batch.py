"""A batch of events as columns, so that a family folds all of them at once."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from hub import Event
from scoring.arrays import Floats
from scoring.config import Measure

Integers = np.ndarray[Any, np.dtype[np.int64]]
_MOST_CONDITIONS = 8


@dataclass(frozen=True, slots=True)
class Changes:
    """What a batch changed among the things accounts have, as differences.

    Attributes:
        differences: (n, measures of entities that add up); what to add to each account's sums.
        known: (n, the same); whether the account has ever had such a thing.
        since: (n, measures of the oldest open) unix seconds, inf when none is open; NaN where nothing changed.
        told: (n, measures of entities that add up) when one of these was last told of; 0 where nothing changed.
    """

    differences: Floats
    known: np.ndarray[Any, np.dtype[np.bool_]]
    since: Floats
    told: Floats


@dataclass(frozen=True, slots=True)
class Batch:
    """Events as columns, those of an account side by side.

    Attributes:
        accounts: the accounts touched; rows to fold into are aligned with them.
        index: (e,) place of each event's account.
        starts: (n,) place of each account's first event.
        code: (e,) what the event counts for, as `Codes` says.
        time: (e,) unix seconds.
        amount: (e,) NaN where there is none.
        value: (e,) NaN where there is none.
        person: (e,) a number of the contact; 0 where there is none.
        changes: of the accounts' entities; None when nothing changed.
        numbers: by the reader's name, (e,) what it read of each event, NaN where nothing; absent where none was read.
    """

    accounts: Sequence[str]
    index: Integers
    starts: Integers
    code: Integers
    time: Floats
    amount: Floats
    value: Floats
    person: Integers
    changes: Changes | None = None
    numbers: Mapping[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.index)

    def worth(self, of: str | None) -> Floats:
        """(e,) what the events are worth: 1 each, their amount, their value, or what a reader of this name read."""
        match of:
            case None:
                return np.ones(len(self))
            case "amount":
                return self.amount
            case "value":
                return self.value
        found = self.numbers.get(of)
        return np.full(len(self), np.nan) if found is None else found

    def changed(self, changes: Changes | None) -> Batch:
        """The same with what it changes among entities, aligned with `accounts`."""
        return self if changes is None else replace(self, changes=changes)


@dataclass(frozen=True, slots=True)
class Codes:
    """Which measures an event can count for, as a small number: its kind, and which conditions its properties meet.

    Code 0 is every kind that nobody asks for.
    """

    conditions: Mapping[str, tuple[tuple[str, tuple[Any, ...]], ...]]
    first: Mapping[str, int]
    size: int = field(default=1)

    @classmethod
    def of(cls, measures: Iterable[Measure], more: Iterable[str] = ()) -> Codes:
        """Codes for what these measures read, and for further kinds."""
        conditions: dict[str, dict[tuple[str, tuple[Any, ...]], None]] = {kind: {} for kind in more}
        for measure in measures:
            for kind in measure.kinds:
                conditions.setdefault(kind, {}).update(dict.fromkeys(wanted(measure)))
        first, size = {}, 1
        for kind, those in conditions.items():
            if len(those) > _MOST_CONDITIONS:
                raise ValueError(f"measures of {kind} have {len(those)} conditions, more than {_MOST_CONDITIONS}")
            first[kind], size = size, size + 2 ** len(those)
        return cls({kind: tuple(those) for kind, those in conditions.items() if those}, first, size)

    def code(self, event: Event) -> int:
        """The code of one event."""
        code = self.first.get(event.kind, 0)
        for place, (name, values) in enumerate(self.conditions.get(event.kind, ())):
            code += (event.properties.get(name) in values) << place
        return code

    def coefficients(self, measure: Measure) -> Floats:
        """(size,) how much an event of each code counts for this measure; 0: not at all."""
        out = np.zeros(self.size)
        for kind, coefficient in measure.kinds.items():
            those = self.conditions.get(kind, ())
            needed = sum(1 << those.index(condition) for condition in wanted(measure))
            for met in range(2 ** len(those)):
                if met & needed == needed:
                    out[self.first[kind] + met] = coefficient
        return out

    def having(self, kinds: Iterable[str]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """(size,) whether a code is of one of these kinds."""
        out = np.zeros(self.size, bool)
        for kind in kinds:
            out[self.first[kind] : self.first[kind] + 2 ** len(self.conditions.get(kind, ()))] = True
        return out


def wanted(measure: Measure) -> list[tuple[str, tuple[Any, ...]]]:
    """A measure's conditions: property and the values that will do."""
    return [(name, tuple(v) if isinstance(v, list) else (v,)) for name, v in sorted(measure.where.items())]


class Reader(NamedTuple):
    """A number that is read off the events of some codes only, because that takes a call for each.

    Attributes:
        those: (codes,) which.
        read: NaN where an event does not say it.
    """

    those: np.ndarray[Any, np.dtype[np.bool_]]
    read: Callable[[Event], float]


_NONE: Mapping[str, Reader] = {}


def columns(
    events: Sequence[Event], accounts: Sequence[str], codes: Codes, readers: Mapping[str, Reader] = _NONE
) -> Batch:
    """Lay out events as columns.

    Args:
        events: that may be folded: their times and numbers are finite and sane.
        accounts: the account of each event.
        codes: what they count for.
        readers: what else is read of them.
    """
    places: dict[str, int] = {}
    unsorted = np.array([places.setdefault(account, len(places)) for account in accounts], np.int64)
    order = np.argsort(unsorted, kind="stable")
    index = unsorted[order]
    first, asked, none = codes.first, codes.conditions, float("nan")
    code = [codes.code(e) if e.kind in asked else first.get(e.kind, 0) for e in events]
    crc32, coded = zlib.crc32, np.array(code, np.int64)[order]
    return Batch(
        accounts=list(places),
        index=index,
        starts=np.flatnonzero(np.concatenate([[True], index[1:] != index[:-1]])) if len(index) else index,
        code=coded,
        time=np.array([e.occurred_at.timestamp() for e in events])[order],
        amount=np.array([none if e.amount is None else float(e.amount) for e in events])[order],
        value=np.array([none if e.value is None else e.value for e in events])[order],
        person=np.array([crc32(e.contact.encode()) + 1 if e.contact else 0 for e in events], np.int64)[order],
        numbers=_numbers(readers, events, order, coded),
    )


def _numbers(
    readers: Mapping[str, Reader], events: Sequence[Event], order: Integers, code: Integers
) -> dict[str, Floats]:
    found = {}
    for name, reader in readers.items():
        chosen = np.flatnonzero(reader.those[code])
        if len(chosen):
            found[name] = np.full(len(events), np.nan)
            found[name][chosen] = [reader.read(events[place]) for place in order[chosen].tolist()]
    return found
