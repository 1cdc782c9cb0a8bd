import asyncio
import json
from datetime import UTC, datetime, timedelta

import httpx

import hub
from hub.testing import listen
from plugins.segment.sandbox import SegmentSandbox
from plugins.segment.settings import SegmentSettings
from plugins.segment.source import Segment

START = datetime(2025, 9, 1, tzinfo=UTC)


def history(many):
    return [
        hub.Event(
            id=f"demo:{n}",
            kind="usage.tracked",
            account=f"company-{n % 7}",
            contact=f"person-{n % 30}",
            occurred_at=START + timedelta(minutes=n),
            properties={"event": "Report exported"},
        )
        for n in range(many)
    ]


def test_history_is_sent_by_the_hundred_with_the_times_it_was_given():
    sandbox = SegmentSandbox()
    pings = sandbox.happen_many(history(250))
    assert [len(json.loads(ping.body)["batch"]) for ping in pings] == [100, 100, 50]
    source = Segment(SegmentSettings.read(sandbox.settings("http://127.0.0.1:1")))
    now = datetime.now(UTC)
    hooks = [hub.Webhook(path=p.path, headers=p.headers, body=p.body) for p in pings]
    events = [event for hook in hooks for event in listen(source, hook, now)]
    assert [e.occurred_at for e in events] == [START + timedelta(minutes=n) for n in range(250)]
    assert len({e.id for e in events}) == 250
    assert {e.account for e in events} == {f"segment:group:company-{n}" for n in range(7)}


def test_a_batch_stays_within_what_segment_takes():
    assert all(len(ping.body) < 500_000 for ping in SegmentSandbox().happen_many(history(300)))


def test_its_page_shows_the_newest_call_first():
    sandbox = SegmentSandbox()
    sandbox.happen_many(history(3))

    async def look():
        transport = httpx.ASGITransport(app=sandbox.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox.test") as http:
            return (await http.get("/")).text

    page = asyncio.run(look())
    assert "3 calls sent" in page
    assert page.index("company-2") < page.index("company-1") < page.index("company-0")
