from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

import hub
from hub.testing import SourceContract, listen
from plugins.zendesk.settings import ZendeskSettings
from plugins.zendesk.source import Zendesk, sign

FIXTURES = Path(__file__).parent / "fixtures"
NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
THEN = datetime(2026, 3, 1, 9, 58, tzinfo=UTC)


SECRET = "s3cret"


def signed(body, secret=SECRET, at=NOW):
    stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    signature = sign(secret.encode(), stamp, body).decode()
    headers = {"x-zendesk-webhook-signature-timestamp": stamp, "x-zendesk-webhook-signature": signature}
    return hub.Webhook(path="/in/zendesk", headers=headers, body=body)


def source(**settings):
    return Zendesk(ZendeskSettings(signing_secret=settings.pop("secrets", "s3cret"), **settings))


def said(fixture, **changes):
    ping = json.loads((FIXTURES / f"{fixture}.json").read_bytes())
    return listen(source(), signed(json.dumps(ping | changes).encode()), NOW)


class TestContract(SourceContract):
    fixtures = FIXTURES

    def source(self, secrets):
        return source(secrets=secrets)

    def signed(self, body, secret, at):
        return signed(body, secret, at)


def test_the_signature_covers_the_stamp_and_the_body_with_nothing_between():
    assert (
        sign(b"dGhpc19zZWNyZXQ", "2021-03-25T05:09:27Z", b'{"a":1}') == b"XcqxhlDSsf4oeWEIZCqGVq71yfgWcRsBYu9tLGi1lyw="
    )


def test_an_opened_ticket_weighs_its_priority_and_brings_the_customers_words():
    (event,) = said("ticket_created")
    assert event == hub.Event(
        id="zendesk:ticket:5158:opened:2026-03-01T09:55:29Z",
        kind="ticket.opened",
        account="zendesk:organization:8447346622462",
        entity="zendesk:ticket:5158",
        contact="zendesk:user:8447388090495",
        occurred_at=datetime(2026, 3, 1, 9, 55, 29, tzinfo=UTC),
        value=4.0,
        text="Exports fail since this morning — we cannot bill.",
        properties={"priority": "urgent", "status": "open", "subject": "Exports fail"},
    )


def test_without_an_organization_the_requester_stands_for_the_customer_and_no_priority_is_normal():
    (event,) = said("ticket_without_organization")
    assert (event.account, event.value) == ("zendesk:user:8447388090495", 1.0)


@pytest.mark.parametrize(
    ("fixture", "kind", "value", "status"),
    [
        ("ticket_solved", "ticket.solved", None, "solved"),
        ("ticket_closed_after_solved", "zendesk.ticket_status_changed", None, "closed"),
        ("ticket_reopened", "ticket.reopened", 4.0, "open"),
        ("ticket_escalated", "ticket.escalated", 4.0, "open"),
        ("ticket_eased", "zendesk.ticket_priority_changed", 0.5, "open"),
        ("ticket_merged", "ticket.solved", None, "merged"),
        ("ticket_soft_deleted", "ticket.solved", None, "deleted"),
        ("ticket_rated_good", "csat.rated", 1.0, "solved"),
        ("ticket_rated_two_stars", "csat.rated", 0.25, "solved"),
        ("ticket_tags_changed", "zendesk.ticket_tags_changed", None, "open"),
        ("ticket_agent_assignment_changed", "zendesk.ticket_agent_assignment_changed", None, "open"),
    ],
)
def test_what_happens_to_a_ticket(fixture, kind, value, status):
    (event,) = said(fixture)
    assert (event.kind, event.value, event.properties["status"]) == (kind, value, status)
    assert (event.entity, event.occurred_at) == ("zendesk:ticket:5158", THEN)


def test_a_ticket_that_is_created_solved_does_not_stay_open():
    ticket = json.loads((FIXTURES / "ticket_created.json").read_bytes())["detail"]
    opened, solved = said("ticket_created", detail=ticket | {"status": "SOLVED"})
    assert (opened.kind, solved.kind) == ("ticket.opened", "ticket.solved")
    assert opened.occurred_at <= solved.occurred_at


def test_a_ticket_closed_without_being_solved_first_is_solved():
    (event,) = said("ticket_closed_after_solved", event={"current": "CLOSED", "previous": "PENDING"})
    assert event.kind == "ticket.solved"


def test_solving_a_ticket_twice_is_two_events_and_hearing_it_twice_is_one():
    (first,), (again,) = said("ticket_solved"), said("ticket_solved", id="another-delivery")
    (later,) = said("ticket_solved", time="2026-03-02T10:00:00Z")
    assert first.id == again.id == "zendesk:ticket:5158:solved:2026-03-01T09:58:00Z"
    assert later.id != first.id


def test_merging_a_ticket_and_the_closing_it_causes_are_one_fact():
    (merged,) = said("ticket_merged")
    (closed,) = said("ticket_closed_after_solved", event={"current": "CLOSED", "previous": "OPEN"})
    assert merged.id == closed.id


@pytest.mark.parametrize(
    ("fixture", "by", "text"),
    [
        ("ticket_replied_by_customer", "customer", "Still failing. This is the third time!"),
        ("ticket_replied_by_agent", "agent", None),
        ("ticket_noted", "note", None),
    ],
)
def test_only_the_customers_words_are_read_for_sentiment(fixture, by, text):
    (event,) = said(fixture)
    assert (event.kind, event.properties["by"], event.text) == ("ticket.replied", by, text)


def test_a_priority_that_is_taken_away_is_a_normal_one():
    (event,) = said("ticket_escalated", event={"current": None, "previous": "LOW"})
    assert (event.kind, event.value, event.properties["priority"]) == ("ticket.escalated", 1.0, "normal")


def test_a_ticket_that_moves_leaves_one_customer_and_joins_another():
    left, joined = said("ticket_moved")
    assert (left.kind, left.account) == ("ticket.solved", "zendesk:organization:8447346622462")
    assert (joined.kind, joined.account) == ("ticket.opened", "zendesk:organization:8447346622463")
    assert joined.value == 4.0


def test_a_person_brings_the_address_but_never_the_customers_key():
    (event,) = said("user_created")
    assert event.kind == "contact.updated"
    assert (event.account, event.contact) == ("zendesk:organization:8447346622462", "zendesk:user:8447388090495")
    assert event.properties == {"email": "ada@northwind.example", "contact_external_id": "person-77"}


def test_a_new_name_is_in_the_event_not_in_the_record():
    (event,) = said("user_name_changed")
    assert (event.kind, event.properties["contact_name"]) == ("contact.updated", "Ada King")


@pytest.mark.parametrize(
    ("fixture", "account"),
    [("user_deleted", "zendesk:user:8447388090495"), ("user_deactivated", "zendesk:organization:8447346622462")],
)
def test_a_person_who_is_deleted_has_left(fixture, account):
    (event,) = said(fixture)
    assert (event.kind, event.account) == ("contact.left", account)


@pytest.mark.parametrize("fixture", ["user_of_ours_created", "article_published", "organization_health_changed"])
def test_our_own_people_articles_and_our_own_echo_say_nothing(fixture):
    assert said(fixture) == []


@pytest.mark.parametrize(
    ("fixture", "facts"),
    [
        ("organization_created", {"name": "Acme", "external_id": "ACME-1"}),
        ("organization_name_changed", {"name": "Acme Limited", "external_id": "ACME-1"}),
        ("organization_external_id_changed", {"name": "Acme", "external_id": "ACME-1"}),
        ("organization_plan_changed", {"name": "Acme", "external_id": "ACME-1", "plan": "enterprise"}),
    ],
)
def test_what_an_organization_is_called_is_a_fact_about_the_account(fixture, facts):
    (event,) = said(fixture)
    assert (event.kind, event.account) == ("account.updated", "zendesk:organization:8447346622462")
    assert event.properties == facts


def test_the_domain_comes_from_the_record_where_it_has_one():
    (event,) = said("organization_created", detail={"id": 42, "name": "Acme", "domain_names": ["acme.example"]})
    assert (event.account, event.properties["domain"]) == ("zendesk:organization:42", "acme.example")


def test_a_deleted_organization_is_a_deleted_account():
    (event,) = said("organization_deleted")
    assert event.kind == "account.deleted"


def test_a_second_zendesk_never_collides_with_the_first():
    ping = signed((FIXTURES / "ticket_created.json").read_bytes())
    (event,) = listen(source(connection="zendesk-emea"), ping, NOW)
    assert event.id.startswith("zendesk-emea:ticket:")
    assert event.account == "zendesk-emea:organization:8447346622462"


def test_an_empty_body_is_no_record():
    assert listen(source(), signed(b""), NOW) == []


def test_what_is_no_json_object_is_malformed():
    for body in (b"[1]", b"<xml/>", b"\xff", b'{"a":"\\ud800"}', b"[" * 100_000):
        with pytest.raises(hub.MalformedError):
            listen(source(), signed(body), NOW)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"ticket_id": 7, "note": "from a trigger"}', "type"),
        (b'{"type": "my.own", "time": "2026-03-01T09:58:00Z"}', "no event type of Zendesk's"),
        (b'{"type": "zen:event-type:ticket.created", "time": "soon"}', "time"),
        (b'{"type": "zen:event-type:ticket.created", "time": "2026-03-01T09:58:00Z"}', "id"),
    ],
)
def test_what_cannot_be_understood_says_what_is_wrong(body, why):
    with pytest.raises(hub.RejectedError, match=why):
        listen(source(), signed(body), NOW)


def test_a_ticket_of_nobody_is_refused():
    with pytest.raises(hub.RejectedError, match="neither an organization nor a requester"):
        said("ticket_created", detail={"id": "1", "organization_id": "0", "requester_id": "-1"})
