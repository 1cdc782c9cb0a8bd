"""What a bench found."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Result(NamedTuple):
    """One figure.

    Attributes:
        name: the bench, or the bench and what of it: `path`, `path.events`.
        value: rounded to four digits.
        unit: `events/s`, `ms`, `MB`.
        goal: `>= 0.9`, or empty where the figure is only told.
        holds: whether the goal was met; True where there is none.
    """

    name: str
    value: float
    unit: str
    goal: str
    holds: bool


def told(name: str, value: float, unit: str) -> Result:
    """A figure without a goal."""
    return Result(name, digits(value), unit, "", holds=True)


def at_least(name: str, value: float, unit: str, goal: float) -> Result:
    """A figure that should be no smaller."""
    return Result(name, digits(value), unit, f">= {goal:g}", holds=value >= goal)


def at_most(name: str, value: float, unit: str, goal: float) -> Result:
    """A figure that should be no larger."""
    return Result(name, digits(value), unit, f"<= {goal:g}", holds=value <= goal)


def below(name: str, value: float, unit: str, goal: float) -> Result:
    """A figure that should be smaller."""
    return Result(name, digits(value), unit, f"< {goal:g}", holds=value < goal)


def digits(value: float) -> float:
    """A measurement to four digits: the rest is noise.

    >>> digits(12345.678), digits(0.98765)
    (12350.0, 0.9877)
    """
    return value if value == 0 or not math.isfinite(value) else round(value, 3 - math.floor(math.log10(abs(value))))


def quantile(values: Sequence[float], q: float) -> float:
    """The value below which a share `q` of them lies; the median is `quantile(values, 0.5)`."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)
