"""What one text says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from scoring.sentiment.intent import intent_of
from scoring.sentiment.language import UNKNOWN, language_of
from scoring.sentiment.lexicon import lexicon
from scoring.sentiment.polarity import MOST, hear
from scoring.sentiment.said import said
from scoring.sentiment.tokens import tokens

_HALF: Final = 1.5  # evidence at which half of the confidence is reached
_NOTHING_SAID: Final = 0.3  # confidence that a text without any word of feeling is neutral
_ASKED: Final = 0.6  # ... and that such a question is


class Reading(NamedTuple):
    """What one text says.

    Attributes:
        language: `en`, `de`, `fr`, `es`, `it`, `nl` or `unknown`.
        language_confidence: 0 to 1.
        intent: one of `scoring.sentiment.intent.INTENTS`.
        polarity: -1 to 1, from what the customer said of us.
        confidence: 0 to 1, that the side `polarity` is on is right.
    """

    language: str
    language_confidence: float
    intent: str
    polarity: float
    confidence: float


class Learned(Protocol):
    """What ratings have taught; `scoring.sentiment.learned.Learned`."""

    def logit(self, words: Sequence[str], heard: float) -> tuple[float, float]:
        """Logit with what was learned added to what the words say, and how much evidence that is."""


def read(text: str, learned: Learned | None = None) -> Reading | None:
    """Read a message; None where a customer said nothing in it.

    >>> read("Nobody answers and the export is still broken.")[2:4]
    ('outage', -0.9951)
    """
    words = tokens(said(text))
    if not words:
        return None
    language, sure, nearest = language_of(words)
    heard = hear(words, lexicon(nearest), nearest)
    logit, evidence = heard.logit, heard.evidence
    if learned is not None:
        logit, more = learned.logit(words, logit)
        logit, evidence = max(-MOST, min(MOST, logit)), evidence + more
    polarity = math.tanh(logit / 2.0)
    if evidence > 0.0:
        agreed = min(1.0, abs(logit) / evidence)
        known = 1.0 if language != UNKNOWN else 0.6
        confidence = known * evidence / (evidence + _HALF) * (0.4 + 0.6 * agreed)
    elif language == UNKNOWN:
        confidence = 0.0
    else:
        confidence = _ASKED if heard.asks else _NOTHING_SAID
    return Reading(
        language, round(sure, 3), intent_of(heard, polarity), round(polarity, 4), round(min(1.0, confidence), 3)
    )
