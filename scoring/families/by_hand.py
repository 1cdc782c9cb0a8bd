"""What a person said the health is: the newest word of the hub's own event `health.overridden`, and until when.

An event carries the health as `value` and, as properties, `until` (ISO 8601), `reason` and `author`; `clear: true`
takes an earlier word back. Only what comes from the hub itself counts: a vendor cannot set a customer's health.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np

from hub import Event
from scoring.arrays import Floats
from scoring.batch import Batch, Codes, Reader
from scoring.families.protocol import Rows
from scoring.rows import Block

KIND: Final = "health.overridden"
OURS: Final = "pulsehub"
_UNTIL: Final = "override.until"
_TAKEN_BACK: Final = 0.0
MOST: Final = 100.0


class ByHand:
    """The maximum by (time, until, health), a total order; no measure of the configuration."""

    columns: Sequence[int] = ()

    def __init__(self, codes: Codes) -> None:
        self._those = codes.having([KIND])
        self.readers = {_UNTIL: Reader(self._those, until)}

    def blocks(self) -> Sequence[Block]:
        """When it was said (-inf: never), until when it holds, and the health."""
        return (Block("by_hand", "f8", ("override.at", _UNTIL, "override.health"), (-math.inf, 0.0, 0.0)),)

    def fold(self, rows: Rows, batch: Batch) -> None:
        """Take each account's newest word where it is newer than the row's."""
        ends = batch.numbers.get(_UNTIL)
        if ends is None:
            return
        for place in np.flatnonzero(~np.isnan(ends)).tolist():  # people are slow: one at a time is fast enough
            health = 0.0 if np.isnan(batch.value[place]) else batch.value[place]
            _newer(rows, batch.index[place], (batch.time[place], ends[place], health))

    def read(self, rows: Rows, now: Floats) -> Floats:  # noqa: ARG002 - it measures nothing
        """Nothing."""
        return np.zeros((len(rows), 0))

    def merge(self, into: Rows, other: Rows) -> None:
        """The newer of the two."""
        for place in np.flatnonzero(np.isfinite(other["by_hand"][:, 0])).tolist():
            _newer(into, place, tuple(other["by_hand"][place].tolist()))

    def health(self, rows: Rows, now: Floats) -> Floats:
        """(n,) the health that holds at `now` (n,); NaN where nobody set one, or its time is over."""
        return np.where(now < rows["by_hand"][:, 1], rows["by_hand"][:, 2], np.nan)


def until(event: Event) -> float:
    """Until when an event's word holds, unix seconds; 0 if it takes one back, NaN if it is none."""
    said = event.properties
    if event.connection != OURS:
        return math.nan
    if said.get("clear") is True:
        return _TAKEN_BACK
    if event.value is None or not 0.0 <= event.value <= MOST:
        return math.nan
    try:
        end = datetime.fromisoformat(str(said.get("until")))
    except ValueError:
        return math.nan
    return (end if end.tzinfo else end.replace(tzinfo=UTC)).timestamp()


def _newer(rows: Rows, place: int, said: tuple[float, ...]) -> None:
    if said > tuple(rows["by_hand"][place].tolist()):
        rows["by_hand"][place] = said
