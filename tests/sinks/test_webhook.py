from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, ClassVar

import httpx
import pytest

import hub
from hub.testing import SinkContract
from sinks.alerts_queue import parts
from sinks.plugin import register_sinks
from sinks.webhook import Webhook, WebhookSettings, sign
from tests.sinks.kit import NOW, action

OLD = b"old secret"
NEW = "whsec_" + base64.b64encode(b"a new one").decode()
GIVEN = {"PULSEHUB_WEBHOOK_URL": "http://hook.test/in", "PULSEHUB_WEBHOOK_SIGNING_SECRET": f"{OLD.decode()},{NEW}"}


def _settings(**more: str) -> WebhookSettings:
    read = WebhookSettings.read(GIVEN | more)
    assert read
    return read


class TestWebhookOfFields(SinkContract):
    references: ClassVar[Sequence[str]] = ["key:ACME-1", "zendesk:organization:42"]
    believes_status = True

    def sink(self, http: httpx.AsyncClient) -> hub.Sink:
        return Webhook(_settings(), http, "fields", clock=lambda: NOW)

    def answer(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(204)


class TestWebhookOfAlerts(TestWebhookOfFields):
    references: ClassVar[Sequence[str]] = ["dana@example.com"]

    def sink(self, http: httpx.AsyncClient) -> hub.Sink:
        return Webhook(_settings(), http, clock=lambda: NOW)


def _push(answer: Callable[[httpx.Request], httpx.Response], many: int = 1) -> tuple[Any, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer(request)

    async def push() -> Sequence[hub.Outcome]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(handle), follow_redirects=True) as http:
            sink = Webhook(_settings(), http, clock=lambda: NOW + 0.7)
            alerts = [action(f"alert:acc_1:at_risk:{n}", name="Nörthwind") for n in range(many)]
            return await sink.push(
                [
                    hub.Delivery(key=a.key, account=a.account, target="", fields=parts(a), health=a.health)
                    for a in alerts
                ],
            )

    return asyncio.run(push()), asked


def test_a_receiver_can_tell_that_it_was_us_with_either_secret() -> None:
    _, (request,) = _push(lambda _: httpx.Response(200))
    identity, stamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    assert (identity, stamp) == ("alert:acc_1:at_risk:0", str(int(NOW)))
    signed = f"{identity}.{stamp}.".encode() + request.content
    for secret in (OLD, b"a new one"):
        mine = "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
        assert mine in request.headers["webhook-signature"].split(" ")


def test_the_signature_is_the_one_standard_webhooks_publishes_as_its_example() -> None:
    # https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    signature = sign([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_body_says_what_happened_to_whom_and_why() -> None:
    _, (request,) = _push(lambda _: httpx.Response(200))
    body = json.loads(request.content)
    assert (body["type"], body["timestamp"]) == ("account.band_fell", "2026-03-01T10:00:00Z")
    assert body["data"]["account"] == "acc_1"
    assert body["data"]["name"] == "Nörthwind"
    assert body["data"]["health"]["drivers"][0][:3] == ["tickets", "3 urgent tickets open", -29.0]


def test_of_several_each_is_posted_with_an_id_of_its_own() -> None:
    outcomes, asked = _push(lambda _: httpx.Response(202), many=3)
    assert outcomes == [hub.Ok()] * 3
    assert len({request.headers["webhook-id"] for request in asked}) == 3


@pytest.mark.parametrize("status", [400, 403, 404, 410, 413, 422])
def test_what_is_refused_for_good_is_not_tried_again(status: int) -> None:
    outcomes, _ = _push(lambda _: httpx.Response(status, text="no\nthank you"))
    assert outcomes == [hub.Reject(f"answered {status}: no thank you")]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    outcomes, asked = _push(lambda _: httpx.Response(status, headers={"location": "http://169.254.169.254/"}))
    assert isinstance(outcomes[0], hub.Reject)
    assert "redirects are refused" in outcomes[0].reason
    assert len(asked) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("header", ["120", format_datetime(datetime.fromtimestamp(NOW + 120.7, UTC))])
def test_it_waits_as_long_as_the_receiver_asks(status: int, header: str) -> None:
    with pytest.raises(hub.RateLimitedError) as caught:
        _push(lambda _: httpx.Response(status, headers={"retry-after": header}))
    assert caught.value.after == pytest.approx(120.0, abs=1.0)


@pytest.mark.parametrize("header", ["soon", "", "-5", "1e9", "٣", "Thu, 99 Foo 2026 00:00:00 GMT"])
def test_a_wish_that_cannot_be_read_is_none(header: str) -> None:
    with pytest.raises(hub.RetryLaterError) as caught:
        _push(lambda _: httpx.Response(503, headers={"retry-after": header.encode()}))
    assert not isinstance(caught.value, hub.RateLimitedError)


def test_when_the_receiver_goes_away_in_the_middle_what_it_took_is_not_sent_again() -> None:
    answers = iter([httpx.Response(200), httpx.Response(400), httpx.Response(429, headers={"retry-after": "9"})])
    outcomes, asked = _push(lambda _: next(answers), many=5)
    assert [type(o) for o in outcomes] == [hub.Ok, hub.Reject, hub.Retry, hub.Retry, hub.Retry]
    assert outcomes[2].after == 9.0
    assert len(asked) == 3


def test_an_endless_answer_is_cut_off() -> None:
    read = 0

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self):
            nonlocal read
            while True:
                read += 1
                yield b"x" * 100

    outcomes, _ = _push(lambda _: httpx.Response(400, stream=Endless()))
    assert len(outcomes[0].reason) < 400
    assert read < 10


def test_fields_are_addressed_by_your_own_key_else_the_domain_else_the_first_reference() -> None:
    sink = Webhook(_settings(), httpx.AsyncClient(), "fields")
    assert sink.name == "webhook-fields"
    assert sink.target(["zendesk:organization:42", "domain:acme.com", "key:ACME-1"]) == "key:ACME-1"
    assert sink.target(["zendesk:organization:42", "domain:acme.com"]) == "domain:acme.com"
    assert sink.target(["zendesk:organization:42", "segment:group:g"]) == "segment:group:g"
    assert sink.target([]) is None


def test_half_a_configuration_names_what_is_missing() -> None:
    assert WebhookSettings.read({}) is None
    with pytest.raises(hub.ConfigError, match="PULSEHUB_WEBHOOK_SIGNING_SECRET"):
        WebhookSettings.read({"PULSEHUB_WEBHOOK_URL": "http://hook.test"})
    with pytest.raises(hub.ConfigError, match="PULSEHUB_WEBHOOK_SIGNING_SECRET"):
        WebhookSettings.read({"PULSEHUB_WEBHOOK_URL": "http://hook.test", "PULSEHUB_WEBHOOK_SIGNING_SECRET": ","})
    with pytest.raises(hub.ConfigError, match="PULSEHUB_WEBHOOK_URL"):
        _settings(PULSEHUB_WEBHOOK_URL="ftp://hook.test")
    with pytest.raises(hub.ConfigError, match="not base64") as caught:
        _settings(PULSEHUB_WEBHOOK_SIGNING_SECRET="whsec_s3cret!!")
    assert "s3cret" not in str(caught.value)


def test_each_sink_is_there_only_where_it_has_settings() -> None:
    http = httpx.AsyncClient()

    def names(**settings: str) -> list[tuple[str, str]]:
        return [(sink.name, sink.shape) for sink in register_sinks(settings, http)]

    assert names() == []
    assert names(PULSEHUB_SMTP_URL="smtp://localhost", PULSEHUB_MAIL_FROM="a@b.example") == [("email", "alerts")]
    assert names(**GIVEN) == [("webhook", "alerts")]
    assert names(**GIVEN, PULSEHUB_WEBHOOK_PUSH_FIELDS="true") == [("webhook", "alerts"), ("webhook-fields", "fields")]
    for sink in register_sinks(GIVEN | {"PULSEHUB_SMTP_URL": "smtp://localhost"}, http):
        assert isinstance(sink, hub.Sink)
