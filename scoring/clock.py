"""Whose time it is: the wall's, or that of the newest event."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

DAY = 86_400.0
FUTURE = DAY
"""Seconds beyond the wall clock that an event may lie; clocks differ."""
PAST = 31_536_000.0
"""Unix seconds of 1971: what is dated before has no date."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock that scoring reads.

    Attributes:
        mode: `wall`, or `event`: each partition's time is its newest event's (old data, demos, evaluations).
        wall: unix seconds; even by event time it says what lies in the future.
    """

    mode: Literal["wall", "event"] = "wall"
    wall: Callable[[], float] = time.time
