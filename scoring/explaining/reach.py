"""What would bring it to green? The smallest changes of things one can act on that do, found by the scorer itself.

First all of them together, then fewer: the fewest things that suffice when each is taken as far as it goes, then each
of those taken back as far as the goal allows. Nothing is assumed about how a measure weighs: what a step does is what
the production scorer says, and a step that helps nothing is not proposed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Final, get_args

import numpy as np

from hub import Band
from scoring.arrays import Floats
from scoring.bands import BANDS
from scoring.config import Config
from scoring.explaining.levers import Lever, follow, levers
from scoring.scorer import Scores
from scoring.standing import Standing

GOALS: Final[tuple[Band, ...]] = tuple(band for band in get_args(Band) if band not in ("at_risk", "left"))
"""Bands worth reaching, best first."""
_MOST_LEVERS: Final = 10
_MOST_ROWS: Final = 4_096
_WAYS: Final = 3
_HELPS: Final = 1e-6  # log odds
_CLOSE: Final = 0.1  # points; nobody does more for less


@dataclass(frozen=True, slots=True)
class Way:
    """One set of changes.

    Attributes:
        given: column -> value, of what somebody does.
        values: (M,) of all measures, with what follows.
        health: it comes to.
        band: it comes to.
        risk: it comes to.
        steps: how many tickets, meetings, ... in all.
    """

    given: dict[int, float]
    values: Floats
    health: float
    band: Band
    risk: float
    steps: int


@dataclass(frozen=True, slots=True)
class Reach:
    """What would bring an account to a goal.

    Attributes:
        there: it is there already.
        ways: the smallest first; none if it cannot be reached by what one can act on.
        nearest: as near as one comes then, by as little as that takes; None if nothing helps.
    """

    there: bool
    ways: list[Way]
    nearest: Way | None


def reach(standing: Standing, config: Config, goal: Band | float) -> Reach:
    """What would bring an account to a band, or to a health.

    Args:
        standing: how it is.
        config: says what one can act on.
        goal: one of `GOALS`, or 0 to 100.
    """
    search = _Search(standing, config, goal)
    if search.met(standing.scores)[0]:
        return Reach(there=True, ways=[], nearest=None)
    helpful = search.helpful(levers(config, standing.values[0].tolist()))
    if not helpful:
        return Reach(there=False, ways=[], nearest=None)
    subsets = [some for size in range(1, len(helpful) + 1) for some in combinations(helpful, size)]
    ends = search.try_([{lever.place: lever.steps[-1] for lever in some} for some in subsets])
    met = search.met(ends)
    fewest = min((len(some) for some, good in zip(subsets, met.tolist(), strict=True) if good), default=0)
    if fewest:
        enough = [some for some, good in zip(subsets, met.tolist(), strict=True) if good and len(some) == fewest]
        ways = sorted((search.least(some) for some in enough), key=_effort)
        unlike = list({way.values.tobytes(): way for way in reversed(ways)}.values())[::-1]  # two ways to say the same
        return Reach(there=False, ways=unlike[:_WAYS], nearest=None)
    best = float(ends.health.max())
    if best <= float(standing.scores.health[0]):
        return Reach(there=False, ways=[], nearest=None)
    close = [some for some, health in zip(subsets, ends.health.tolist(), strict=True) if health >= best - _CLOSE]
    return Reach(
        there=False, ways=[], nearest=search.way({lever.place: lever.steps[-1] for lever in close[0]}, close[0])
    )


def _effort(way: Way) -> tuple[int, float]:
    return way.steps, -way.health


class _Search:
    """Tries changes on one account."""

    def __init__(self, standing: Standing, config: Config, goal: Band | float) -> None:
        self._standing, self._config, self._goal = standing, config, goal

    def met(self, scores: Scores) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """(n,) whether the goal is reached."""
        if isinstance(self._goal, str):
            return np.asarray(scores.band <= BANDS.index(self._goal))
        return np.asarray(scores.health >= self._goal)

    def values(self, changes: Sequence[dict[int, float]]) -> Floats:
        """(n, M) values with these changes, and what follows from them."""
        now = self._standing.values[0]
        out = np.repeat(self._standing.values, len(changes), axis=0)
        for row, change in zip(out, changes, strict=True):
            for place, value in change.items():
                row[place] = value
        return follow(self._config.measures, now, out, (), solved=True)

    def try_(self, changes: Sequence[dict[int, float]]) -> Scores:
        """What they would come to."""
        return self._standing.judged(self.values(changes))

    def helpful(self, found: Sequence[Lever]) -> list[Lever]:
        """Levers that help, each no farther than it helps most; the strongest few."""
        kept: list[tuple[float, Lever]] = []
        now = float(self._standing.scores.logit[0])
        for lever in found:
            scores = self.try_([{lever.place: step} for step in lever.steps])
            gain = now - scores.logit + (scores.health - self._standing.scores.health[0])
            far = int(np.argmax(gain > gain.max() - _HELPS))
            if gain[far] > _HELPS:
                kept.append((float(gain[far]), Lever(lever.place, lever.steps[: far + 1])))
        kept.sort(key=lambda one: -one[0])
        return [lever for _, lever in kept[:_MOST_LEVERS]]

    def least(self, some: Sequence[Lever]) -> Way:
        """These levers, each moved as little as reaches the goal."""
        every = [range(len(lever.steps)) for lever in some]
        if int(np.prod([len(steps) for steps in every])) <= _MOST_ROWS:
            tried = list(product(*every))
        else:
            tried = self._descend(some)
        changes = [{lever.place: lever.steps[n] for lever, n in zip(some, places, strict=True)} for places in tried]
        scores = self.try_(changes)
        good = np.flatnonzero(self.met(scores)).tolist()
        best = min(good, key=lambda n: (sum(tried[n]), -float(scores.health[n])))
        return self.way(changes[best], some)

    def _descend(self, some: Sequence[Lever]) -> list[tuple[int, ...]]:
        """Too many to try them all: one lever after the other is taken back as far as it goes."""
        found = []
        for first in range(len(some)):
            places = [len(lever.steps) - 1 for lever in some]
            for turn in range(len(some)):
                at = (first + turn) % len(some)
                tried = [[*places[:at], n, *places[at + 1 :]] for n in range(len(some[at].steps))]
                changes = [{lever.place: lever.steps[n] for lever, n in zip(some, each, strict=True)} for each in tried]
                places[at] = int(np.argmax(self.met(self.try_(changes))))
            found.append(tuple(places))
        return found

    def way(self, change: dict[int, float], some: Sequence[Lever]) -> Way:
        """What a change comes to, told whole."""
        values = self.values([change])
        scores = self._standing.judged(values)
        steps = sum(lever.steps.index(change[lever.place]) + 1 for lever in some)
        return Way(change, values[0], float(scores.health[0]), BANDS[int(scores.band[0])], float(scores.risk[0]), steps)
