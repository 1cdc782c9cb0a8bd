from __future__ import annotations

import itertools

import pytest

from scoring.clock import DAY
from scoring.entities import Entity, after, decode, encode, kind_of
from tests.scoring.room import START, event


def state(*events):
    found = None
    for one in events:
        found = after(found, one, kind_of(one))
    return found


def ticket(kind, day, **properties):
    return event(f"ticket.{kind}", START + day * DAY, entity="acme:ticket:1", properties=properties)


STORY = [
    ticket("opened", 0, priority="low"),
    ticket("escalated", 1, priority="urgent"),
    ticket("solved", 2, priority="urgent"),
    ticket("reopened", 3, priority="normal"),
]


def test_every_order_of_a_story_ends_in_the_same_state():
    expected = state(*STORY)
    assert expected.open_since == START + 3 * DAY
    assert expected.priority[2] == "normal"
    for order in itertools.permutations(STORY):
        assert state(*order) == expected
        assert state(*order, *order) == expected


def test_at_one_moment_the_id_decides_whoever_comes_first():
    a = event("ticket.solved", id="a", entity="acme:ticket:1")
    b = event("ticket.reopened", id="b", entity="acme:ticket:1")
    assert state(a, b) == state(b, a)
    assert state(a, b).open_since == START


def test_an_escalation_that_names_no_priority_is_urgent():
    assert state(ticket("opened", 0, priority="low"), ticket("escalated", 1)).priority[2] == "urgent"


@pytest.mark.parametrize(
    ("kind", "entity", "found"),
    [
        ("ticket.opened", "zendesk:ticket:42", "ticket"),
        ("ticket.opened", "plain", "ticket"),
        ("zendesk.ticket_priority_changed", "zendesk:ticket:42", None),
        ("usage.tracked", "segment:feature:1", None),
        ("invoice.paid", "stripe:invoice:in_1", "invoice"),
        ("invoice.paid", None, None),
        ("refund.issued", "stripe:invoice:in_1", None),
    ],
)
def test_only_events_that_say_something_of_a_thing_touch_it(kind, entity, found):
    assert kind_of(event(kind, entity=entity)) == found


def test_any_event_about_a_ticket_may_tell_its_priority():
    lowered = event(
        "zendesk.ticket_priority_changed", START + DAY, entity="zendesk:ticket:1", properties={"priority": "LOW"}
    )
    assert state(ticket("opened", 0, priority="urgent"), lowered).priority[2] == "low"


def test_a_subscription_known_by_a_change_alone_is_open():
    changed = event("subscription.changed", entity="stripe:subscription:1", amount=70, currency="EUR")
    assert state(changed).open_since == START
    assert state(changed).currency == "EUR"


def test_a_paid_invoice_is_not_overdue_however_late_the_reminder_comes():
    overdue = event("invoice.overdue", START, entity="stripe:invoice:1", amount=9, currency="EUR")
    paid = event("invoice.paid", START + DAY, entity="stripe:invoice:1", amount=9, currency="EUR")
    assert state(overdue).open_since == START
    assert state(paid, overdue).open_since is state(overdue, paid).open_since is None


def test_a_state_survives_the_database():
    for entity in (state(*STORY), Entity("invoice")):
        assert decode(encode(entity)) == entity
