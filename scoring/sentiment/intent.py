"""What a customer wants, one of eight: what they would have us do first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from scoring.sentiment.polarity import Heard

INTENTS: Final = ("cancel", "refund", "price", "outage", "complaint", "praise", "question", "other")
NEUTRAL: Final = 0.25
"""A polarity nearer to 0 is neither good nor bad."""
_PRESSING: Final[Mapping[str, float]] = {
    "cancel": 1.8,  # whoever leaves over a price leaves
    "refund": 1.6,
    "price": 1.2,
    "outage": 1.0,
    "complaint": 0.9,
}
_TOLD: Final = 0.6


def intent_of(heard: Heard, polarity: float) -> str:
    """The most pressing of what was spoken of; else what the tone and the question marks say."""
    pressing, most = "", 0.0
    for name, weight in heard.intents.items():
        if (presses := weight * _PRESSING[name]) > most:
            pressing, most = name, presses
    if polarity > NEUTRAL and pressing not in ("cancel", "refund"):
        return "praise"
    if pressing and most >= _TOLD and not (heard.asks and pressing in ("outage", "complaint") and polarity > -NEUTRAL):
        return pressing
    if heard.asks and polarity >= -NEUTRAL:
        return "question"
    if polarity < -NEUTRAL:
        return "complaint"
    return "question" if heard.asks else "other"
