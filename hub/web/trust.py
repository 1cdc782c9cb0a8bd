"""How far a health value may be trusted, in a word and the facts behind it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hub.web import words
from hub.web.context import Measure

ENOUGH_OUTCOMES = 200
MOST_KNOWN, FEW_KNOWN = 0.75, 0.4


class Trust(NamedTuple):
    """`word` is high, medium or low; `because` says what it rests on."""

    word: str
    because: str


def trust(measures: Sequence[Measure], model_version: int, outcomes: int) -> Trust:
    """Judge by what is known of the account and by what the models have learned from.

    A scorecard alone is never more than medium: nothing has yet shown that it is right.
    """
    known = sum(m.value is not None and m.as_of is not None for m in measures)
    share = known / len(measures) if measures else 0.0
    facts = [f"{known} of {words.plural(len(measures), 'measure')} known"] if measures else ["nothing known yet"]
    if not model_version or not outcomes:  # a version may hold nothing but what is usual
        facts.append("scorecard alone: no outcome has taught the models yet")
    else:
        facts.append(f"models learned from {'over ' if outcomes >= 1000 else ''}{words.plural(outcomes, 'outcome')}")  # noqa: PLR2004 - as far as they are counted
    if share < FEW_KNOWN:
        word = "low"
    elif share >= MOST_KNOWN and model_version > 0 and outcomes >= ENOUGH_OUTCOMES:
        word = "high"
    else:
        word = "medium"
    return Trust(word, " · ".join(facts))
