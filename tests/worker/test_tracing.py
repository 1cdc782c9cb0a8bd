"""One webhook, one trace: the door, scoring, each delivery."""

import asyncio
import gzip
import sys
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from hub import ConfigError, tracing
from hub.ingest.dedupe import digest_of
from hub.settings import load
from hub.tracing.spans import Traces
from hub.worker.hub import Hub
from tests.e2e.kit import post, until, up
from tests.e2e.stage import world
from tests.installations import INSTALLATIONS, installation

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


async def lived(settings, around, done, why):
    """A customer is founded and falls into trouble, in a hub among its vendors; until `done`, or else `why` not."""
    async with Hub(settings.model_copy(update={"port": 0}), around.settings) as hub:
        for happenings in (around.founding(), around.trouble()):
            for pings in happenings.values():
                for ping in pings:
                    await asyncio.to_thread(post, hub.url, ping)
            assert await hub.engine.drained(30)
        await asyncio.to_thread(until, done, why=why)


@pytest.fixture(params=INSTALLATIONS)
def ours(request):
    """What makes an installation of each engine."""
    with installation(request.param) as found:
        yield found


async def test_a_webhook_is_followed_through_scoring_to_its_deliveries(tmp_path, spans, ours):
    def sinks():
        kept = [one for one in by_trace(spans).values() if {s.name for s in one} == {"take", "score", "deliver"}]
        return {s.attributes.get("pulsehub.sink") for one in kept for s in one} - {None}

    def delivered():
        return {"salesforce", "zendesk", "email"} <= sinks()

    with world() as around:
        await lived(
            load({"PULSEHUB_DATA": str(tmp_path)} | ours)[0],
            around,
            delivered,
            lambda: f"deliveries were traced of {sinks()} alone",
        )
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


def test_an_endpoint_without_what_it_takes_is_said_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ConfigError, match=r"requirements\.lock"):
        tracing.begin("http://127.0.0.1:4318/v1/traces", 1.0, "up", "0")


class Collector(BaseHTTPRequestHandler):
    """Takes spans as a collector does: OTLP over HTTP, protobuf."""

    def do_POST(self):
        asked = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            asked = gzip.decompress(asked)
        self.server.asked.append((self.path, ExportTraceServiceRequest.FromString(asked)))
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def collector():
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_collector_is_told_how_a_webhook_came_to_be_shown_at_a_vendor(tmp_path, collector):
    settings = {
        "PULSEHUB_OTEL_ENDPOINT": f"http://127.0.0.1:{collector.server_port}/v1/traces",
        "OTEL_BSP_SCHEDULE_DELAY": "200",  # milliseconds
    }
    with world() as around, up(tmp_path / "data", around.settings | settings) as hub:
        founding = around.founding()
        (first,) = founding.pop("salesforce")
        assert post(hub.url, first)["accepted"] == 1
        until(lambda: "deliver" in {span.name for span in told(collector)}, why=hub.said)
        for ping in (ping for pings in founding.values() for ping in pings):
            post(hub.url, ping)
        assert hub.stop()[0] == 0  # what was still to be told is told
        assert '"level":"error"' not in hub.said()
    spans = told(collector)
    (take,) = (s for s in spans if s.name == "take" and said(s)["pulsehub.connection"] == "salesforce")
    assert take.trace_id == digest_of("salesforce", said(take)["pulsehub.event"])
    (score,) = (s for s in spans if (s.trace_id, s.name) == (take.trace_id, "score"))
    shown = [s for s in spans if (s.trace_id, s.name, s.parent_span_id) == (take.trace_id, "deliver", score.span_id)]
    assert score.parent_span_id == take.span_id
    assert "salesforce" in {said(one)["pulsehub.sink"] for one in shown}
    assert len({s.trace_id for s in spans if s.name == "take"}) == 21
    (path,) = {path for path, _ in collector.asked}
    assert path == "/v1/traces"
    names = [said(resource.resource) for _, asked in collector.asked for resource in asked.resource_spans]
    assert {(one["service.name"], one["pulsehub.role"]) for one in names} == {("pulsehub", "up")}


def told(collector):
    return [
        span
        for _, asked in list(collector.asked)
        for resource in asked.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def said(of):
    return {one.key: one.value.string_value for one in of.attributes}
