"""sinks/README.md shows receivers what the webhook sink sends."""

import json
import re

import httpx
import msgspec
from pydantic import SecretStr

import hub
from hub.sdk.actions import Action
from sinks.alerts_queue import parts
from sinks.webhook import Webhook, WebhookSettings
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "sinks" / "README.md"
HEALTH = hub.Health(
    account="acc_1",
    at=1_772_359_200.0,
    health=41.2,
    band="watch",
    risk=0.1834,
    base=70.0,
    drivers=[hub.Driver("urgent_tickets", "3 urgent tickets open", -14.0, "support")],
)


def sent(shape, target, fields, health=None):
    """What one POST holds."""
    settings = WebhookSettings(url="http://receiver.test/", signing_secret=(SecretStr("k"),))
    sink = Webhook(settings, httpx.AsyncClient(), shape, clock=lambda: HEALTH.at)
    delivery = hub.Delivery(key="k", account="acc_1", target=target, fields=fields(sink), health=health)
    return msgspec.to_builtins(sink._body(delivery, HEALTH.at))


def test_the_body_of_a_health_is_as_shown():
    told = json.loads(next(block.text for block in blocks(PAGE) if block.language == "json"))
    real = sent("fields", "key:ACME-1", lambda sink: sink.fields(HEALTH))
    assert (real.keys(), real["data"].keys()) == (told.keys(), told["data"].keys())
    assert (real["type"], real["data"]["drivers"]) == (told["type"], told["data"]["drivers"].split(";")[0])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["timestamp"])


def test_the_parts_of_an_alert_are_those_named():
    facts = dict.fromkeys(("since", "addressed", "owner", "mrr", "currency", "renewal_on", "domain"))
    action = Action(
        key="k", account="acc_1", kind="band_fell", at=HEALTH.at, health=HEALTH, to=[], name="A", facts=facts
    )
    real = sent("alerts", "webhook", lambda _sink: parts(action), HEALTH)
    told = " ".join(PAGE.read_text().split())
    assert f"`{real['type']}`" in told
    named = set(re.findall(r"`(\w+)`", re.search(r"its `data` holds (.*?)as published", told)[1]))
    assert real["data"].keys() - {"reference"} == named
