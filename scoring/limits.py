"""Floors and caps: what no weighing may overrule. `an urgent ticket caps health at 50`.

They come after the mixture, on health, in this order: the highest floor that holds lifts, the lowest cap that holds
takes, then a person's word replaces. So a cap wins against a floor, and a person against both. Each is a part of its
own, so that health stays the base and a sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from scoring.arrays import Floats
from scoring.conditions import Flags, Test, condition
from scoring.config import Limit, Measure
from scoring.drivers import CAP, FLOOR, number, words


class Limits:
    """The limits of a scorecard, laid out for a matrix of measures.

    Args:
        measures: the columns of the matrix, in order.
        limits: their conditions name some of them.
    """

    def __init__(self, measures: Sequence[Measure], limits: Sequence[Limit]) -> None:
        self._measures = measures
        places = {measure.name: place for place, measure in enumerate(measures)}
        self._limits = [
            (limit, [(places[name], condition(written)) for name, written in limit.when.items()]) for limit in limits
        ]

    def apply(self, values: Floats, healths: Floats) -> tuple[Floats, Floats]:
        """Points that a floor adds and a cap takes: (n, M) measures and (n,) healths in, two (n,) out."""
        if not self._limits:
            return np.zeros(len(healths)), np.zeros(len(healths))
        floor, cap = np.full(len(healths), -np.inf), np.full(len(healths), np.inf)
        for limit, tests in self._limits:
            holds = _holds(tests, values)
            if limit.floor is not None:
                floor[holds] = np.maximum(floor[holds], limit.floor)
            if limit.cap is not None:
                cap[holds] = np.minimum(cap[holds], limit.cap)
        lifted = np.maximum(healths, floor)
        return lifted - healths, np.minimum(lifted, cap) - lifted

    def words(self, values: Sequence[float]) -> dict[str, str]:
        """What holds one customer: `cap` and `floor` in words, where one applies.

        Args:
            values: (M,) its measures.
        """
        row = np.array([values])
        held = [limit for limit, tests in self._limits if _holds(tests, row)[0]]
        said = {}
        if caps := [limit for limit in held if limit.cap is not None]:
            limit = min(caps, key=lambda one: one.cap or 0.0)
            said[CAP] = f"at most {number(limit.cap or 0.0)}: {self._why(limit, values)}"
        if floors := [limit for limit in held if limit.floor is not None]:
            limit = max(floors, key=lambda one: one.floor or 0.0)
            said[FLOOR] = f"at least {number(limit.floor or 0.0)}: {self._why(limit, values)}"
        return said

    def _why(self, limit: Limit, values: Sequence[float]) -> str:
        if limit.say:
            return limit.say
        named = {measure.name: place for place, measure in enumerate(self._measures)}
        return ", ".join(
            words(self._measures[named[name]], math.nan if written == "unknown" else values[named[name]])
            for name, written in limit.when.items()
        )


def _holds(tests: Sequence[tuple[int, Test]], values: Floats) -> Flags:
    found: Flags = np.ones(len(values), bool)
    for place, test in tests:
        found &= test(values[:, place])
    return found
