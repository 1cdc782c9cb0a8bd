"""What somebody can do about an account: measures marked `actionable`, and how far each can be moved in whole steps.

A count of tickets goes down a ticket at a time, a meeting is held today or not at all. What must follow from a change
follows: who has no open ticket has no urgent one, and none that waits.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from scoring.arrays import Floats
from scoring.config import Config, Measure
from scoring.families.days import ACTIVE

_ONE_BY_ONE: Final = 12  # of what is counted, as many are taken one by one; of more, shares
_MORE: Final = 5  # how many more of a good thing
_GROWTH: Final = (1.1, 1.25, 1.5, 2.0)
_PARTS: Final = 4


@dataclass(frozen=True, slots=True)
class Lever:
    """One measure that can be moved.

    Attributes:
        place: of the measure among all.
        steps: values it can be brought to, the nearest first.
    """

    place: int
    steps: tuple[float, ...]


def levers(config: Config, values: Sequence[float]) -> list[Lever]:
    """What can be moved of one account, given what its measures read."""
    found = []
    for place, measure in enumerate(config.measures):
        if measure.actionable and (steps := _steps(config, measure, values[place])):
            found.append(Lever(place, tuple(steps)))
    return found


def _steps(config: Config, measure: Measure, value: float) -> list[float]:
    better = 1.0 if measure.direction == "up" else -1.0
    found: list[float] = []
    match measure.family, measure.read:
        case ("entities", "open" | "urgent") | ("count" | "exact" | "gauge", _) if measure.of is None:
            found = _counted(value, better)
        case "entities", "oldest":
            found = [0.0] if better < 0.0 < value else []
        case ("entities", "sum") | ("sum", _):
            found = [value * by for by in _GROWTH] if better > 0.0 and value > 0.0 else []
        case "recency", _:
            found = [0.0] if better < 0.0 and not value < 1.0 else []  # unknown: never yet
        case (("active_days" | "days" | "people"), _):
            most = ACTIVE if measure.family == "active_days" else math.inf
            found = [step for step in _counted(value, better) if step <= most]
        case (("last" | "trend"), _):
            found = _towards(value, _best(config, measure))
    return found


def _counted(value: float, better: float) -> list[float]:
    """Whole numbers from here on, better ones."""
    start = 0.0 if math.isnan(value) else value
    if better > 0.0:
        return [start + more for more in range(1, _MORE + 1)]
    if start <= 0.0:
        return []
    first = math.ceil(start) - 1
    if first < _ONE_BY_ONE:
        return [float(each) for each in range(first, -1, -1)]
    return [*dict.fromkeys(float(math.floor(start * part)) for part in (0.9, 0.75, 0.5, 0.25, 0.1)), 0.0]


def _towards(value: float, best: float | None) -> list[float]:
    if best is None or math.isnan(value):
        return []
    return [value + (best - value) * part / _PARTS for part in range(1, _PARTS + 1)] if best != value else []


def _best(config: Config, measure: Measure) -> float | None:
    """The value from which on the scorecard knows nothing better."""
    for dimension in config.scorecard.dimensions:
        for transform in dimension.measures:
            if transform.measure == measure.name:
                known = [transform.high, *(at_least for at_least, _ in transform.bands)]
                found = [each for each in known if each is not None]
                return (max(found) if measure.direction == "up" else min(found)) if found else None
    return None


def follow(
    measures: Sequence[Measure], before: Floats, after: Floats, given: Collection[int], *, solved: bool
) -> Floats:
    """What follows from values that were changed: (M,) before, (n, M) after, in place; returns it.

    Args:
        measures: the columns.
        before: as they are.
        after: as they would be.
        given: columns that were said, and do not follow from others.
        solved: whether what is not urgent any more is not open any more either.
    """
    for reads in _things(measures).values():
        how_many, urgent, oldest = (reads.get(read) for read in ("open", "urgent", "oldest"))
        if how_many is None:
            continue
        if urgent is not None:
            fewer = before[urgent] - after[:, urgent]
            if solved:
                after[:, how_many] = np.where(
                    fewer > 0.0,
                    np.minimum(after[:, how_many], np.maximum(before[how_many] - fewer, 0.0)),
                    after[:, how_many],
                )
            if urgent not in given:
                after[:, urgent] = np.minimum(after[:, urgent], after[:, how_many])
        if oldest is not None and oldest not in given:
            after[:, oldest] = np.where(after[:, how_many] == 0.0, 0.0, after[:, oldest])
    return after


def _things(measures: Sequence[Measure]) -> Mapping[str, Mapping[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for place, measure in enumerate(measures):
        if measure.entity is not None and measure.read is not None:
            found.setdefault(measure.entity, {}).setdefault(measure.read, place)
    return found
