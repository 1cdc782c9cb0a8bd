"""Which texts a rating is about.

A rating that comes with a comment is about the comment. One that comes without is about what the same customer wrote
last in the same ticket or, failing that, what the same person wrote last within three days; the less sure, the less
it counts. What opens a ticket is never taught: it was written before the help that is rated, and whoever had trouble
and was helped well would teach that trouble is good.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from hub import Event

RATINGS: Final = ("csat.rated", "survey.answered")
THEIRS: Final = frozenset(
    {
        "ticket.opened",
        "ticket.replied",
        "ticket.reopened",
        "ticket.escalated",
        "csat.rated",
        "survey.answered",
        "email.received",
        "subscription.cancelled",
        "dispute.opened",
    }
)
"""Kinds whose text a customer wrote; what is said of a meeting or a deal one of us wrote down."""
CONVERSATION: Final = timedelta(days=14)
LATELY: Final = timedelta(days=3)
A_DAY: Final = 5
"""Ratings of one account that are taught a day: one customer's flood is no more than five opinions."""
_OPENING: Final = "ticket.opened"
_COMMENT, _IN_CONVERSATION, _BY_PERSON = 1.0, 0.5, 0.25
_CONTENT, _DISCONTENT = 0.75, 0.25  # of a csat between 0 and 1
_PROMOTER, _DETRACTOR, _MILD = 9.0, 6.0, 5.0  # of an nps between 0 and 10
_TEN: Final = 10.0


class Lesson(NamedTuple):
    """One text and what a rating says of it.

    Attributes:
        text: as it was written.
        positive: whether whoever wrote it was content.
        weight: 0 to 1, how surely.
    """

    text: str
    positive: bool
    weight: float


def lesson(rating: Event, before: Sequence[Event]) -> Lesson | None:
    """What a rating teaches; None where it is in the middle, not of a scale we know, or about no text.

    Args:
        rating: of one of `RATINGS`.
        before: what happened to the account up to then, in any order.
    """
    side = _side(rating)
    if side is None:
        return None
    positive, sure = side
    if (rating.text or "").strip():
        return Lesson(rating.text or "", positive, sure * _COMMENT)
    wrote = [event for event in before if event.id != rating.id and _replies(event)]
    wrote = [event for event in wrote if event.occurred_at <= rating.occurred_at]
    since = rating.occurred_at - CONVERSATION
    same = [event for event in wrote if event.entity and event.entity == rating.entity and event.occurred_at >= since]
    if same:
        return Lesson(_newest(same), positive, sure * _IN_CONVERSATION)
    since = rating.occurred_at - LATELY
    lately = [event for event in wrote if event.occurred_at >= since]
    lately = [event for event in lately if event.contact == rating.contact]
    return Lesson(_newest(lately), positive, sure * _BY_PERSON) if lately else None


def theirs(event: Event) -> bool:
    """Whether an event has a text that a customer wrote."""
    return bool(event.text) and event.kind in THEIRS and event.properties.get("by") not in ("agent", "note")


def _replies(event: Event) -> bool:
    return theirs(event) and event.kind != _OPENING and event.kind not in RATINGS


def _newest(events: Sequence[Event]) -> str:
    return max(events, key=lambda event: (event.occurred_at, event.id)).text or ""


def _side(rating: Event) -> tuple[bool, float] | None:
    """Content or not, and how surely."""
    value = rating.value
    if value is None or not 0.0 <= value <= _TEN:
        return None
    survey = "csat" if rating.kind == "csat.rated" else rating.properties.get("survey")
    if survey == "csat" and value <= 1.0:
        if value >= _CONTENT:
            return True, 1.0
        return (False, 1.0) if value <= _DISCONTENT else None
    if survey == "nps":
        if value >= _PROMOTER:
            return True, 1.0
        if value <= _DETRACTOR:
            return False, (1.0 if value < _MILD else 0.5)
    return None
