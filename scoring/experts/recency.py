"""The recency rule: the longer it has been since a customer's last sign of life, the likelier they are gone.

The oldest and hardest to beat of all churn models, and one that needs no history: one measure, one slope.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from scoring.config import Measure
from scoring.outcome import Outcome

_DAY: Final = 86_400.0


def sign_of_life(measures: Sequence[Measure], outcome: Outcome) -> str | None:
    """The measure whose silence tells most, None if silence is not measured.

    Where losing a customer means silence, the recency that reads most of the outcome's own kinds; else the one that
    reads most kinds of all.
    """
    wanted = outcome.alive
    found = [m for m in measures if m.family == "recency" and m.direction == "down"]
    best = max(found, key=lambda m: (len(wanted & m.kinds.keys()), len(m.kinds)), default=None)
    return best.name if best else None


def center(outcome: Outcome) -> float:
    """The feature (log of days) of a silence that says nothing: a quarter of the horizon."""
    return math.log1p(outcome.horizon / _DAY / 4.0)
