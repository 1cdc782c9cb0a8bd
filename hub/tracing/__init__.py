"""Traces from a webhook to its deliveries, for OpenTelemetry; off unless an endpoint is set, and then free.

Nothing travels beside an event: its trace has an id made of the same facts as its own (`hub.tracing.spans`), so whoever
knows the event knows its trace. Why so: docs/adr/0012-traces-are-made-of-facts.md.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from hub.sdk.errors import ConfigError

if TYPE_CHECKING:
    from hub.tracing.spans import Traces

_current: Traces | None = None  # one per process, as with logging: whoever has something to tell is handed nothing


def current() -> Traces | None:
    """Where spans go in this process; None: nowhere, and nothing is to be prepared for them."""
    return _current


def use(traces: Traces | None) -> None:
    """From now on spans go there; what was in use before is closed."""
    global _current
    before, _current = _current, traces
    if before is not None:
        before.close()


def begin(endpoint: str, share: float, role: str, version: str) -> None:
    """Send spans to a collector from now on.

    Args:
        endpoint: OTLP over HTTP, `http://collector:4318/v1/traces`; empty: none.
        share: of events that are traced; the same ones in every process.
        role: of this process.
        version: the program's.

    Raises:
        ConfigError: OpenTelemetry is not installed.
    """
    if not endpoint:
        return
    try:
        exporters = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
        from hub.tracing.spans import Traces  # noqa: PLC0415 - needs it, too
    except ImportError:
        raise ConfigError(
            "PULSEHUB_OTEL_ENDPOINT is set, but OpenTelemetry is not installed: run "
            "`python -m pip install --require-hashes -r deploy/requirements.lock`, or leave the setting away"
        ) from None
    use(Traces(exporters.OTLPSpanExporter(endpoint=endpoint), share, role, version))
