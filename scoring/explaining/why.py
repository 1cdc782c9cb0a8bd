"""A movement of health in words: what moved it, by how much, and whether something happened or time passed."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from scoring.config import Config, Measure
from scoring.drivers import CAP, FLOOR, OVERRIDE, part_in_words, words
from scoring.explaining.history import Compared
from scoring.moves import MODEL, REST, SCORECARD, Moments

By = Literal["events", "time", "model", "scorecard", "limit", "person", "mixture", "several"]
"""What makes a part move: something that happened, silence, a newer model, another scorecard, a floor or cap of it, a
person's word, what models are believed in, and what a row of an older program did not name."""

_BY: Final[Mapping[str, By]] = {
    MODEL: "model",
    SCORECARD: "scorecard",
    FLOOR: "limit",
    CAP: "limit",
    OVERRIDE: "person",
    REST: "several",
}
_TEXTS: Final = {SCORECARD: "another scorecard", REST: "smaller drivers together"}
BECAUSE: Final[Mapping[By, str]] = {
    "events": "",
    "time": "time passed",
    "model": "newer models",
    "scorecard": "another scorecard",
    "limit": "a limit of the scorecard",
    "person": "set by hand",
    "mixture": "how models are mixed",
    "several": "",
}
"""The same for people; what happened is told by the number that changed."""
_SILENT: Final = 1e-9  # log odds; what moved less has not moved
_FADING: Final = ("recency", "tenure", "active_days", "days", "people", "exact", "date")


@dataclass(frozen=True, slots=True)
class Share:
    """What one part did to a health.

    Attributes:
        name: of the measure or other part.
        text: the same in words, as it is after.
        was: its number before, in words; empty where it is no measure's or was the same.
        points: of health; all shares sum to the difference.
        odds: the same in log odds of staying.
        dimension: empty for what is no measure's.
        by: what made it move.
    """

    name: str
    text: str
    was: str
    points: float
    odds: float
    dimension: str
    by: By


def told(group: Compared, place: int, config: Config, kinds: Collection[str] | None) -> list[Share]:
    """The shares of one account's movement, strongest first.

    Args:
        group: how many accounts moved.
        place: which of them.
        config: whose measures say it in words.
        kinds: of the events in between; None: not known, and a part of a measure moved by `events`.
    """
    known = {measure.name: measure for measure in config.measures}
    was, now, movement = _values(group.before, place), _values(group.after, place), group.movement
    shares = []
    for column, name in enumerate(movement.names):
        odds, points = float(movement.odds[place, column]), float(movement.points[place, column])
        if abs(odds) < _SILENT and abs(points) < _SILENT:
            continue
        measure, said = known.get(name), group.after.said.get(name) or group.before.said.get(name)
        if measure is None:
            text, by = said or _plain(name), _BY.get(name, "mixture")
            shares.append(Share(name, text, "", points, odds, "", by))
            continue
        value = now.get(name, math.nan)
        text = words(measure, value) if name in now else said or plain(measure)
        shares.append(
            Share(name, text, _was(measure, was, value), points, odds, measure.dimension, _by(config, measure, kinds))
        )
    return sorted(shares, key=lambda share: (-abs(share.points), share.name))


def plain(measure: Measure) -> str:
    """A measure's label without its number.

    >>> days = Measure(name="a", family="recency", kinds=["x"], dimension="d", label="met {n} days ago", direction="up")
    >>> plain(days), plain(days.model_copy(update={"label": "{n} tickets open"}))
    ('met … days ago', 'tickets open')
    """
    return measure.label.removeprefix("{n} ").replace("{n}", "…")


def title(config: Config, name: str) -> tuple[str, str]:
    """A part's name in words without a number, and its dimension."""
    measure = next((one for one in config.measures if one.name == name), None)
    if measure is None:
        return _plain(name), ""
    return plain(measure), measure.dimension


def _plain(name: str) -> str:
    return _TEXTS.get(name) or part_in_words(name) or name.replace("_", " ")


def counts(config: Config, measure: Measure, kind: str) -> bool:
    """Whether events of a kind change a measure."""
    if measure.entity is not None:
        return kind.partition(".")[0] == measure.entity
    if parts := _parts(config, measure):
        return any(counts(config, part, kind) for part in parts)
    return kind in measure.kinds


def fades(config: Config, measure: Measure) -> bool:
    """Whether a measure changes by itself as time passes."""
    if measure.stale_after is not None:
        return True
    if parts := _parts(config, measure):
        return measure.family == "trend" or any(fades(config, part) for part in parts)
    match measure.family:
        case "entities":
            return measure.read == "oldest"
        case "count" | "sum":
            return math.isfinite(measure.half_life)
        case family:
            return family in _FADING


def _parts(config: Config, measure: Measure) -> list[Measure]:
    """The measures that a measure is made of."""
    names = (measure.short, measure.long, measure.top, measure.bottom)
    return [part for part in config.measures if part.name in names and part.name != measure.name]


def _by(config: Config, measure: Measure, kinds: Collection[str] | None) -> By:
    if kinds is None or any(counts(config, measure, kind) for kind in kinds):
        return "events"
    return "time" if fades(config, measure) else "events"  # of an event that was late, or that the archive let go of


def _values(at: Moments, place: int) -> dict[str, float]:
    return dict(zip(at.measures, at.values[place].tolist(), strict=True))


def _was(measure: Measure, was: Mapping[str, float], value: float) -> str:
    """The number before, where it is known and reads otherwise than the one after."""
    if measure.name not in was:
        return ""
    one, other = (_number(measure, read) for read in (was[measure.name], value))
    return "" if one == other else one


def _number(measure: Measure, value: float) -> str:
    if math.isnan(value):
        return "never" if measure.family == "recency" else "not known"
    return words(measure.model_copy(update={"label": "{n}", "zero": ""}), value)
