"""A reading goes with its event from then on, as properties: what was read once is never read otherwise later."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from hub import Event, Scalar
from scoring.sentiment.lessons import theirs
from scoring.sentiment.reading import Learned, read

INTENT: Final = "intent"
POLARITY: Final = "polarity"
SURE: Final = "polarity_confidence"
LANGUAGE: Final = "language"


def noted(event: Event, learned: Learned | None = None) -> Event:
    """The event with what its text says; the same where no customer wrote it or nothing is said.

    A vendor's own `language` stands; `intent`, `polarity` and `polarity_confidence` are ours.
    """
    if not theirs(event) or (reading := read(event.text or "", learned)) is None:
        return event
    ours: dict[str, Scalar] = {INTENT: reading.intent, POLARITY: reading.polarity, SURE: reading.confidence}
    facts: dict[str, Scalar] = {LANGUAGE: reading.language, **event.properties, **ours}
    return msgspec.structs.replace(event, properties=facts)


def noted_once(event: Event) -> Event:
    """The event as it was noted, if it was: an archived reading stands; else read by its words alone."""
    return noted(event) if math.isnan(polarity(event)) else event


def polarity(event: Event) -> float:
    """What was noted of an event's text, -1 to 1; NaN where nothing was."""
    told = event.properties.get(POLARITY) if event.text else None
    if isinstance(told, bool) or not isinstance(told, int | float) or not -1.0 <= told <= 1.0:
        return math.nan
    return float(told)
