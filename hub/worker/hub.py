"""One process: the engine, and around it what its role has of door, pages and deliveries."""

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
from hub.store.heartbeats import Heartbeats
from hub.store.questions import way
from hub.web.app import create_app
from hub.web.listen import check_listen
from hub.web.proofs import Proofs
from hub.worker.condition import Condition
from hub.worker.engine import Engine
from hub.worker.facts import Facts
from hub.worker.probing import create_probes
from hub.worker.roles import SINKS, UP, Role
from hub.worker.saying import Saying
from sinks.delivery import Deliveries
from sinks.publishing import to_log

_PATIENCE = httpx.Timeout(30.0, connect=10.0)


class Hub:
    """A running process of an installation.

    Args:
        settings: the installation's.
        vendors: settings that plugins read.
        role: what runs in it.
        probes: port on which a process without pages answers probes and metrics; None: nowhere.

    Raises:
        ConfigError: a setting is wrong, the address cannot be had, or two plugins collide.
        HubError: another process runs this data folder.
    """

    def __init__(
        self, settings: Settings, vendors: Mapping[str, str], role: Role = UP, probes: int | None = None
    ) -> None:
        self.role = role
        self._serving: Serving | None = None
        if role.faces or probes is not None:
            check_listen(settings)
        if role.faces:
            self._serving = Serving(self._answer, settings.host, settings.port)
        elif probes is not None:
            self._serving = Serving(self._probe, settings.host, probes)
        try:
            self._build(settings, vendors)
        except BaseException:
            if self._serving:
                self._serving.stop()
            raise

    def _build(self, settings: Settings, vendors: Mapping[str, str]) -> None:
        if "public_url" not in settings.model_fields_set and self.role.faces:
            settings = settings.model_copy(update={"public_url": self.url})
        self.settings = settings
        self.registry = Registry()
        self._http = httpx.AsyncClient(timeout=_PATIENCE, follow_redirects=False)
        vendors = {**vendors, "PULSEHUB_PUBLIC_URL": settings.public_url}
        self.configured = self.registry.configure(vendors, self._http, settings.connections)
        self.engine = Engine(settings, self.registry, self.configured, self._wake, self.role)
        try:
            self._furnish()
        except BaseException:
            self.engine.close()
            raise

    def _furnish(self) -> None:
        """What stands around the engine."""
        engine, ours = self.engine, version("pulsehub")
        self.deliveries = Deliveries(
            engine.database,
            self.configured.sinks,
            to_log(engine.log, time.time),
            told=self._told,
            leases=engine.leases,
            redis=engine.expendable,
        )
        says = Saying(engine.streams, lambda: self.deliveries.holds, lambda: self.url)
        self.heartbeats = Heartbeats(engine.database, self.role.name, ours, says, self._changed)
        self.condition = Condition(self)
        token = self.settings.api_token
        self._probe_app = create_probes(
            self.condition.dying,
            self.condition.unable,
            self.condition.exposition,
            Proofs(token.get_secret_value() if token else None),
        )
        if self.role.faces:
            self.door = self._make_door()
            self.facts = Facts(self)
            self._pages = create_app(self.facts.context(ours))

    @property
    def url(self) -> str:
        """Where pages and door answer, or probes; empty where nothing does."""
        return self._serving.url if self._serving else ""

    async def start(self) -> None:
        """Begin: agents first, so that what the door takes is scored at once."""
        await self.engine.start()
        self.condition.start()
        if self.role.faces:
            self.facts.start()
        if SINKS in self.role.rooms:
            await self.deliveries.start()
        await self.heartbeats.start()
        if self._serving:
            self._serving.start()

    async def stop(self) -> None:
        """Take no more, finish what is in hand, close."""
        self.condition.stop()
        if self.role.faces:
            self.facts.stop()
        self.engine.live.close()  # open pages hang on it
        if self._serving:
            self._serving.stop()
        if self.role.faces:
            self.door.close()
        await self.deliveries.stop()
        await self.heartbeats.stop()
        await self.engine.stop()
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
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

    def _changed(self) -> None:
        """What this process says of itself is news."""
        self.engine.live.publish("streams", {})

    def _told(self, sink: str, accounts: Sequence[str]) -> None:
        self.engine.live.publish("deliveries", {"sink": sink, "accounts": list(accounts)})

    def _make_door(self) -> Door:
        ours, engine = self.settings, self.engine
        pressure = Pressure(
            engine.log,
            engine.database,
            folder=ours.data if ours.embedded else None,
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

    async def _probe(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """All that a process without pages answers."""
        await self._probe_app(scope, receive, send)

    async def _answer(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """The door takes what is addressed to it; pages and API are the rest."""
        app = self.door if scope["type"] == "http" and self.door.owns(scope["path"]) else self._pages
        await app(scope, receive, send)
