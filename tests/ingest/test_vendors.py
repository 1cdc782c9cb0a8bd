"""The four real sources behind the door: what their vendors send is taken, and nothing anybody sends is a 5xx."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hub
from hub.registry import Registry
from hub.sdk.testing.hostile import NOTORIOUS, hostile_bodies
from hub.sdk.testing.sandbox import EXAMPLES

FIXTURES = Path(__file__).parents[1] / "plugins"
SECRET = b"sesame"
SETTINGS = {
    "PULSEHUB_STRIPE_SIGNING_SECRET": "sesame",
    "PULSEHUB_ZENDESK_SIGNING_SECRET": "sesame",
    "PULSEHUB_SEGMENT_WRITE_KEY": "sesame",
    "PULSEHUB_SALESFORCE_SIGNING_SECRET": "sesame",
    "PULSEHUB_SALESFORCE_ADDRESS_KEY": "sesame",
    "PULSEHUB_SALESFORCE_ORGANIZATION_ID": "00D5g000004AbCdEAK",
}
BEYOND = (
    b'{"id":' + b"9" * 500_000 + b"}",
    b'[{"a":"' + b"\\ud800" * 50_000 + b'"}]',
    b"<" * 100_000,
    b"<a>" * 100_000,
    b"\x00" * 100_000,
    b'{"type":"track","type":"track","userId":"\\u0000","messageId":"\\u0000"}',
)
VENDORS = ("stripe", "zendesk", "segment", "salesforce")


def stripe(body):
    stamp = str(int(time.time())).encode()
    signed = hmac.new(SECRET, stamp + b"." + body, hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={stamp.decode()},v1={signed}"}


def zendesk(body):
    stamp = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    signed = base64.b64encode(hmac.digest(SECRET, stamp.encode() + body, hashlib.sha256))
    return {"x-zendesk-webhook-signature": signed.decode(), "x-zendesk-webhook-signature-timestamp": stamp}


def segment(_body):
    return {"authorization": "Basic " + base64.b64encode(SECRET + b":").decode()}


def salesforce(body):
    stamp = str(int(time.time()))
    signed = hmac.digest(SECRET, stamp.encode() + b"." + body, hashlib.sha256).hex()
    return {"x-pulsehub-timestamp": stamp, "x-pulsehub-signature": signed}


SIGN = {"stripe": stripe, "zendesk": zendesk, "segment": segment, "salesforce": salesforce}


def configured(values):
    async def read():
        async with httpx.AsyncClient() as http:
            return Registry().configure(values, http)

    return {source.name: source for source in asyncio.run(read()).sources}


def samples(vendor):
    return [path.read_bytes() for path in sorted((FIXTURES / vendor / "fixtures").rglob("*")) if path.is_file()]


@pytest.fixture(scope="module")
def send(open_shared):
    """Sign a body as a vendor does and send it through a door that all four share."""
    front = open_shared(*configured(SETTINGS).values())

    def post(vendor, body, path=None, **headers):
        written = {**SIGN[vendor](body), **{name.replace("_", "-"): value for name, value in headers.items()}}
        signed = {name: value.encode("latin-1") for name, value in written.items()}
        content = gzip.compress(body) if headers.get("content_encoding") == "gzip" else body
        query = "?key=sesame" if vendor == "salesforce" else ""
        return front.http.post((path or f"/in/{vendor}") + query, content=content, headers=signed)

    return post


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_captured_body_is_taken_whole_once(send, vendor):
    for body in samples(vendor):
        first = send(vendor, body)
        again = send(vendor, body, content_encoding="gzip")

        assert (first.status_code, again.status_code) == (200, 200), body[:200]
        if not first.headers["content-type"].startswith("application/json"):
            continue
        assert first.json()["dead_lettered"] == 0, body[:200]
        assert again.json()["accepted"] == 0
        assert again.json()["duplicates"] == first.json()["accepted"] + first.json()["duplicates"]


def test_an_outbound_message_is_answered_in_soap(send):
    (body, *_) = [body for body in samples("salesforce") if body.startswith(b"<?xml")]
    answer = send("salesforce", body)

    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    assert b"<Ack>true</Ack>" in answer.content


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_body_that_was_touched_or_not_signed_is_refused(send, vendor):
    (body, *_) = [body for body in samples(vendor) if not body.startswith(b"<?xml")]
    for name in SIGN[vendor](body):
        for value in ("", "nonsense", "é", "t=1,v1=" + "0" * 64, "9" * 5000, "Basic \xff"):
            answer = send(vendor, body, **{name.replace("-", "_"): value})
            if vendor != "segment" or b"sesame" not in body:
                assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")


@pytest.mark.parametrize("vendor", VENDORS)
def test_notorious_bodies_are_taken_or_refused_and_never_a_5xx(send, vendor):
    for body in (*NOTORIOUS, *BEYOND):
        answer = send(vendor, body)
        assert answer.status_code in {200, 400, 401, 413}, body[:60]
        if answer.status_code != 200:
            assert set(answer.json()) == {"code", "message"}


@pytest.mark.parametrize("vendor", VENDORS)
def test_hostile_bodies_are_taken_or_refused_and_never_a_5xx(send, vendor):
    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(hostile_bodies(samples(vendor)), st.booleans())
    def check(body, packed):
        answer = send(vendor, body, content_encoding="gzip" if packed else "identity")
        assert answer.status_code in {200, 400, 401}, body[:200]

    check()


@pytest.mark.parametrize("path", ["batch", "track", "identify", "group", "page", "screen", "alias"])
def test_segments_own_paths_refuse_with_400_whatever_it_is(send, path):
    for body in (b"", b"[", b'{"writeKey":"other"}', *NOTORIOUS[:12]):
        answer = send("segment", body, path=f"/v1/{path}", authorization="Basic b3RoZXI6")
        assert answer.status_code == 400, body
        assert answer.json()["code"] in {"bad_signature", "malformed"}
    assert send("segment", b'{"userId":"u","messageId":"m","event":"e"}', path=f"/v1/{path}").status_code == 200


def test_what_the_sandboxes_send_is_taken(open_front):
    sandboxes = Registry().sandboxes()
    values = {name: value for one in sandboxes for name, value in one.settings("http://127.0.0.1:1").items()}
    front = open_front(*configured(values).values())
    for sandbox in sandboxes:
        for event in EXAMPLES.values():
            for ping in sandbox.happen(event):
                answer = front.http.post(ping.path, content=ping.body, headers=dict(ping.headers))
                assert answer.status_code == 200, answer.text
                assert answer.json()["dead_lettered"] == 0, (event.kind, front.letters())
    assert {event.connection for event in front.events()} == {sandbox.vendor for sandbox in sandboxes}
    assert all(event.kind in hub.KINDS for event in front.events())
