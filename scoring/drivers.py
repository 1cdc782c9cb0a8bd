"""Why a health is what it is, in words: the strongest few of its additive parts."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from hub import Driver
from scoring.config import Measure

OWN_RHYTHM: Final = "rhythm"
SEGMENT: Final = "segment"
BEYOND: Final = "beyond"
FLOOR: Final = "floor"
CAP: Final = "cap"
OVERRIDE: Final = "override"
OTHERS: Final = (OWN_RHYTHM, BEYOND, FLOOR, CAP, OVERRIDE)
"""Parts of every health that are no measure's, in the order in which they come after the measures."""
OTHERS_OF_SEGMENTS: Final = (OWN_RHYTHM, SEGMENT, BEYOND, FLOOR, CAP, OVERRIDE)
"""The same where there are segments."""
SPECIAL: Final[Mapping[str, str]] = {
    OWN_RHYTHM: "how often it used to come, and how long it has been silent",
    SEGMENT: "what is usual in its segment",
    BEYOND: "evidence beyond what any model is believed in",
    FLOOR: "a floor of the scorecard",
    CAP: "a cap of the scorecard",
    "model": "the models learned from more customers",
    "prior": "what is usual among your customers",
    OVERRIDE: "set by hand",
}
"""Parts that are no measure's, in words."""
GUEST: Final = "expert:"
"""What the part of a plugin's expert is called before that expert's name."""
_WHOLE: Final = 10.0  # from here on without digits after the point
_GROUPED: Final = 1_000.0  # from here on with commas
_OF_ONE: Final = re.compile(r"\b1 (?P<before>(?:(?!of )[a-z]+ ){0,2}?)(?P<noun>people|[a-z]+[^\Ws]s)\b")
"""What is counted, of `1 urgent tickets open`; labels are written in the plural."""
_FADED: Final = 0.05  # of one: nobody remembers it
LEAST_SAID: Final = 0.05
"""Points; less is shown as nothing."""


def part_in_words(name: str) -> str | None:
    """A part that is no measure's, in words; None if nobody knows it.

    >>> part_in_words("expert:acme_forest"), part_in_words("base_rate")
    ('what the expert acme forest sees', None)
    """
    if name.startswith(GUEST):
        return f"what the expert {name.removeprefix(GUEST).replace('_', ' ')} sees"
    return SPECIAL.get(name)


def number(value: float, unit: str = "") -> str:
    """A number as people write it.

    >>> number(3.0), number(0.256), number(12.34), number(1234567.8), number(-0.004), number(math.nan)
    ('3', '0.26', '12', '1,234,568', '0', 'unknown')
    >>> number(0.815, "%")
    '82'
    """
    if not math.isfinite(value):
        return "unknown"
    if unit == "%":
        value *= 100.0
    size = abs(value)
    if size < _GROUPED and value == int(value):
        return str(int(value))
    if size >= _WHOLE:
        return f"{value:,.0f}"
    shown = f"{value:.1f}" if size >= 1.0 else f"{value:.2f}"
    shown = shown.rstrip("0").rstrip(".")
    return "0" if shown == "-0" else shown


def words(measure: Measure, value: float) -> str:
    """A measure's label with its number; that it never happened or is not known, where that is so."""
    if math.isnan(value):
        lack = "never yet" if measure.family in ("recency", "tenure") else "not known"
        return f"{lack}: {measure.label.replace('{n}', '…')}"
    return _said(measure.label, measure.zero, number(_countable(measure, value), measure.unit))


@lru_cache(maxsize=16_384)
def _said(label: str, zero: str, shown: str) -> str:
    if shown == "0" and zero:
        return zero
    said = label.replace("{n}", shown)
    if shown == "0" and said.startswith("0 "):
        return f"no {said[2:]}"
    return _OF_ONE.sub(_singular, said, count=1) if shown == "1" else said


def _countable(measure: Measure, value: float) -> float:
    """What people can count they want whole: a ticket that has faded to 0.4 is still the one ticket there was."""
    if not math.isfinite(value):
        return value
    match measure.family:
        case "count":
            return max(1.0, round(value)) if value >= _FADED else 0.0
        case "people":
            return float(round(value))
        case "recency" | "tenure" | "date":
            return float(math.floor(value))
        case "entities" if measure.read == "oldest":
            return float(math.floor(value))
        case _:
            return value


def _singular(found: re.Match[str]) -> str:
    noun = found["noun"]
    return f"1 {found['before']}{'person' if noun == 'people' else noun[:-1]}"


def strongest(
    parts: Sequence[Measure | str],
    values: Sequence[float],
    points: Sequence[float],
    k: int,
    said: dict[int, str] | None = None,
) -> tuple[list[Driver], float]:
    """The `k` strongest parts, strongest first, and the points of all the others together.

    Args:
        parts: a measure for each of `values`, then the names of what is no measure's.
        values: what the measures read, NaN unknown.
        points: what each part adds.
        k: how many to name; fewer come back where the others hardly count.
        said: words by place of what was named of these values before; more are added.

    Returns:
        Drivers with points rounded to hundredths, and a rest that is not: together they sum to what `points` do.
    """
    sizes = list(map(abs, points))
    said = {} if said is None else said
    drivers = []
    for place in sorted(range(len(points)), key=sizes.__getitem__, reverse=True)[:k]:
        if sizes[place] < LEAST_SAID:
            break
        part = parts[place]
        if isinstance(part, str):
            drivers.append(Driver(part, said.get(place) or part_in_words(part) or part, round(points[place], 2)))
            continue
        text = said.get(place) or said.setdefault(place, words(part, values[place]))
        drivers.append(Driver(part.name, text, round(points[place], 2), part.dimension))
    return drivers, math.fsum(points) - math.fsum([driver.points for driver in drivers])


def others(rest: float, learned: float) -> list[Driver]:
    """What moved health and is no measure's: a newer model, or a scorecard that weighs otherwise.

    Args:
        rest: points that no part moved.
        learned: points of them that a newer model moved.
    """
    named = (("model", SPECIAL["model"], learned), ("scorecard", "the scorecard weighs otherwise", rest - learned))
    return [Driver(name, text, round(points, 2)) for name, text, points in named if abs(points) >= LEAST_SAID]
