"""The vendors' own client libraries against the real door."""

import json
import time

import httpx
import pytest
import stripe
from segment.analytics.client import Client

from tests.e2e.kit import until

SECRET = "whsec_sandbox"


def segment(hub, key, **options):
    """Segment's client for Python, and what it complains of."""
    complaints = []
    client = Client(
        key, host=hub.url, on_error=lambda error, _: complaints.append((error.status, error.code)), **options
    )
    return client, complaints


def account(hub, reference):
    reply = hub.api.get(f"/api/accounts/{reference}")
    return reply.json() if reply.status_code == 200 else None


@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gzip"])
def test_what_segment_s_client_sends_is_a_customer_s_use(hub, gzipped):
    group, user = f"blue-fjord-{gzipped}", f"u-{gzipped}"
    client, complaints = segment(hub, "sandbox-write-key", gzip=gzipped)
    client.group(user, group, {"name": f"Blue Fjord {gzipped}", "website": f"https://{group}.example"})
    client.identify(user, {"email": f"ada@{group}.example", "name": "Ada King"}, context={"groupId": group})
    for number in range(250):  # more than one of its batches
        client.track(user, "Report exported", {"number": number}, context={"groupId": group})
    client.shutdown()
    assert complaints == []

    def all_of_it():
        found = account(hub, f"segment:group:{group}")
        used = [m["value"] for m in found["measures"] if m["name"] == "usage_7d"] if found else []
        return found if used and used[0] > 249 else None

    found = until(all_of_it)
    assert found["name"] == f"Blue Fjord {gzipped}"
    assert account(hub, f"segment:user:{user}")["id"] == found["id"]


@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gzip"])
def test_segment_s_client_with_a_wrong_key_is_told_once_and_gives_up(hub, gzipped):
    client, complaints = segment(hub, "somebody-else", gzip=gzipped, max_retries=3)
    client.track("u9", "Report exported", context={"groupId": "not-taken"})
    client.shutdown()
    assert complaints == [(400, "bad_signature")]
    assert account(hub, "segment:group:not-taken") is None


def invoice(number):
    """What Stripe says of a payment that failed."""
    customer = {"id": f"in_{number}", "object": "invoice", "customer": "cus_official", "amount_due": 4_200}
    customer |= {"currency": "usd", "attempt_count": 1, "customer_email": "pay@official.example"}
    return json.dumps(
        {
            "id": f"evt_official_{number}",
            "object": "event",
            "type": "invoice.payment_failed",
            "api_version": "2025-08-27.basil",
            "created": int(time.time()) - 60,
            "data": {"object": customer | {"status": "open", "created": int(time.time()) - 60}},
        }
    )


def signature(payload, secret, at=None):
    """The header as the library signs it."""
    return stripe.WebhookSignature.generate_signature_header(payload, secret, int(at or time.time()))


def ping(hub, payload, header):
    return httpx.post(f"{hub.url}/in/stripe", content=payload.encode(), headers={"stripe-signature": header})


def test_what_stripe_s_library_signs_is_taken_once(hub):
    payload = invoice(1)
    assert ping(hub, payload, signature(payload, SECRET)).json()["accepted"] == 1
    found = until(lambda: account(hub, "stripe:customer:cus_official"))
    assert any(one["name"] == "failed_payments" and one["points"] < 0 for one in found["drivers"])
    assert ping(hub, payload, signature(payload, SECRET)).json() == {
        "accepted": 0,
        "duplicates": 1,
        "dead_lettered": 0,
    }


@pytest.mark.parametrize("wrong", ["another secret", "another body", "an old stamp", "no signature"])
def test_what_stripe_s_library_would_refuse_is_refused(hub, wrong):
    payload = invoice(2)
    header = {
        "another secret": signature(payload, "whsec_other"),
        "another body": signature(payload + " ", SECRET),
        "an old stamp": signature(payload, SECRET, time.time() - 600),
        "no signature": "",
    }[wrong]
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(payload, header, SECRET)
    reply = ping(hub, payload, header)
    assert (reply.status_code, reply.json()["code"]) == (401, "bad_signature")
