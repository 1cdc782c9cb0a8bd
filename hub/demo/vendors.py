"""The stand-in vendors, each on a socket of its own, sending their webhooks to the hub.

They send over plain `http.client`, in threads: ten thousand webhooks are most of what a demo has to do.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from queue import Empty, SimpleQueue
from typing import Final, Self
from urllib.parse import urlsplit

from hub.sdk.errors import HubError
from hub.sdk.events import Event
from hub.sdk.sandbox import Ping, Sandbox
from hub.serving import Serving

_TOGETHER: Final = 4  # webhooks on their way at once, of one day
_ATTEMPTS: Final = 40


class Vendors:
    """Sandboxes that serve their API and send what happens to the hub's door.

    Args:
        sandboxes: the stand-ins.
    """

    def __init__(self, sandboxes: Sequence[Sandbox]) -> None:
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
        waiting: SimpleQueue[Ping] = SimpleQueue()
        for ping in pings:
            waiting.put(ping)
        lines = min(_TOGETHER, waiting.qsize())
        for counts in await asyncio.gather(*(asyncio.to_thread(_line, door, waiting) for _ in range(lines))):
            self.sent.update(counts)

    def __enter__(self) -> Self:
        for serving in self._servings:
            serving.start()
        return self

    def __exit__(self, *_: object) -> None:
        for serving in self._servings:
            serving.stop()


def _line(door: str, waiting: SimpleQueue[Ping]) -> Counter[str]:
    """One vendor's connection: what waits, one after another, until nothing does."""
    where = urlsplit(door)
    line = HTTPConnection(where.hostname or "", where.port, timeout=30.0)
    counts: Counter[str] = Counter()
    try:
        while True:
            counts.update(_deliver(line, waiting.get_nowait()))
    except Empty:
        return counts
    finally:
        line.close()


def _deliver(line: HTTPConnection, ping: Ping) -> dict[str, int]:
    for attempt in range(_ATTEMPTS):
        try:
            line.request("POST", ping.path, ping.body, dict(ping.headers))
            reply = line.getresponse()
            status, text = reply.status, reply.read()
        except (OSError, HTTPException):
            line.close()
            status, text = 0, b""
        if status == HTTPStatus.OK:
            counts: dict[str, int] = json.loads(text)
            return counts
        if status not in (0, HTTPStatus.SERVICE_UNAVAILABLE):
            raise HubError(f"the hub answered {status} to {ping.path}: {text[:200].decode(errors='replace')}")
        time.sleep(min(1.0, 0.05 * 2**attempt))
    raise HubError(f"the hub did not take {ping.path} in {_ATTEMPTS} attempts")
