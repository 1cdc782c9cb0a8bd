"""Everything a plugin can add, one function and one promise each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import httpx
import pluggy

from hub.sdk.contracts import Sink, Source
from hub.sdk.experts import Expert
from hub.sdk.sandbox import Sandbox

hookspec = pluggy.HookspecMarker("pulsehub")
hookimpl = pluggy.HookimplMarker("pulsehub")


@hookspec
def register_sources(settings: Mapping[str, str]) -> Iterable[Source]:  # type: ignore[empty-body]
    """Sources to listen to; none where the vendor has no settings."""


@hookspec
def register_sinks(settings: Mapping[str, str], http: httpx.AsyncClient) -> Iterable[Sink]:  # type: ignore[empty-body]
    """Sinks to push to, over the client they are handed; none where the vendor has no settings."""


@hookspec
def register_measures() -> Iterable[Mapping[str, Any]]:  # type: ignore[empty-body]
    """Measures to keep beside those of the installation's own file, as the same data."""


@hookspec
def register_experts() -> Iterable[type[Expert]]:  # type: ignore[empty-body]
    """Further ways to predict who leaves, judged and weighed in the mixture beside ours; classes, not instances."""


@hookspec
def register_sandboxes() -> Iterable[Sandbox]:  # type: ignore[empty-body]
    """Stand-ins of the vendor for tests, the demo and load runs."""
