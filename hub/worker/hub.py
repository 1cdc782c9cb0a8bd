"""All of Pulsehub in one process: the engine, the door, the pages, the deliveries."""

from __future__ import annotations

import time
from collections.abc import Mapping, MutableMapping, Sequence
from importlib.metadata import version
from typing import Any, Self

import httpx

from hub.ingest.door import Door
from hub.ingest.pressure import Pressure
from hub.ingest.replay import Replay
from hub.registry import Registry
from hub.serving import Serving
from hub.settings import Settings
from hub.store.questions import way
from hub.web.app import create_app
from hub.web.listen import check_listen
from hub.worker.engine import Engine
from hub.worker.facts import Facts
from sinks.delivery import Deliveries
from sinks.publishing import to_log

_PATIENCE = httpx.Timeout(30.0, connect=10.0)


class Hub:
    """A running installation.

    Args:
        settings: the installation's.
        vendors: settings that plugins read.

    Raises:
        ConfigError: a setting is wrong, the address cannot be had, or two plugins collide.
        HubError: another process runs this data folder.
    """

    def __init__(self, settings: Settings, vendors: Mapping[str, str]) -> None:
        check_listen(settings)
        self._serving = Serving(self._answer, settings.host, settings.port)
        try:
            self._build(settings, vendors)
        except BaseException:
            self._serving.stop()
            raise

    def _build(self, settings: Settings, vendors: Mapping[str, str]) -> None:
        if "public_url" not in settings.model_fields_set:
            settings = settings.model_copy(update={"public_url": self._serving.url})
        self.settings = settings
        self.registry = Registry()
        self._http = httpx.AsyncClient(timeout=_PATIENCE, follow_redirects=False)
        vendors = {**vendors, "PULSEHUB_PUBLIC_URL": settings.public_url}
        self.configured = self.registry.configure(vendors, self._http, settings.connections)
        self.engine = Engine(settings, self.registry, self.configured, self._wake)
        try:
            self._furnish()
        except BaseException:
            self.engine.close()
            raise

    def _furnish(self) -> None:
        """What stands around the engine."""
        self.deliveries = Deliveries(
            self.engine.database,
            self.configured.sinks,
            to_log(self.engine.log, time.time),
            told=self._told,
        )
        self.door = self._make_door()
        self.facts = Facts(self)
        self._pages = create_app(self.facts.context(version("pulsehub")))

    @property
    def url(self) -> str:
        """Where pages and door answer."""
        return self._serving.url

    async def start(self) -> None:
        """Begin: agents first, so that what the door takes is scored at once."""
        await self.engine.start()
        self.facts.start()
        await self.deliveries.start()
        self._serving.start()

    async def stop(self) -> None:
        """Take no more, finish what is in hand, close."""
        self.facts.stop()
        self.engine.live.close()  # open pages hang on it
        self._serving.stop()
        self.door.close()
        await self.deliveries.stop()
        await self.engine.stop()
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def replay(self) -> Replay:
        """What tries dead letters again."""
        return Replay(
            self.engine.database,
            self.engine.intake,
            self.configured.sources,
            self.configured.versions,
            self.facts.deliver_again,
        )

    def deliveries_due(self) -> int:
        """How many records and alerts wait to be delivered or to be confirmed."""
        with self.engine.database.read() as connection:
            every = way.every_destination(connection, time.time())
        return sum(one.states.get("due", 0) + one.states.get("pending", 0) for one in every if not one.paused)

    def _wake(self) -> None:
        """Rooms call it long after everything here is made."""
        self.deliveries.wake()

    def _told(self, sink: str, accounts: Sequence[str]) -> None:
        self.engine.live.publish("deliveries", {"sink": sink, "accounts": list(accounts)})

    def _make_door(self) -> Door:
        ours, engine = self.settings, self.engine
        pressure = Pressure(
            engine.log,
            engine.database,
            folder=ours.data,
            max_lag=ours.max_lag,
            min_free_disk=ours.min_free_disk,
        )
        return Door(
            self.configured.sources,
            engine.intake,
            pressure,
            max_body=ours.max_body,
            versions=self.configured.versions,
        )

    async def _answer(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """The door takes what is addressed to it; pages and API are the rest."""
        app = self.door if scope["type"] == "http" and self.door.owns(scope["path"]) else self._pages
        await app(scope, receive, send)
