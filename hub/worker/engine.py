"""Log, database and rooms: what turns events into health. No door, no pages, nothing leaves."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Final, Self

from sqlalchemy.exc import SQLAlchemyError

from hub.ingest.deadletters import DeadLetters
from hub.ingest.intake import Intake
from hub.locking import Lock
from hub.registry import Configured, Registry
from hub.sdk.errors import HubError
from hub.settings import Settings
from hub.store.database import Database
from hub.store.live import Live
from hub.streams import topics
from hub.streams.accounting import Books, books
from hub.streams.opening import open_log
from hub.streams.streams import Streams
from hub.success.alerts import Alerts
from scoring import archive
from scoring.learner import Learner
from scoring.ledger import Ledger
from scoring.loading import load as load_config
from scoring.rescore import Rescore
from sinks.alerts import AlertsOutbox
from sinks.desired import Fields

_DAILY: Final = 86_400.0
_BRIEFLY: Final = 0.2  # seconds between two parts
_log = logging.getLogger(__name__)


def _nobody() -> None:
    """No delivery worker to wake."""


class Engine:
    """One process's agents over one installation.

    Args:
        settings: the installation's.
        registry: the plugins; their measures count.
        configured: the destinations whose desired state is kept.
        wake: called, from any thread, when something may be due for delivery.

    Raises:
        ConfigError: a URL or a scoring file is wrong.
        HubError: another process runs this data folder.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        configured: Configured,
        wake: Callable[[], None] = _nobody,
    ) -> None:
        self.settings = settings
        self.config = load_config(settings.scoring, registry.measures())
        with ExitStack() as opened:
            self._lock = opened.enter_context(Lock(settings.data))
            self.database = opened.enter_context(Database(settings.database))
            self.log = opened.enter_context(closing(open_log(settings.stream, settings.partitions, self.database)))
            self.live = Live()
            self.intake = Intake(self.log, self.database)
            self.streams = Streams(self.database, self.log)
            self._rooms(configured, wake)
            opened.pop_all()  # from here on it is `stop` or `close` that closes
        self._tidying: asyncio.Task[None] | None = None
        if self.log.partitions != settings.partitions and "partitions" in settings.model_fields_set:
            _log.warning("worker.partitions_kept", extra={"partitions": self.log.partitions})

    async def start(self) -> None:
        """Claim the partitions, load the accounts, begin."""
        await self.streams.start()
        gc.collect()
        gc.freeze()  # what was loaded stays; the collector need not walk it again
        self._tidying = asyncio.create_task(self._tidy(), name="forget old events")

    async def stop(self) -> None:
        """Finish what is in hand and close the files."""
        if self._tidying:
            self._tidying.cancel()
        await self.streams.stop()
        self.live.close()
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Close the files of an engine that is not running."""
        self.log.close()
        self.database.close()
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
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _tidy(self) -> None:
        """Let go of what the archive has kept long enough, a little at a time."""
        while True:
            try:
                found = await asyncio.to_thread(self._stale)
                await asyncio.wrap_future(self.database.write(lambda connection: archive.forget(connection, found)))  # noqa: B023 - awaited before the next
            except SQLAlchemyError as error:
                _log.warning("worker.archive_kept", extra={"error": str(error)})
                found = archive.Stale([], [])
            await asyncio.sleep(_BRIEFLY if any(found) else _DAILY)

    def _stale(self) -> archive.Stale:
        with self.database.read() as connection:
            return archive.stale(connection, time.time(), self.settings.archive_days)

    def _rooms(self, configured: Configured, wake: Callable[[], None]) -> None:
        ours, database, live = self.settings, self.database, self.live
        remembers = {s.name: s.remembers.total_seconds() for s in configured.sources if s.remembers is not None}
        rescore = Rescore(database, self.config, ours.clock, self.log.partitions, live, remembers=remembers)
        add = self.streams.add
        add(rescore, app="scoring", outboxes={topics.HEALTH: Ledger()})
        add(Learner(database, self.config), app="scoring")
        add(Alerts(ours.alerts_to), app="success")
        add(Fields(configured.sinks, wake), app="sinks")
        add(AlertsOutbox(configured.sinks, wake), app="sinks")
        add(DeadLetters(), app="ingest")
