"""The demo itself: build the stage, tell the history, prove what came of it, go on living."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Final, Self

from hub.demo.inbox import Inbox
from hub.demo.proof import Proof, proof
from hub.demo.story import Story
from hub.demo.vendors import Vendors
from hub.demo.world import DAY, World
from hub.registry import Registry
from hub.sdk.errors import ConfigError, HubError
from hub.settings import Settings
from hub.store.questions import portfolio
from hub.worker.hub import Hub

_BEAT: Final = 1.0  # seconds between two moments of live life
_PATIENCE: Final = 180.0  # seconds for what the history caused to be done
_TRIED: Final = 12  # customers that are let down
_HOURS: Final = 5  # that they may have
_SILENCE: Final = 16  # days before the end of the history, from which on a customer is not heard of, and soon some more
_FILE: Final = "demo.json"


class Stage:
    """Four vendors, an inbox, and the hub between them.

    Args:
        settings: of the installation; its vendors' settings are those of the stand-ins.
        now: the moment the history ends.
        companies: how many there are.
        days: of history.
    """

    def __init__(self, settings: Settings, now: datetime, companies: int = 200, days: int = 180) -> None:
        self._path = settings.data / _FILE
        try:
            settings.data.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"cannot write to the data folder {settings.data}: {error.strerror}") from None
        self.story = Story.open(self._path, now, days)
        hush = self.story.start + (self.story.days - _SILENCE) * DAY
        self._world = World(self.story.start, companies, self.story.seed, hush)
        self.vendors = Vendors(Registry().sandboxes())
        self.inbox = Inbox()
        self._settings = settings.model_copy(update={"clock": "event", "alerts_to": ["success@pulsehub.example"]})

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            opened.enter_context(self.inbox)
            opened.enter_context(self.vendors)
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
        for day in range(self.story.days + 1):
            pings = self.vendors.happen(self.story.chapter(self._world, day))
            if day > self.story.told:
                await self.vendors.send(self.hub.url, pings)
                self.story.told = day
                self.story.save(self._path)
            on_day(day, self.story.days)
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
        """Let those who are just holding on have a bad hour, one after another, until one falls at risk.

        In a world where all is well one hour is not enough: then those whom it hit most have another. Who is holding on
        is known only once the history is scored: before that, one who fell days ago still seems to.
        """
        await self._scored()
        for _ in range(_HOURS):
            for account, company in (await asyncio.to_thread(self._holding_on))[:_TRIED]:
                pings = self.vendors.happen(self._world.bad_hour(company, datetime.now(UTC)))
                await self.vendors.send(self.hub.url, pings)
                await self._scored()
                if await asyncio.to_thread(self._at_risk, account):
                    return

    async def _scored(self) -> None:
        """Wait until the hub has scored and learned from all that was sent.

        Raises:
            HubError: it took longer than three minutes.
        """
        if not await self.hub.engine.drained(_PATIENCE):
            lag = sum(self.hub.engine.streams.lag().values())
            raise HubError(f"still {lag} records to score after {_PATIENCE:.0f} seconds")

    def _holding_on(self) -> list[tuple[str, str]]:
        """Our id and the world's key of customers above the lowest band, lowest health first."""
        known = {company.domain: company.key for company in self._world.companies if not company.gone}
        with self.hub.engine.database.read() as connection:
            rows = portfolio.page(connection, portfolio.Wanted(sort="health"), limit=len(known) + 1)
        return [(row.id, known[row.domain]) for row in rows if row.band != "at_risk" and row.domain in known]

    def _at_risk(self, account: str) -> bool:
        with self.hub.engine.database.read() as connection:
            return portfolio.by_ids(connection, [account])[account].band == "at_risk"

    async def prove(self) -> Proof:
        """What came of it, read from the hub's database, the vendors' records and the inbox."""
        return await asyncio.to_thread(proof, self.hub, self.vendors, self.inbox)
