"""Which texts a rating is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import hub
from scoring.sentiment.lessons import Lesson, lesson

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def event(kind, hours=0.0, **fields):
    at = NOW + timedelta(hours=hours)
    return hub.Event(
        id=f"{kind}:{hours}:{sorted(fields)}", kind=kind, account="acme:customer:1", occurred_at=at, **fields
    )


def csat(value, **fields):
    return event("csat.rated", value=value, **fields)


def nps(value, **fields):
    return event("survey.answered", value=value, properties={"survey": "nps"}, **fields)


def test_a_rating_with_a_comment_is_about_the_comment():
    wrote = event("ticket.replied", -1, entity="t1", text="It is still broken.")
    assert lesson(csat(1.0, entity="t1", text="Well done"), [wrote]) == Lesson("Well done", positive=True, weight=1.0)


def test_a_rating_without_one_is_about_the_newest_reply_in_the_same_ticket():
    wrote = [
        event("ticket.replied", -1, entity="t1", text="Now it works."),
        event("ticket.replied", -5, entity="t1", text="Not yet."),
        event("ticket.replied", -0.5, entity="t2", text="Another ticket."),
        event("ticket.replied", 1, entity="t1", text="Written afterwards."),
        event("ticket.replied", -0.1, entity="t1", properties={"by": "agent"}, text="Written by us."),
    ]
    assert lesson(csat(1.0, entity="t1"), wrote) == Lesson("Now it works.", positive=True, weight=0.5)


def test_what_opened_the_ticket_is_not_what_the_help_was_rated_for():
    assert lesson(csat(1.0, entity="t1"), [event("ticket.opened", -3, entity="t1", text="All is broken.")]) is None


def test_a_survey_without_a_comment_is_about_what_the_same_person_wrote_within_three_days():
    mine = event("email.received", -30, contact="ada", text="I am leaving.")
    other = event("email.received", -2, contact="bob", text="Lovely.")
    assert lesson(nps(0.0, contact="ada"), [mine, other]) == Lesson("I am leaving.", positive=False, weight=0.25)
    assert lesson(nps(0.0, contact="ada"), [event("email.received", -80, contact="ada", text="Old.")]) is None


@pytest.mark.parametrize(
    ("rating", "side"),
    [
        (csat(1.0, text="x"), (True, 1.0)),
        (csat(0.75, text="x"), (True, 1.0)),
        (csat(0.5, text="x"), None),
        (csat(0.25, text="x"), (False, 1.0)),
        (csat(4.0, text="x"), None),
        (csat(None, text="x"), None),
        (csat(float("nan"), text="x"), None),
        (nps(10.0, text="x"), (True, 1.0)),
        (nps(9.0, text="x"), (True, 1.0)),
        (nps(8.0, text="x"), None),
        (nps(6.0, text="x"), (False, 0.5)),
        (nps(2.0, text="x"), (False, 1.0)),
        (nps(11.0, text="x"), None),
        (event("survey.answered", value=1.0, properties={"survey": "ces"}, text="x"), None),
    ],
    ids=lambda value: "" if value is None or isinstance(value, tuple) else f"{value.kind} {value.value}",
)
def test_who_is_content_and_who_is_not_and_who_in_between_teaches_nothing(rating, side):
    found = lesson(rating, [])
    assert (None if found is None else found[1:]) == side


def test_notes_of_ours_are_nobodys_opinion():
    ours = event("note.logged", -1, contact="ada", text="They hate it.")
    assert lesson(nps(10.0, contact="ada"), [ours]) is None
