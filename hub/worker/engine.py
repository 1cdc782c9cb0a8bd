"""Log, database and rooms: what turns events into health. No door, no pages, nothing leaves."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from typing import Final, Self

from sqlalchemy.exc import SQLAlchemyError

from hub.collector import calm
from hub.ingest.deadletters import DeadLetters
from hub.ingest.intake import Intake
from hub.locking import Lock
from hub.registry import Configured, Registry
from hub.sdk.errors import ConfigError, HubError
from hub.sealing import Seal
from hub.settings import Settings
from hub.store.database import Database
from hub.store.expendable.client import Expendable
from hub.store.expendable.naming import name_of
from hub.store.expendable.relay import Relay
from hub.store.heartbeats import identity
from hub.store.leases import Lease, Leases
from hub.store.led import Led
from hub.store.live import Live
from hub.streams import topics
from hub.streams.accounting import Books, books
from hub.streams.opening import open_log
from hub.streams.streams import Streams
from hub.success.alerts import Alerts
from hub.success.next.declared import load as load_actions
from hub.worker.pruning import Due, Pruning
from hub.worker.roles import INGEST, LEARNER, SCORING, SINKS, SUCCESS, UP, Role
from hub.worker.valuing import VALUING, Appraising
from scoring import archive
from scoring.experts.seating import seated
from scoring.ledger import Ledger
from scoring.loading import load as load_config
from scoring.rescore import Rescore
from scoring.tutoring import Tutor
from scoring.value.settings import load as load_valuing
from sinks.alerts import AlertsOutbox
from sinks.desired import Fields

HOUSEKEEPING: Final = "housekeeping"
_DAILY: Final = 86_400.0
_BRIEFLY: Final = 0.2  # seconds between two parts
_log = logging.getLogger(__name__)


def _nobody() -> None:
    """No delivery worker to wake."""


class Engine:
    """What every process of an installation opens, and the agents that run in this one.

    Args:
        settings: the installation's.
        registry: the plugins; their measures and experts count.
        configured: the destinations whose desired state is kept.
        wake: called, from any thread, when something may be due for delivery.
        role: which agents run here, and whether pages are open that want news.

    Raises:
        ConfigError: a URL or a scoring file is wrong, or files cannot be divided among processes.
        HeldError: another process runs this data folder.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        configured: Configured,
        wake: Callable[[], None] = _nobody,
        role: Role = UP,
    ) -> None:
        self.settings = settings
        self.role = role
        self.config = load_config(settings.scoring, registry.measures())
        self.panel = seated(registry, Seal.of(settings))
        valuing = load_valuing(settings.scoring)
        self.actions = load_actions(settings.scoring, self.config)
        if settings.embedded and role is not UP:
            raise ConfigError(
                f"`pulsehub {role.name}` needs what several processes can share: PULSEHUB_BROKER_URL=kafka://... and "
                f"PULSEHUB_DATABASE_URL=postgresql://...; on the files of {settings.data}, `pulsehub up` runs all"
            )
        with ExitStack() as opened:
            self._lock = opened.enter_context(Lock(settings.data)) if settings.embedded else None
            self.database = opened.enter_context(Database(settings.database))
            self.log = opened.enter_context(
                closing(open_log(settings.stream, settings.topic_partitions, self.database))
            )
            self.expendable = opened.enter_context(closing(_redis(settings, self.database)))
            self.live = Live()
            self.relay = Relay(self.live, self.expendable, self.database, listens=role.faces and not settings.embedded)
            self.intake = Intake(self.log, self.database, self.expendable)
            self.streams = Streams(self.database, self.log)
            self.leases = Leases(self.database, identity(), alone=settings.embedded)
            self._rooms(configured, wake)
            opened.pop_all()  # from here on it is `stop` or `close` that closes
        self._keeping = Led(self.leases, HOUSEKEEPING, self._tidy)
        self._tidying: asyncio.Task[None] | None = None
        appraising = Appraising(self.database, self.config, valuing, clock=settings.clock, idle=self.streams.idle)
        self._valuing = Led(self.leases, VALUING, appraising.work)
        self._appraising: asyncio.Task[None] | None = None
        if settings.partitions not in {None, self.log.partitions}:
            _log.warning("worker.partitions_kept", extra={"partitions": self.log.partitions})

    async def start(self) -> None:
        """Begin; on files, return once all partitions are claimed and all accounts loaded."""
        await self.streams.start()
        if self.expendable.configured:  # a log that began anew has forgotten what Redis knows by the name until now
            self.expendable.name = await asyncio.to_thread(name_of, self.database)
        calm()
        self.relay.start()
        if SCORING in self.role.rooms:
            self._tidying = asyncio.create_task(self._keeping.run(), name="forget old events")
        if LEARNER in self.role.rooms:
            self._appraising = asyncio.create_task(self._valuing.run(), name="value customers")

    async def stop(self) -> None:
        """Finish what is in hand and close the files."""
        for led, task in ((self._keeping, self._tidying), (self._valuing, self._appraising)):
            if task:
                led.stop()
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self.streams.stop()
        await asyncio.to_thread(self.relay.stop)
        self.live.close()
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Close the files of an engine that is not running."""
        self.expendable.close()
        self.log.close()
        self.database.close()
        if self._lock:
            self._lock.release()

    def books(self) -> Books:
        """Where every acknowledged event is."""
        with self.database.read() as connection:
            return books(connection, self.log)

    async def drained(self, patience: float) -> bool:
        """Wait until nothing is left to do, for at most so many seconds; whether that came.

        Raises:
            HubError: a room has stopped for good.
        """
        until = time.monotonic() + patience
        while not self.streams.idle():
            if self.streams.failed:
                raise HubError(self.streams.failed)
            if time.monotonic() > until:
                return False
            await asyncio.sleep(0.02)
        return True

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _tidy(self, lease: Lease) -> None:
        """Let go of what was kept long enough, a little at a time."""
        by_events = self.settings.clock == "event"  # an old file's time is its own: all of it is of long ago
        pruning = Pruning(math.inf if by_events else self.settings.ledger_days)
        while True:
            try:
                found = await asyncio.to_thread(self._stale)
                await lease.write(partial(archive.forget, found=found))
                due = await asyncio.to_thread(self._due, pruning)
                await lease.write(partial(pruning.forget, found=due))
                more = any(found) or due.more
            except SQLAlchemyError as error:
                _log.warning("worker.not_tidied", extra={"error": str(error)})
                more = False
            await asyncio.sleep(_BRIEFLY if more else _DAILY)

    def _stale(self) -> archive.Stale:
        with self.database.read() as connection:
            return archive.stale(connection, time.time(), self.settings.archive_days)

    def _due(self, pruning: Pruning) -> Due:
        with self.database.read() as connection:
            return pruning.due(connection, time.time())

    def _rooms(self, configured: Configured, wake: Callable[[], None]) -> None:
        ours, database, rooms = self.settings, self.database, self.role.rooms
        add = self.streams.add
        if SCORING in rooms:
            remembers = {s.name: s.remembers.total_seconds() for s in configured.sources if s.remembers is not None}
            scored = Rescore(
                database, self.config, ours.clock, self.log.partitions, self.live, remembers=remembers, panel=self.panel
            )
            add(scored, app=SCORING, outboxes={topics.HEALTH: Ledger()})
        if LEARNER in rooms:
            add(Tutor(database, self.config, panel=self.panel), app=LEARNER)
        if SUCCESS in rooms:
            waits = self.config.scorecard.silent_after if ours.clock == "wall" else None
            add(Alerts(ours.alerts_to, silent_after=waits), app=SUCCESS)
        if SINKS in rooms:
            add(Fields(configured.sinks, wake), app=SINKS)
            add(AlertsOutbox(configured.sinks, wake), app=SINKS)
        if INGEST in rooms:
            add(DeadLetters(), app=INGEST)


def _redis(settings: Settings, database: Database) -> Expendable:
    url = settings.redis_url.get_secret_value() if settings.redis_url else None
    return Expendable(url, name_of(database) if url else "hub")
