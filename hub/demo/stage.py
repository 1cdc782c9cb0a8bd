"""The demo itself: build the stage, tell the history, prove what came of it, go on living."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Final, Self

import httpx

from hub.demo.inbox import Inbox
from hub.demo.proof import Proof, proof
from hub.demo.story import HISTORY, Story
from hub.demo.vendors import Vendors
from hub.demo.world import World
from hub.registry import Registry
from hub.sdk.errors import HubError
from hub.settings import Settings
from hub.worker import Hub

_BEAT: Final = 1.0  # seconds between two moments of live life
_PATIENCE: Final = 180.0  # seconds for what the history caused to be done
_FILE: Final = "demo.json"


class Stage:
    """Four vendors, an inbox, and the hub between them.

    Args:
        settings: of the installation; its vendors' settings are those of the stand-ins.
        now: the moment the history ends.
    """

    def __init__(self, settings: Settings, now: datetime) -> None:
        self._path = settings.data / _FILE
        self._http = httpx.AsyncClient(timeout=30.0)
        self.vendors = Vendors(Registry().sandboxes(), self._http)
        self.inbox = Inbox()
        settings.data.mkdir(parents=True, exist_ok=True)
        self.story = Story.open(self._path, now)
        self._world = World(self.story.start, seed=self.story.seed)
        self._settings = settings.model_copy(update={"clock": "event", "alerts_to": ["success@pulsehub.example"]})

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            opened.enter_context(self.inbox)
            opened.enter_context(self.vendors)
            opened.push_async_callback(self._http.aclose)
            self.hub = Hub(self._settings, self._given())
            await opened.enter_async_context(self.hub)
            self._opened = opened.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    def _given(self) -> dict[str, str]:
        """What the hub's plugins read: where the stand-ins and the inbox are."""
        return self.vendors.settings() | {
            "PULSEHUB_SMTP_URL": self.inbox.smtp_url,
            "PULSEHUB_MAIL_FROM": "Pulsehub <health@pulsehub.example>",
        }

    async def tell(self, stop: asyncio.Event, on_day: Callable[[int, int], None]) -> None:
        """Send the history as signed webhooks, day by day; days the hub has taken before are not sent again.

        Destinations are paused meanwhile, as anybody would who loads the past: a CRM need not be told of each day.
        """
        for sink in self.hub.configured.sinks:
            await self.hub.deliveries.pause(sink.name, "until the history is told")
        for day in range(HISTORY + 1):
            pings = self.vendors.happen(self.story.chapter(self._world, day))
            if day > self.story.told:
                await self.vendors.send(self.hub.url, pings)
                self.story.told = day
                self.story.save(self._path)
            on_day(day, HISTORY)
            if stop.is_set():
                return
            await asyncio.sleep(0)

    async def settle(self) -> None:
        """Wait until everything the history caused is scored, learned, written and mailed.

        Raises:
            HubError: it took longer than three minutes; the message says what was left.
        """
        for sink in self.hub.configured.sinks:
            await self.hub.deliveries.again(sink.name)  # a stand-in that was stopped has forgotten what it showed
            await self.hub.deliveries.resume(sink.name)
        until = time.monotonic() + _PATIENCE
        while not await self.hub.engine.drained(1.0) or self.hub.deliveries_due():
            await self.vendors.send(self.hub.url, self.vendors.echoes())
            if time.monotonic() > until:
                lag = sum(self.hub.engine.streams.lag().values())
                raise HubError(f"still {lag} records and {self.hub.deliveries_due()} deliveries to do")
            await asyncio.sleep(0.05)

    async def live(self, stop: asyncio.Event) -> None:
        """Go on: every second a few things happen, and now and then a crisis."""
        while not stop.is_set():
            pings = self.vendors.happen(self._world.moment(datetime.now(UTC)))
            await self.vendors.send(self.hub.url, [*pings, *self.vendors.echoes()])
            try:
                await asyncio.wait_for(stop.wait(), _BEAT)
            except TimeoutError:
                continue

    async def crisis(self) -> None:
        """Let one healthy customer have a very bad hour, so that there is somebody to be told about."""
        pings = self.vendors.happen(self._world.worst_hour(datetime.now(UTC)))
        await self.vendors.send(self.hub.url, pings)

    async def prove(self) -> Proof:
        """What came of it, read from the hub's database, the vendors' records and the inbox."""
        return await asyncio.to_thread(proof, self.hub, self.vendors, self.inbox)
