"""The stand-in vendors, each on a socket of its own, sending their webhooks to the hub."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, Self

import httpx

from hub.sdk.errors import HubError
from hub.sdk.events import Event
from hub.sdk.sandbox import Ping, Sandbox
from hub.serving import Serving

_TOGETHER: Final = 12  # webhooks on their way at once, of one day
_ATTEMPTS: Final = 40


class Vendors:
    """Sandboxes that serve their API and send what happens to the hub's door.

    Args:
        sandboxes: the stand-ins.
        http: the client webhooks are sent over.
    """

    def __init__(self, sandboxes: Sequence[Sandbox], http: httpx.AsyncClient) -> None:
        self._http = http
        self._sandboxes = sandboxes
        self._servings = [Serving(sandbox.app) for sandbox in sandboxes]
        self.sent: Counter[str] = Counter()

    @property
    def urls(self) -> dict[str, str]:
        """Vendor -> where its stand-in answers."""
        return {sandbox.vendor: serving.url for sandbox, serving in zip(self._sandboxes, self._servings, strict=True)}

    def settings(self) -> dict[str, str]:
        """The settings with which a hub uses these vendors."""
        return {k: v for sandbox in self._sandboxes for k, v in sandbox.settings(self.urls[sandbox.vendor]).items()}

    def happen(self, events: Sequence[Event]) -> list[Ping]:
        """Let things happen; the webhooks every vendor sends for them."""
        return [ping for sandbox in self._sandboxes for ping in sandbox.happen_many(events)]

    def echoes(self) -> list[Ping]:
        """Webhooks the vendors send because the hub wrote something."""
        return [ping for sandbox in self._sandboxes for ping in sandbox.echoes()]

    def showing(self) -> dict[str, int]:
        """Vendor -> how many of its own records show a health now; only of vendors that were written to."""
        shown = {sandbox.vendor: sandbox.showing() for sandbox in self._sandboxes}
        return {vendor: len(names) for vendor, names in shown.items() if names is not None}

    async def send(self, door: str, pings: Iterable[Ping]) -> None:
        """Send webhooks as vendors do: several at once, each again until the hub has taken it.

        Raises:
            HubError: the hub refused one for good, or could not be reached for half a minute.
        """
        waiting = iter(pings)

        async def line() -> None:
            for ping in waiting:
                answer = await self._deliver(door, ping)
                self.sent.update(answer)

        await asyncio.gather(*(line() for _ in range(_TOGETHER)))

    async def _deliver(self, door: str, ping: Ping) -> dict[str, int]:
        for attempt in range(_ATTEMPTS):
            try:
                reply = await self._http.post(door + ping.path, content=ping.body, headers=dict(ping.headers))
            except httpx.TransportError:
                reply = None
            if reply is not None and reply.status_code == httpx.codes.OK:
                counts: dict[str, int] = reply.json()
                return counts
            if reply is not None and reply.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                raise HubError(f"the hub answered {reply.status_code} to {ping.path}: {reply.text[:200]}")
            await asyncio.sleep(min(1.0, 0.05 * 2**attempt))
        raise HubError(f"the hub did not take {ping.path} in {_ATTEMPTS} attempts")

    def __enter__(self) -> Self:
        for serving in self._servings:
            serving.start()
        return self

    def __exit__(self, *_: object) -> None:
        for serving in self._servings:
            serving.stop()
