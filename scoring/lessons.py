"""Matured labels as columns: what was predicted, what became of it, and what the customer looked like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np

from scoring.arrays import Codes, Floats, Mask, Singles
from scoring.families.segments import DEFAULT

MIX: Final = "mix"
"""The name under which the mixture's own prediction travels beside its experts'."""
NOBODY_KNOWS: Final = -2
"""The code of whoever's segment is not known, or is none any more."""
_NO_CODES: Final = np.zeros(0, np.int8)
_NO_ANSWERS: Final = np.zeros(0)


@dataclass(frozen=True, slots=True)
class Lessons:
    """Labels of one configuration, in the order in which they matured.

    Attributes:
        experts: columns of `said`.
        said: (n, E) probabilities, as predicted when the snapshots were taken; NaN where an expert said nothing.
        lost: (n,) what became of the customers.
        matured_at: (n,) unix seconds.
        names: columns of `features`; empty if nobody knows any more what they were called.
        features: (n, F) as `scoring.features.features` reads them.
        cards: of the scorecard, in its order; empty where there are no segments.
        codes: (n,) places of the customers' own among `cards`; empty where there are none.
        grown: (n,) 1 where what was paid grew, 0 where it did not, NaN where nothing could; empty: nobody asks.
    """

    experts: tuple[str, ...]
    said: Floats
    lost: Mask
    matured_at: Floats
    names: tuple[str, ...]
    features: Singles
    cards: tuple[str, ...] = ()
    codes: Codes = field(default_factory=lambda: _NO_CODES)
    grown: Floats = field(default_factory=lambda: _NO_ANSWERS)

    @classmethod
    def of(
        cls,
        experts: Sequence[str],
        said: Sequence[Mapping[str, float]],
        lost: Sequence[bool],
        matured_at: Sequence[float],
        *,
        names: Sequence[str] = (),
        features: Sequence[Sequence[float]] = (),
        cards: Sequence[str] = (),
        segments: Sequence[str | None] = (),
        grown: Sequence[bool | None] | None = None,
    ) -> Lessons:
        """Of rows; predictions of others than these experts are left out. Segments are told by name."""
        nothing = float("nan")
        return cls(
            tuple(experts),
            np.array([[row.get(name, nothing) for name in experts] for row in said]).reshape(len(said), len(experts)),
            np.array(lost, bool),
            np.array(matured_at, np.float64),
            tuple(names),
            np.array(features if names else [()] * len(said), np.float32).reshape(len(said), len(names)),
            tuple(cards),
            np.array([_code(name, cards) for name in segments] if cards else (), np.int8),
            _NO_ANSWERS if grown is None else np.array([nothing if one is None else one for one in grown], np.float64),
        )

    def __len__(self) -> int:
        return len(self.lost)

    def __getitem__(self, some: slice) -> Lessons:
        return Lessons(
            self.experts,
            self.said[some],
            self.lost[some],
            self.matured_at[some],
            self.names,
            self.features[some],
            self.cards,
            self.codes[some],
            self.grown[some],
        )

    def like(self, other: Lessons) -> bool:
        """Whether both have the same columns."""
        mine, theirs = ((one.experts, one.names, one.cards, len(one.grown) > 0) for one in (self, other))
        return mine == theirs

    def column(self, expert: str) -> Floats:
        """(n,) what one expert said; NaN where nothing."""
        if expert not in self.experts:
            return np.full(len(self), np.nan)
        return self.said[:, self.experts.index(expert)]


def joined(first: Lessons, then: Lessons) -> Lessons:
    """Both, which have the same columns, one after the other."""
    return Lessons(
        first.experts,
        np.concatenate([first.said, then.said]),
        np.concatenate([first.lost, then.lost]),
        np.concatenate([first.matured_at, then.matured_at]),
        first.names,
        np.concatenate([first.features, then.features]),
        first.cards,
        np.concatenate([first.codes, then.codes]),
        np.concatenate([first.grown, then.grown]),
    )


def _code(segment: str | None, cards: Sequence[str]) -> int:
    if not segment:
        return NOBODY_KNOWS if segment is None else DEFAULT
    return cards.index(segment) if segment in cards else NOBODY_KNOWS


class Waiting(msgspec.Struct):
    """Lessons that wait until enough of them have come, as they travel in a model; arrays as base64."""

    experts: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    said: bytes = b""
    lost: bytes = b""
    matured_at: bytes = b""
    features: bytes = b""
    cards: tuple[str, ...] = ()
    codes: bytes = b""
    grown: bytes = b""

    @classmethod
    def of(cls, lessons: Lessons | None) -> Waiting:
        """Of lessons, or of none."""
        if lessons is None or not len(lessons):
            return cls()
        return cls(
            lessons.experts,
            lessons.names,
            lessons.said.astype("<f8").tobytes(),
            lessons.lost.tobytes(),
            lessons.matured_at.astype("<f8").tobytes(),
            lessons.features.astype("<f4").tobytes(),
            lessons.cards,
            lessons.codes.tobytes(),
            lessons.grown.astype("<f8").tobytes(),
        )

    def lessons(self) -> Lessons | None:
        """What waits; None if nothing does."""
        if not self.lost:
            return None
        count = len(self.lost)
        return Lessons(
            self.experts,
            np.frombuffer(self.said, "<f8").reshape(count, len(self.experts)),
            np.frombuffer(self.lost, bool),
            np.frombuffer(self.matured_at, "<f8"),
            self.names,
            np.frombuffer(self.features, "<f4").reshape(count, len(self.names)),
            self.cards,
            np.frombuffer(self.codes, np.int8),
            np.frombuffer(self.grown, "<f8"),
        )
