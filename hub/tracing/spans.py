"""Spans whose ids are made of facts: an event's digest is the id of its trace, and says the ids of its first two spans.

    take (the door) ── score (its batch is on disk) ── deliver (an attempt at a destination), one for each attempt

Spans carry ids of events and accounts, names of connections, rooms and sinks; nothing a customer wrote.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

_LOW: Final = (1 << 64) - 1
_Said = Mapping[str, str | int]


class _Ids(RandomIdGenerator):
    """Random, unless the thread has said which it wants."""

    def __init__(self) -> None:
        self.wanted = threading.local()

    def generate_trace_id(self) -> int:
        """The next root span's."""
        return getattr(self.wanted, "trace", None) or super().generate_trace_id()

    def generate_span_id(self) -> int:
        """The next span's."""
        return getattr(self.wanted, "span", None) or super().generate_span_id()


class Delivered(NamedTuple):
    """One attempt: at which destination, about whom, and how it ended."""

    sink: str
    account: str
    outcome: str


class Traces:
    """Where a process' spans go; any thread.

    Args:
        exporter: takes finished spans, a batch at a time, in a thread of its own.
        share: of events that are traced, decided by their digest alone: the same ones everywhere.
        role: of this process.
        version: the program's.
    """

    def __init__(self, exporter: SpanExporter, share: float = 1.0, role: str = "up", version: str = "") -> None:
        self._ids = _Ids()
        self._bound = round(share * (_LOW + 1))
        named = {"service.name": "pulsehub", "service.version": version, "pulsehub.role": role}
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=Resource.create(named), id_generator=self._ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("pulsehub", version)

    def wants(self, digest: bytes) -> bool:
        """Whether the event of this digest is traced."""
        return int.from_bytes(digest[8:]) < self._bound

    def took(self, connection: str, events: Iterable[tuple[bytes, str]], began: int, ended: int) -> None:
        """The door has these events on the log: (digest, id). Times are unix nanoseconds."""
        for digest, event in events:
            if self.wants(digest):
                said = {"pulsehub.event": event, "pulsehub.connection": connection}
                self._tell("take", digest, said, (began, ended), SpanKind.SERVER, span=_span(digest, "take"))

    def scored(self, events: Iterable[tuple[bytes, str, str]], batch: int, began: int, ended: int) -> None:
        """A batch of so many records is on disk, and these events in it: (digest, id, account)."""
        for digest, event, account in events:
            if self.wants(digest):
                said: _Said = {"pulsehub.event": event, "pulsehub.account": account, "pulsehub.batch": batch}
                span = _span(digest, "score")
                self._tell("score", digest, said, (began, ended), SpanKind.CONSUMER, parent="take", span=span)

    def delivered(self, digests: Iterable[bytes], said: Delivered, began: int, ended: int) -> None:
        """A destination was told, or was not, of a health that these events had caused."""
        about = {f"pulsehub.{name}": value for name, value in said._asdict().items()}
        failed = said.outcome in ("retry", "reject")
        for digest in digests:
            if self.wants(digest):
                self._tell("deliver", digest, about, (began, ended), SpanKind.CLIENT, parent="score", failed=failed)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def _tell(
        self,
        name: str,
        digest: bytes,
        said: _Said,
        times: tuple[int, int],
        kind: SpanKind,
        *,
        parent: str | None = None,
        span: int | None = None,
        failed: bool = False,
    ) -> None:
        trace = int.from_bytes(digest)
        context = Context()
        if parent:
            above = SpanContext(
                trace, _span(digest, parent), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
            )
            context = set_span_in_context(NonRecordingSpan(above), context)
        self._ids.wanted.trace, self._ids.wanted.span = trace, span
        try:
            told = self._tracer.start_span(name, context, kind, attributes=said, start_time=times[0])
        finally:
            self._ids.wanted.trace = self._ids.wanted.span = None
        if failed:
            told.set_status(Status(StatusCode.ERROR))
        told.end(times[1])


def _span(digest: bytes, stage: str) -> int:
    return int.from_bytes(hashlib.blake2b(digest, digest_size=8, person=stage.encode()).digest())
