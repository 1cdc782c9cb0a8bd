"""One webhook, one trace: the door, scoring, each delivery."""

import asyncio
import sys
from collections import defaultdict

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from hub import ConfigError, tracing
from hub.ingest.dedupe import digest_of
from hub.settings import Settings
from hub.tracing.spans import Traces
from hub.worker import Hub
from tests.e2e.kit import post, until
from tests.e2e.stage import world

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def spans():
    kept = InMemorySpanExporter()
    tracing.use(Traces(kept))
    yield kept
    tracing.use(None)


def by_trace(kept):
    tracing.current()._provider.force_flush()
    found = defaultdict(list)
    for span in kept.get_finished_spans():
        found[span.context.trace_id].append(span)
    return found


async def lived(folder, around, done):
    """A customer is founded and falls into trouble, in a hub among its vendors; until `done`."""
    async with Hub(Settings(data=folder, port=0), around.settings) as hub:
        for happenings in (around.founding(), around.trouble()):
            for pings in happenings.values():
                for ping in pings:
                    await asyncio.to_thread(post, hub.url, ping)
            assert await hub.engine.drained(30)
        await asyncio.to_thread(until, done)


async def test_a_webhook_is_followed_through_scoring_to_its_deliveries(tmp_path, spans):
    def delivered():
        kept = [one for one in by_trace(spans).values() if {s.name for s in one} == {"take", "score", "deliver"}]
        sinks = {s.attributes.get("pulsehub.sink") for one in kept for s in one} - {None}
        return {"salesforce", "zendesk", "email"} <= sinks

    with world() as around:
        await lived(tmp_path, around, delivered)
    for trace, some in by_trace(spans).items():
        named = {span.name: span for span in some}
        assert {"take", "score"} <= named.keys()
        take, score = named["take"], named["score"]
        assert take.parent is None
        assert trace == int.from_bytes(
            digest_of(take.attributes["pulsehub.connection"], take.attributes["pulsehub.event"])
        )
        assert score.parent.span_id == take.context.span_id
        assert take.start_time <= take.end_time <= score.end_time
        for span in some:
            if span.name == "deliver":
                assert span.parent.span_id == score.context.span_id
                assert span.attributes["pulsehub.account"] == score.attributes["pulsehub.account"]
                assert span.start_time >= score.start_time
    told = str([span.to_json() for span in spans.get_finished_spans()])
    for private in ("ada@northwind.example", "Ada King", "Northwind", "Nothing loads"):
        assert private not in told


def test_the_same_events_are_traced_in_every_process():
    digests = [digest_of("t", f"t:{number}") for number in range(2_000)]
    one, other = Traces(InMemorySpanExporter(), 0.1), Traces(InMemorySpanExporter(), 0.1, "worker")
    wanted = [digest for digest in digests if one.wants(digest)]
    assert wanted == [digest for digest in digests if other.wants(digest)]
    assert 150 < len(wanted) < 250
    assert not any(map(Traces(InMemorySpanExporter(), 0.0).wants, digests))
    assert all(map(Traces(InMemorySpanExporter(), 1.0).wants, digests))


def test_off_unless_an_endpoint_is_set():
    tracing.begin("", 1.0, "up", "0")
    assert tracing.current() is None


def test_an_endpoint_without_the_extra_is_said_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ConfigError, match=r"pulsehub\[otel\]"):
        tracing.begin("http://127.0.0.1:4318/v1/traces", 1.0, "up", "0")
