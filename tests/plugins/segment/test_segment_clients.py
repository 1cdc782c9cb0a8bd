"""Segment's own Python client, over a real socket."""

import gzip
import json
from datetime import UTC, datetime

import pytest
from segment.analytics.client import Client

import hub
from hub.testing import listen
from plugins.segment.settings import SegmentSettings
from plugins.segment.source import Segment


class Door:
    """The least that takes a webhook: an ASGI app around a source."""

    def __init__(self, source):
        self.source = source
        self.events = []

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        status, answer = 200, {"accepted": 0}
        try:
            hook = hub.Webhook(path=scope["path"], headers=headers, body=body)
            self.events += listen(self.source, hook, datetime.now(UTC))
        except hub.RejectedError as error:
            status, answer = 400, {"code": type(error).__name__, "message": str(error)}
        kind = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": kind})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


@pytest.fixture(scope="module")
def door(answering):
    app = Door(Segment(SegmentSettings(write_key="right-key")))
    with answering(app) as url:
        app.url = url
        yield app


@pytest.mark.parametrize("gzipped", [False, True], ids=["plain", "gzip"])
def test_the_python_client_s_calls_arrive(door, gzipped):
    door.events.clear()
    failures = []
    client = Client("right-key", host=door.url, gzip=gzipped, on_error=lambda e, _: failures.append(e), max_retries=1)
    before = datetime.now(UTC)
    client.identify("u1", {"email": "ada@northwind.example", "name": "Ada King"}, context={"groupId": "ACME-1"})
    client.group("u1", "ACME-1", {"name": "Northwind", "website": "northwind.example"})
    client.track("u1", "Report exported", {"value": 2}, context={"groupId": "ACME-1"})
    client.page("u1", "Docs", "Pricing")
    client.screen("u1", "Docs", "Home")
    client.alias("a1", "u1")
    client.shutdown()
    assert failures == []
    assert sorted(e.kind for e in door.events) == [
        "account.updated",
        "contact.identified",
        "contact.identified",
        "usage.tracked",
        "usage.tracked",
        "usage.tracked",
    ]
    assert len({e.id for e in door.events}) == 6
    tracked = next(e for e in door.events if e.properties.get("event") == "Report exported")
    assert (tracked.account, tracked.contact, tracked.value) == ("segment:group:ACME-1", "segment:user:u1", 2.0)
    assert abs((tracked.occurred_at - before).total_seconds()) < 30


def test_the_python_client_with_a_wrong_key_is_told_and_does_not_try_again(door):
    door.events.clear()
    failures = []
    client = Client("wrong-key", host=door.url, on_error=lambda e, _: failures.append(e), max_retries=3)
    client.track("u1", "Report exported")
    client.shutdown()
    assert [(f.status, f.code) for f in failures] == [(400, "BadSignatureError")]
    assert door.events == []
