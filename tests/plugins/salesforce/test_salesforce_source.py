from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

import hub
from hub.sdk.contracts import Answering
from hub.testing import SourceContract, listen
from plugins.salesforce.settings import SalesforceSettings
from plugins.salesforce.source import Salesforce, sign

FIXTURES = Path(__file__).parent / "fixtures"
NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
THEN = datetime(2026, 3, 1, 9, 58, tzinfo=UTC)
SECRET = "s3cret"
ORGANIZATION = "00D5g000004AbCd"
ACME = "salesforce:account:0015g00000XyZaBAAV"
ADA = "salesforce:contact:0035g00000AbCdEAAV"


def source(**settings):
    return Salesforce(
        SalesforceSettings.model_validate(
            {
                "signing_secret": SECRET,
                "address_key": SECRET,
                "organization_id": ORGANIZATION,
                "connection": "salesforce",
                **settings,
            },
        ),
    )


def signed(body, secret=SECRET, at=NOW):
    stamp = str(int(at.timestamp()))
    headers = {"x-pulsehub-timestamp": stamp, "x-pulsehub-signature": sign(secret.encode(), stamp, body).decode()}
    return hub.Webhook(path="/in/salesforce", headers=headers, body=body)


def addressed(body, key=SECRET):
    return hub.Webhook(path="/in/salesforce", headers={"content-type": "text/xml"}, body=body, query={"key": key})


def said(fixture, header=None, *, settings=None, **fields):
    change = json.loads((FIXTURES / "changes" / f"{fixture}.json").read_bytes())
    if header or fields:
        change |= fields
        change["ChangeEventHeader"] |= header or {}
    return listen(source(**(settings or {})), signed(json.dumps(change).encode()), NOW)


def told(fixture, **settings):
    return listen(source(**settings), addressed((FIXTURES / "outbound" / f"{fixture}.xml").read_bytes()), NOW)


class TestPushes(SourceContract):
    fixtures = FIXTURES / "changes"

    def source(self, secrets):
        return source(signing_secret=secrets)

    def signed(self, body, secret, at):
        return signed(body, secret, at)


class TestOutboundMessages(SourceContract):
    fixtures = FIXTURES / "outbound"
    covers_body = False
    tolerance = None

    def source(self, secrets):
        return source(address_key=secrets)

    def signed(self, body, secret, at):
        return addressed(body, secret)


def test_the_signature_covers_stamp_and_body_with_a_dot_between():
    # openssl dgst -sha256 -hmac s3cret <<< '1772359200.{}', without the newline
    assert sign(b"s3cret", "1772359200", b"{}") == SIGNATURE


SIGNATURE = b"c48657921011e71a33e91b911954cc8fff0bcc4d88a70f3ef6998719aebd2637"


# --- accounts ---------------------------------------------------------------------------------------------------


def test_a_new_account_brings_all_that_identifies_it():
    (event,) = said("account_created")
    assert event == hub.Event(
        id=f"{ACME}:updated:000046c7-bb60-e3a4-eaa2-c44af3a2a93f-1",
        kind="account.updated",
        account=ACME,
        occurred_at=THEN,
        properties={
            "name": "Acme",
            "domain": "acme.example",
            "external_id": "ACME-1",
            "owner": "Robin Park",
            "owner_email": "robin@pulsehub.example",
            "owner_id": "0055g000005mc66AAA",
            "parent": "salesforce:account:0015g00000ParEnAAJ",
            "plan": "team",
            "renewal_on": "2026-09-01",
            "industry": "Energy",
            "status": "Customer - Direct",
        },
    )


@pytest.mark.parametrize(
    ("fixture", "kind", "properties"),
    [
        ("account_renamed", "account.updated", {"name": "Acme Limited"}),
        (
            "account_owner_changed",
            "owner.changed",
            {
                "owner": "Kim",
                "owner_email": "kim@pulsehub.example",
                "owner_id": "0055g000005mc67AAA",
                "external_id": "ACME-1",
            },
        ),
        ("account_deleted", "account.deleted", {}),
        ("account_gap", "salesforce.account_gap", {}),
        ("account_gap_deleted", "account.deleted", {}),
    ],
)
def test_what_happens_to_an_account(fixture, kind, properties):
    (event,) = said(fixture)
    assert (event.kind, event.account, event.properties, event.occurred_at) == (kind, ACME, properties, THEN)


def test_a_new_owner_and_a_new_name_at_once_are_two_events():
    fields = ["OwnerId", "Name", "LastModifiedDate"]
    kinds = [e.kind for e in said("account_owner_changed", {"changedFields": fields}, Name="Acme Limited")]
    assert kinds == ["owner.changed", "account.updated"]


def test_where_nobody_says_what_changed_everything_that_is_there_has():
    (event,) = said("account_renamed", {"changedFields": ["0x650004E0"]})
    assert event.properties == {"name": "Acme Limited"}


def test_a_change_of_nothing_but_the_key_is_news():
    (event,) = said("account_renamed", {"changedFields": ["Pulsehub_Key__c"]}, Pulsehub_Key__c="ACME-2")
    assert event.properties["external_id"] == "ACME-2"


def test_records_that_were_merged_into_one_change_are_each_told_once():
    events = said("accounts_merged_into_one_event")
    assert [e.account for e in events] == [ACME, "salesforce:account:0015g00000XyZaCAAV"]
    assert {e.properties["industry"] for e in events} == {"Retail"}


def test_two_changes_in_one_transaction_are_two_events():
    first, second = said("several_at_once")
    assert first.id != second.id
    assert (first.properties, second.properties) == ({"plan": "business"}, {"industry": "Retail"})


def test_short_and_long_ids_are_the_same_account():
    (event,) = said("account_renamed", {"recordIds": ["0015g00000XyZaB"]})
    assert event.account == ACME


# --- our own echo -----------------------------------------------------------------------------------------------


def test_a_change_we_caused_ourselves_is_dropped():
    app = {"client_id": "3MVG9.app", "client_secret": "x", "url": "https://acme.my.salesforce.com"}
    ours = {"changeOrigin": "com/salesforce/api/rest/61.0;client=3MVG9.app"}
    assert said("account_renamed", ours, settings=app) == []
    theirs = {"changeOrigin": "com/salesforce/api/rest/61.0;client=3MVG9.app2"}
    assert len(said("account_renamed", theirs, settings=app)) == 1


def test_a_change_of_only_our_fields_is_dropped_whoever_caused_it():
    assert said("account_health_changed_by_another_app") == []


def test_our_fields_beside_others_do_not_hide_them():
    changed = ["Health_Score__c", "Industry"]
    (event,) = said("account_health_changed_by_another_app", {"changedFields": changed}, Industry="Retail")
    assert event.properties == {"external_id": "ACME-1", "industry": "Retail"}


def test_an_outbound_message_our_own_user_caused_is_dropped():
    assert told("account", user_id="0055g000005mc66") == []
    assert len(told("account", user_id="0055g000005mc69")) == 1


# --- what belongs to accounts -----------------------------------------------------------------------------------


def test_a_contact_is_a_person_of_the_account_even_as_the_streaming_api_wraps_it():
    (event,) = said("contact_created_as_streamed")
    assert (event.kind, event.account, event.contact) == ("contact.updated", ACME, ADA)
    assert event.properties == {"email": "ada@acme.example", "contact_name": "Ada King", "title": "CTO"}


def test_a_deleted_contact_has_left_and_stands_for_the_customer_where_no_account_is_named():
    (event,) = said("contact_deleted")
    assert (event.kind, event.account, event.contact) == ("contact.left", ADA, ADA)


@pytest.mark.parametrize(
    ("fixture", "kind", "amount", "currency"),
    [
        ("opportunity_moved", "opportunity.updated", Decimal("5000.5"), "EUR"),
        ("opportunity_won", "opportunity.won", Decimal(12000), "USD"),
        ("opportunity_lost", "opportunity.lost", None, None),
        ("opportunity_touched_after_it_was_won", "salesforce.opportunity_changed", None, None),
    ],
)
def test_what_happens_to_a_deal(fixture, kind, amount, currency):
    (event,) = said(fixture)
    assert (event.kind, event.account, event.amount, event.currency) == (kind, ACME, amount, currency)
    assert event.entity == "salesforce:opportunity:0065g00000OpPoRAAV"
    assert "name" not in event.properties, "a deal's name is not the customer's"


def test_winning_is_a_fact_with_a_time():
    (event,) = said("opportunity_won")
    assert event.id == "salesforce:opportunity:0065g00000OpPoRAAV:won:2026-03-01T09:58:00Z"


def test_a_change_that_does_not_say_whether_the_deal_is_open_does_not_reopen_it():
    fields = {"changedFields": ["Amount", "LastModifiedDate"]}
    (event,) = said("opportunity_moved", fields, StageName=None)
    assert (event.kind, event.amount) == ("salesforce.opportunity_changed", Decimal("5000.5"))
    (event,) = said("opportunity_moved", fields, StageName=None, IsClosed=False)
    assert event.kind == "opportunity.updated"


def test_outbound_messages_about_a_deal_that_is_won_tell_it_once():
    body = (FIXTURES / "outbound" / "several.xml").read_bytes()
    body = body.replace(b"<sf:IsClosed>", b"<sf:CloseDate>2026-02-28</sf:CloseDate><sf:IsClosed>")
    first, second = (
        listen(source(), addressed(text), NOW)[0]
        for text in (body, body.replace(b"04l5g00000ABCdf", b"04l5g00000ABCdz"))
    )
    assert first.id == second.id == "salesforce:opportunity:0065g00000OpPoRAAV:won:2026-02-28"


def test_a_deal_without_its_account_says_what_to_add():
    with pytest.raises(hub.RejectedError, match="add AccountId"):
        said("opportunity_won", AccountId=None)


def test_an_organization_with_one_currency_says_it_in_the_settings():
    (event,) = said("opportunity_won", settings={"currency": "CHF"})
    assert event.currency == "CHF"


@pytest.mark.parametrize("amount", ["a lot", 1e300, "NaN", "1e-400"])
def test_an_amount_that_is_none_is_refused(amount):
    with pytest.raises(hub.RejectedError, match="is no amount"):
        said("opportunity_won", Amount=amount)


def test_a_contract_whose_end_moves_was_renewed():
    (event,) = said("contract_renewed")
    assert (event.kind, event.amount, event.properties["renewal_on"]) == ("contract.renewed", 12000, "2027-03-01")
    assert event.id == "salesforce:contract:8005g00000CoNtRAAV:renewed:2027-03-01"


def test_a_contract_that_begins_says_when_it_ends():
    (event,) = said("contract_activated")
    assert (event.kind, event.properties) == ("account.updated", {"renewal_on": "2026-09-01"})


def test_a_draft_of_a_contract_renews_nothing():
    (event,) = said("contract_renewed", Status="Draft")
    assert event.kind == "salesforce.contract_changed"


def test_a_meeting_is_held_when_it_is_over():
    (held,) = said("meeting_held")
    assert (held.kind, held.account, held.contact, held.value) == ("meeting.held", ACME, ADA, 45.0)
    assert held.occurred_at == datetime(2026, 3, 1, 9, 45, tzinfo=UTC)
    assert held.text == "They want the export fixed."
    (planned,) = said("meeting_planned")
    assert (planned.kind, planned.occurred_at) == ("salesforce.meeting_planned", THEN)


def test_a_meeting_that_was_called_off_is_not_held():
    (event,) = said("meeting_held", {"changeType": "DELETE"})
    assert event.kind == "salesforce.meeting_dropped"


def test_a_completed_call_is_a_meeting_and_another_task_is_only_stored():
    (call,) = said("call_completed")
    assert (call.kind, call.account) == ("meeting.held", ACME)
    (task,) = said("task_created")
    assert (task.kind, task.account) == ("salesforce.task_changed", ADA)


def test_records_we_do_not_know_are_stored_where_they_name_a_customer():
    (event,) = said("case_created")
    assert (event.kind, event.account) == ("salesforce.case_changed", ACME)
    assert said("case_created", AccountId=None) == []


def test_more_changes_than_salesforce_can_name_make_no_account_of_their_placeholder():
    with pytest.raises(hub.RejectedError, match="read every Account again"):
        said("account_gap", {"changeType": "GAP_OVERFLOW", "recordIds": ["000000000000000AAA"]})


def test_a_header_as_apex_writes_it_is_understood():
    change = json.loads((FIXTURES / "changes" / "account_renamed.json").read_bytes())
    header = change["ChangeEventHeader"] | {"changeOrigin": None}
    change["ChangeEventHeader"] = {name.lower(): value for name, value in header.items()}
    assert listen(source(), signed(json.dumps(change).encode()), NOW) == said("account_renamed")


def test_a_deal_that_brings_its_accounts_key_need_not_wait_for_the_account():
    (event,) = said("opportunity_won", Account={"Pulsehub_Key__c": "ACME-1"})
    assert event.properties["external_id"] == "ACME-1"


def test_a_gap_that_cannot_be_filled_in_is_a_dead_letter_that_says_so():
    with pytest.raises(hub.RejectedError, match="could not send what changed"):
        said("opportunity_won", {"changeType": "GAP_UPDATE"}, AccountId=None)


# --- outbound messages ------------------------------------------------------------------------------------------


def test_an_outbound_message_is_answered_in_soap_and_a_push_is_not():
    ours = source()
    assert isinstance(ours, Answering)
    body, kind = ours.answer(addressed((FIXTURES / "outbound" / "account.xml").read_bytes()))
    assert b"<Ack>true</Ack>" in body
    assert kind.startswith("text/xml")
    assert ours.answer(signed(b"{}")) is None


def test_an_account_as_an_outbound_message_shows_it():
    (event,) = told("account")
    assert event == hub.Event(
        id=f"{ACME}:updated:04l5g00000ABCdeAAH",
        kind="account.updated",
        account=ACME,
        occurred_at=THEN,
        properties={"name": "Acme & Söhne", "domain": "acme.example", "external_id": "ACME-1"},
    )


def test_several_notifications_are_told_one_by_one():
    won, person, deleted = told("several")
    assert (won.kind, won.amount, won.occurred_at) == ("opportunity.won", 12000, NOW)
    assert (person.kind, person.properties["contact_name"]) == ("contact.updated", "Ada King")
    assert (deleted.kind, deleted.account) == ("account.deleted", ACME)


def test_an_outbound_message_of_another_organization_is_refused():
    with pytest.raises(hub.BadSignatureError, match="another organization"):
        told("account", organization_id="00D5g000004AbCx")


def test_outbound_messages_are_refused_where_no_key_is_set_and_json_where_no_secret_is():
    with pytest.raises(hub.BadSignatureError):
        told("account", address_key="", organization_id="")
    with pytest.raises(hub.BadSignatureError):
        said("account_renamed", settings={"signing_secret": ""})


def test_the_key_of_the_address_does_not_open_the_door_for_json():
    body = (FIXTURES / "changes" / "account_renamed.json").read_bytes()
    with pytest.raises(hub.BadSignatureError):
        listen(source(), addressed(body), NOW)


@pytest.mark.parametrize(
    "declares",
    [
        b"<!DOCTYPE x>",
        b"<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;'>]>",
        b"<!DOCTYPE x [<!ENTITY f SYSTEM 'file:///etc/passwd'>]>",
        b"<!DOCTYPE x SYSTEM 'http://evil.example/x.dtd'>",
    ],
)
def test_xml_that_declares_anything_is_refused(declares):
    body = (
        (FIXTURES / "outbound" / "account.xml")
        .read_bytes()
        .replace(b"<soapenv:Envelope", declares + b"<soapenv:Envelope", 1)
    )
    with pytest.raises(hub.MalformedError, match="document type"):
        listen(source(), addressed(body), NOW)


@pytest.mark.parametrize(
    "body",
    [b"<", b"<a/>", b"<a>" * 5000, b"<?xml version='1.0' encoding='EBCDIC-??'?><a/>", b"<a>\xff</a>", b"<a>\0</a>"],
)
def test_xml_that_is_no_outbound_message_is_malformed(body):
    with pytest.raises(hub.MalformedError):
        listen(source(), addressed(body), NOW)


# --- what is not understood -------------------------------------------------------------------------------------


def test_one_unreadable_change_spoils_only_itself():
    good = (FIXTURES / "changes" / "account_renamed.json").read_bytes()
    ours, hook = source(), signed(b"[" + good + b", 7, {}]")
    ours.verify(hook, NOW)
    first, *others = ours.decode(hook, NOW)
    assert [e.kind for e in ours.normalize(first)] == ["account.updated"]
    for other in others:
        with pytest.raises(hub.RejectedError):
            ours.normalize(other)


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ({"recordIds": []}, "recordids"),
        ({"recordIds": ["x"]}, "recordids"),
        ({"commitTimestamp": "soon"}, "committimestamp"),
        ({"changeType": "EXPLODE"}, "changetype"),
    ],
)
def test_a_header_that_is_wrong_is_named(header, why):
    with pytest.raises(hub.RejectedError, match=why):
        said("account_renamed", header)
