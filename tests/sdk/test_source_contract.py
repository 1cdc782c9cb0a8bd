"""The kit is a judge: it lets a good connector pass and catches each way of being a bad one."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from pydantic import BaseModel, SecretStr

import hub
from hub.testing import SourceContract, check_event


class _Sale(BaseModel):
    number: int
    buyer: str
    at: int


class Acme:
    """As small as a source can be."""

    name = vendor = "acme"
    paths = ()
    keeps_raw = False
    remembers = None

    def __init__(self, secrets):
        self._secrets = [SecretStr(s) for s in secrets.split(",")]

    def verify(self, hook, now):
        stamp = hook.headers.get("x-acme-at", "")
        if not stamp.isascii() or not stamp.isdigit() or abs(int(stamp[:20]) - now.timestamp()) > 300:
            raise hub.BadSignatureError("no stamp, or too old")
        theirs = hook.headers.get("x-acme-signature", "").encode()
        if not any(hmac.compare_digest(_sign(hook.body, s.get_secret_value(), stamp), theirs) for s in self._secrets):
            raise hub.BadSignatureError("not ours")

    def decode(self, hook, now):
        return [hub.Raw(body=hook.body, received_at=now)]

    def normalize(self, raw):
        sale = _Sale.model_validate_json(raw.body)
        if not sale.buyer.isalnum() or len(sale.buyer) > 100 or not 0 <= sale.at < 2**32:
            raise hub.RejectedError("who and when?")
        yield hub.Event(
            id=f"acme:{str(sale.number)[:50]}",
            kind="sale.made",
            account=f"acme:{sale.buyer}",
            occurred_at=datetime.fromtimestamp(sale.at, UTC),
        )


def _sign(body, secret, stamp):
    return hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).hexdigest().encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("acme")
    (path / "sale.json").write_text(json.dumps({"number": 1, "buyer": "northwind", "at": 1772359200}))
    return path


class TestAcme(SourceContract):
    cls = Acme

    @pytest.fixture(autouse=True)
    def captured(self, folder):
        type(self).fixtures = folder

    def source(self, secrets):
        return self.cls(secrets)

    def signed(self, body, secret, at):
        stamp = str(int(at.timestamp()))
        headers = {"x-acme-at": stamp, "x-acme-signature": _sign(body, secret, stamp).decode()}
        return hub.Webhook(path="/in/acme", headers=headers, body=body)


class Gullible(Acme):
    def verify(self, hook, now):
        pass


class Timeless(Acme):
    def verify(self, hook, now):
        super().verify(hook, datetime.fromtimestamp(int(hook.headers["x-acme-at"]), UTC))


class Half(Acme):
    def __init__(self, secrets):
        super().__init__(secrets.split(",")[0])


class Brittle(Acme):
    def decode(self, hook, now):
        return [hub.Raw(body=json.dumps(json.loads(hook.body)["buyer"]).encode(), received_at=now)]


class Forgetful(Acme):
    def normalize(self, raw):
        for event in super().normalize(raw):
            yield msgspec.structs.replace(event, id=f"{event.id}:{raw.received_at}")


class Nameless(Acme):
    def normalize(self, raw):
        for event in super().normalize(raw):
            yield msgspec.structs.replace(event, id="1")


@pytest.mark.parametrize(
    ("cls", "promise"),
    [
        (Gullible, "test_refuses_another_secret"),
        (Gullible, "test_refuses_a_body_that_was_touched"),
        (Gullible, "test_refuses_a_webhook_whose_headers_are_missing_or_nonsense"),
        (Timeless, "test_refuses_stamps_from_beyond_the_tolerance_in_past_and_future"),
        (Half, "test_accepts_every_active_secret"),
        (Brittle, "test_hostile_bodies_are_rejected_or_harmless"),
        (Timeless, "test_hostile_headers_are_rejected_or_harmless"),
        (Forgetful, "test_a_body_sent_again_later_has_the_same_ids"),
        (Nameless, "test_takes_every_captured_body"),
    ],
)
def test_a_source_that_breaks_a_promise_is_caught(cls, promise, folder):
    judge = TestAcme()
    judge.cls, TestAcme.fixtures = cls, folder
    with pytest.raises((AssertionError, pytest.fail.Exception, LookupError, ValueError, TypeError, hub.HubError)):
        getattr(judge, promise)()


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "1"},
        {"id": "acme:"},
        {"id": "acme:" + "x" * 251},
        {"account": "other:1"},
        {"kind": "sale"},
        {"kind": "Sale.Made"},
        {"occurred_at": datetime(2026, 3, 1)},  # noqa: DTZ001 - that is what is wrong with it
        {"amount": 1},
        {"amount": 1, "currency": "eur"},
        {"currency": "EUR"},
        {"value": float("nan")},
        {"text": "a\0b"},
        {"text": "\ud800"},
        {"properties": {"a": []}},
        {"properties": {"a": float("inf")}},
    ],
)
def test_an_event_the_hub_could_not_keep_is_caught(wrong):
    event = hub.Event(id="acme:1", kind="sale.made", account="acme:a", occurred_at=datetime(2026, 3, 1, tzinfo=UTC))
    check_event(event, "acme")
    with pytest.raises((AssertionError, UnicodeEncodeError)):
        check_event(msgspec.structs.replace(event, **wrong), "acme")


def test_every_file_of_the_fixtures_folder_is_a_captured_body(folder):
    TestAcme.fixtures = folder
    assert TestAcme().bodies() == [Path(folder / "sale.json").read_bytes()]
