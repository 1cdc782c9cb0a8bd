"""A small stand-in of a vendor: used by tests, the demo and load runs, never by an installation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from hub.sdk.events import Event

ASGIApp = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """One signed request a vendor sends: POST `body` with `headers` to `path` at the hub's door."""

    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes


@runtime_checkable
class Sandbox(Protocol):
    """The inverse of a source: an event goes in, the vendor's own signed payload comes out.

    Attributes:
        vendor: the plugin's name.
        app: the vendor's API as far as our client speaks it, and a page at `/` that lists its records; ASGI.
    """

    vendor: str
    app: ASGIApp

    def settings(self, url: str) -> Mapping[str, str]:
        """The `PULSEHUB_*` settings with which the hub uses this sandbox, which answers at `url`."""

    def happen(self, event: Event) -> Sequence[Ping]:
        """Let something happen: change the records and return the webhooks the vendor would send for it.

        `event` speaks of bare keys (`account="northwind"`, `entity="ticket-7"`, `contact="ada"`); the sandbox makes
        vendor ids of them, always the same. A kind the vendor does not know returns nothing. Normalizing what is
        returned gives the same kind, time, amount, value and text.
        """

    def echoes(self) -> Sequence[Ping]:
        """Webhooks caused by writes to `app` since the last call."""
