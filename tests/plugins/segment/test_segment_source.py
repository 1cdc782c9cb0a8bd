"""What each call to Segment's API becomes."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hub
from hub.testing import listen
from plugins.segment import register_sources
from plugins.segment.settings import SegmentSettings
from plugins.segment.source import Segment

FIXTURES = Path(__file__).parent / "fixtures"
NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)


def segment(**settings):
    return Segment(SegmentSettings(**{"write_key": "k"} | settings))


def hook(body, path="/v1/batch", **headers):
    shown = headers or {"authorization": "Basic " + base64.b64encode(b"k:").decode()}
    return hub.Webhook(path=path, headers=shown, body=body if isinstance(body, bytes) else json.dumps(body).encode())


def said(call, path="/v1/batch", **settings):
    """The one event a call becomes."""
    made = {"type": "track", "messageId": "m1", "userId": "u1"} | call
    (event,) = listen(segment(**settings), hook(made, path), NOW)
    return event


def captured(name, path="/v1/batch"):
    return listen(segment(), hook((FIXTURES / f"{name}.json").read_bytes(), path), NOW)


def test_an_emoji_cut_in_two_costs_neither_its_batch_nor_its_call():
    cut = {"type": "track", "messageId": "cut", "userId": "u1", "event": "hi \ud83d"}
    whole = cut | {"messageId": "whole", "event": "hi \U0001f600 \\ud83d"}
    body = {"writeKey": "k", "batch": [cut, whole]}
    first, second = listen(segment(), hook(body, **{"x-shown": "in the body"}), NOW)
    assert (first.properties["event"], second.properties["event"]) == ("hi \ufffd", "hi \U0001f600 \\ud83d")
    assert said(cut, "/v1/track").properties["event"] == "hi \ufffd"


def test_a_batch_of_the_python_client_is_understood_call_by_call():
    events = captured("batch.python")
    assert [e.kind for e in events] == [
        "contact.identified",
        "account.updated",
        "usage.tracked",
        "usage.tracked",
        "session.started",
        "usage.tracked",
        "usage.tracked",
        "contact.identified",
    ]
    assert {e.account for e in events} == {"segment:group:ACME-1"}
    assert {e.contact for e in events} == {"segment:user:u-17"}
    assert {e.properties["external_id"] for e in events} == {"ACME-1"}
    identified, company, exported, bought, signed_in, page, screen, alias = (e.properties for e in events)
    assert identified == {"external_id": "ACME-1", "email": "ada@northwind.example", "contact_name": "Ada King"}
    assert company == {
        "external_id": "ACME-1",
        "name": "Nordvind Åkeri AB",
        "domain": "northwind.example",
        "plan": "team",
    }
    assert [p.get("event") for p in (exported, bought, signed_in, page, screen)] == [
        "Report exported",
        "Order Completed",
        "Signed In",
        "page",
        "screen",
    ]
    assert (page["page"], screen["screen"], alias["previous_id"]) == ("Pricing", "Home", "a-99")
    assert events[2].value == 3.0
    assert (events[3].amount, events[3].currency) == (Decimal("49.90"), "EUR")


def test_its_times_are_corrected_by_what_the_batch_says_of_its_sending():
    assert {e.occurred_at for e in captured("batch.python")} == {NOW - timedelta(seconds=1)}


def test_the_node_client_s_anonymous_visitor_is_its_own_account():
    (event,) = captured("batch.node")
    assert event.account == event.contact == "segment:anonymous:0b9c7d8e-1111-4222-8333-444455556666"
    assert "external_id" not in event.properties


def test_a_single_call_s_path_says_what_it_is():
    (event,) = captured("track", "/v1/track")
    assert (event.kind, event.contact, event.amount, event.currency) == (
        "usage.tracked",
        "segment:user:1017",
        Decimal("39.95"),
        "USD",
    )
    assert event.occurred_at == NOW - timedelta(seconds=2)
    assert said({"type": "identify"}, "/v1/page").properties["event"] == "page"


def test_what_segment_forwards_it_has_corrected_itself():
    (event,) = captured("destination.track", "/in/segment")
    assert event.occurred_at == NOW - timedelta(seconds=1)


def test_somebody_who_asked_to_be_forgotten_has_left():
    (event,) = captured("destination.delete", "/in/segment")
    assert (event.kind, event.contact) == ("contact.left", "segment:user:u-17")


@given(st.timedeltas(timedelta(days=-400), timedelta(days=400)), st.timedeltas(timedelta(0), timedelta(days=400)))
def test_a_client_s_wrong_clock_does_not_matter(skew, age):
    sent, happened = NOW + skew, NOW + skew - age
    event = said({"timestamp": happened.isoformat(), "sentAt": sent.isoformat()})
    assert event.occurred_at == NOW - age


def test_without_a_time_of_sending_the_client_is_believed_and_without_any_it_is_now():
    old = "2025-09-01T10:00:00+02:00"
    assert said({"timestamp": old}).occurred_at == datetime(2025, 9, 1, 8, tzinfo=UTC)
    assert said({}).occurred_at == NOW
    assert said({"timestamp": "2025-09-01T10:00:00"}).occurred_at == datetime(2025, 9, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("wrong", ["yesterday", 5, "0001-01-01T00:00:00+14:00", "2026-13-01T00:00:00Z", [1]])
def test_a_time_that_is_none_is_rejected_with_the_reason(wrong):
    with pytest.raises(hub.RejectedError, match="not a time"):
        said({"timestamp": wrong})
    with pytest.raises(hub.MalformedError, match="sentAt"):
        segment().decode(hook({"batch": [], "sentAt": wrong}), NOW)


def test_a_group_need_not_be_the_key_of_a_customer_everywhere():
    event = said({"context": {"groupId": "g1"}}, group_is_external_id=False)
    assert event.account == "segment:group:g1"
    assert "external_id" not in event.properties


def test_who_said_nothing_of_who_they_are_is_rejected():
    with pytest.raises(hub.RejectedError, match="neither userId"):
        said({"userId": ""})


def test_a_call_of_a_new_type_is_kept_under_its_own_name():
    assert said({"type": "Audience Entered"}).kind == "segment.audience_entered"
    with pytest.raises(hub.RejectedError, match="type"):
        said({"type": None})


def test_ids_are_the_client_s_or_else_made_of_the_content():
    assert said({}).id == "segment:m1"
    bare = {"messageId": None, "event": "A"}
    assert said(bare).id == said(bare | {"sentAt": NOW.isoformat(), "writeKey": "k"}).id
    assert said(bare).id != said(bare | {"event": "B"}).id


def test_names_of_sessions_are_a_setting():
    assert said({"event": "SIGNED IN"}).kind == "session.started"
    assert said({"event": "Signed In"}, sessions="Came by, App Opened").kind == "usage.tracked"
    assert said({"event": "came by"}, sessions="Came by, App Opened").kind == "session.started"


@pytest.mark.parametrize(
    ("told", "money"),
    [
        ({"revenue": 12.5, "currency": "eur"}, (Decimal("12.5"), "EUR")),
        ({"revenue": "7"}, (Decimal(7), "USD")),
        ({"revenue": "seven"}, (None, None)),
        ({"revenue": 10**30}, (None, None)),
        ({"revenue": "9" * 400}, (None, None)),
        ({"revenue": "NaN"}, (None, None)),
        ({"revenue": 5, "currency": "euros"}, (None, None)),
        ({"revenue": True}, (None, None)),
        ("everything", (None, None)),
    ],
)
def test_revenue_is_money_where_it_can_be_read(told, money):
    event = said({"properties": told})
    assert (event.amount, event.currency) == money


@pytest.mark.parametrize("value", [True, "3", [3], 10**400, None])
def test_a_value_that_is_no_number_is_none(value):
    assert said({"properties": {"value": value}}).value is None


def test_nulls_in_texts_are_dropped():
    event = said({"userId": "u\0one", "event": "A\0B", "context": {"groupId": "\0"}})
    assert (event.contact, event.account, event.properties["event"]) == (
        "segment:user:uone",
        "segment:user:uone",
        "AB",
    )


def test_one_call_that_cannot_be_read_costs_no_other():
    good = b'{"type":"track","event":"A","userId":"u","messageId":"m%d"}'
    bad = [b'{"a":"\xff"}', b"7", b'{"x":"' + b"x" * 33_000 + b'"}', b"[" * 300 + b"]" * 300]
    raws = segment().decode(hook(b'{"batch":[' + b",".join([good % 1, *bad, good % 2]) + b"]}"), NOW)
    reasons, ids = [], []
    for raw in raws:
        try:
            ids += [e.id for e in segment().normalize(raw)]
        except hub.RejectedError as error:
            reasons.append(str(error).partition(":")[0])
    assert ids == ["segment:m1", "segment:m2"]
    assert reasons == ["not JSON", "a call is a JSON object", "a call of 33008 bytes; Segment takes 32768", "not JSON"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not JSON"),
        (b"[" * 9_000 + b"]" * 9_000, "deep"),
        (b'{"batch": {}}', "not a list"),
        (b'{"batch": 1}', "not a list"),
        (json.dumps({"batch": [{}] * 2_501}).encode(), "2501 calls"),
        (b'{"batch": [' + b" " * 512_000 + b"]}", "512013 bytes"),
        (b'{"type":"track","x":"' + b"x" * 33_000 + b'"}', "a call of"),
    ],
    ids=["torn", "deep", "object", "number", "many", "large", "large_call"],
)
def test_what_segment_itself_would_refuse_is_malformed(body, reason):
    with pytest.raises(hub.MalformedError, match=reason):
        segment().decode(hook(body), NOW)


@pytest.mark.parametrize("key", ["old", "new"])
def test_a_write_key_is_taken_in_each_of_its_three_places(key):
    source = segment(write_key="old,new")
    token = base64.b64encode(f"{key}:".encode()).decode()
    source.verify(hook({}, authorization=f"Basic {token}"), NOW)
    source.verify(hook({}, authorization=f"basic {base64.b64encode(key.encode()).decode()}"), NOW)
    source.verify(hook({}, authorization=f"Bearer {key}"), NOW)
    source.verify(hook({"writeKey": key, "batch": []}, x="y"), NOW)
    source.verify(hook({"writeKey": key, "batch": []}, authorization="Bearer something-of-a-proxy"), NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        hook({}, authorization="Bearer other"),
        hook({}, authorization="Bearer"),
        hook({}, authorization="Basic !!!"),
        hook({"writeKey": "other"}, x="y"),
        hook({"writeKey": ["k"]}, x="y"),
        hook(b'{"writeKey":"k","writeKey":"x"}', x="y"),
        hook(b'[{"writeKey":"k"}]', x="y"),
        hook(b"{", x="y"),
    ],
)
def test_whoever_shows_no_active_key_is_refused(wrong):
    with pytest.raises(hub.BadSignatureError):
        segment().verify(wrong, NOW)


def test_a_list_signed_over_its_first_event_alone_needs_a_write_key():
    first = json.dumps({"type": "track", "userId": "u"}).encode()
    signature = hmac.new(b"shared", first, hashlib.sha1).hexdigest()
    source = segment(signing_secret="shared")
    source.verify(hook(first, "/in/segment", **{"x-signature": signature}), NOW)
    both = b"[" + first + b"," + first + b"]"
    with pytest.raises(hub.BadSignatureError):
        source.verify(hook(both, "/in/segment", **{"x-signature": signature}), NOW)
    source.verify(hook(both, "/in/segment", **{"x-signature": signature, "authorization": "Bearer k"}), NOW)
    assert len(source.decode(hook(both, "/in/segment"), NOW)) == 2


def test_without_settings_nothing_is_registered_and_half_of_them_are_an_error():
    assert list(register_sources({})) == []
    (source,) = register_sources({"PULSEHUB_SEGMENT_WRITE_KEY": "a, b"})
    assert isinstance(source, hub.Source)
    assert "/v1/batch" in source.paths
    with pytest.raises(hub.ConfigError, match="PULSEHUB_SEGMENT_WRITE_KEY"):
        list(register_sources({"PULSEHUB_SEGMENT_SIGNING_SECRET": "x"}))
