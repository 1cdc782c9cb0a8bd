"""Delivery as one thing to start and stop: a worker per destination, and what people may do to them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from random import Random, SystemRandom
from typing import Final

from sqlalchemy import Connection

from hub.sdk.contracts import Sink
from hub.store.database import Database
from sinks import destinations, receipts
from sinks.alerts_queue import AlertsQueue
from sinks.fields_queue import FieldsQueue
from sinks.publishing import Publish
from sinks.queue import Queue
from sinks.worker import Worker

GRACE: Final = 5.0  # seconds a call under way may take to end when we stop
_TIDY: Final = 3_600.0
_log = logging.getLogger(__name__)


def queue_of(sink: Sink) -> Queue:
    """The rows that wait for this sink."""
    return FieldsQueue(sink.name) if sink.shape == "fields" else AlertsQueue(sink.name)


def replay(connection: Connection, sink: str, key: str | None = None) -> int:
    """Make what `sink` rejected due again: all of it, or the one of `key` (a dead letter's `context["key"]`).

    Returns:
        How many there were. The worker sees them within a second.
    """
    return FieldsQueue(sink).replay(connection, key) + AlertsQueue(sink).replay(connection, key)


class Deliveries:
    """The workers of all destinations.

    Args:
        database: where desired state, alerts and receipts are.
        sinks: the destinations.
        publish: puts receipts and dead letters on the log (`sinks.publishing.to_log`).
        clock: unix seconds now.
        rng: jitter.
        told: called with a sink and the accounts of every call that was recorded, for live pages.
    """

    def __init__(
        self,
        database: Database,
        sinks: Sequence[Sink],
        publish: Publish,
        *,
        clock: Callable[[], float] = time.time,
        rng: Random | None = None,
        told: Callable[[str, Sequence[str]], None] = lambda _sink, _accounts: None,
    ) -> None:
        self._database = database
        self._clock = clock
        rng = rng or SystemRandom()
        self._workers = [
            Worker(s, queue_of(s), database, publish=publish, clock=clock, rng=rng, told=told) for s in sinks
        ]
        self._tasks: list[asyncio.Task[None]] = []
        self._tidying: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Begin to push, in the running loop."""
        self._loop = asyncio.get_running_loop()
        names = [worker.sink.name for worker in self._workers]
        await asyncio.wrap_future(self._database.write(lambda connection: destinations.begin(connection, names)))
        self._tasks = [asyncio.create_task(w.run(), name=f"deliver to {w.sink.name}") for w in self._workers]
        self._tidying = asyncio.create_task(self._tidy(), name="forget old receipts")

    async def stop(self, grace: float = GRACE) -> None:
        """Let the calls under way end, for `grace` seconds; what is cut off is pushed again at the next start."""
        self._loop = None
        for worker in self._workers:
            worker.stop()
        tasks, self._tasks = self._tasks, []
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._tidying:
            self._tidying.cancel()

    def wake(self) -> None:
        """Something may be due: look now. From any thread; does nothing unless started."""
        if (loop := self._loop) is None:
            return
        try:
            for worker in self._workers:
                loop.call_soon_threadsafe(worker.wake)
        except RuntimeError:  # the loop was closed meanwhile: there is nobody to wake
            return

    async def pause(self, sink: str, reason: str = "paused by hand") -> None:
        """Push nothing to `sink` until it is resumed."""
        await asyncio.wrap_future(self._database.write(lambda connection: destinations.pause(connection, sink, reason)))

    async def resume(self, sink: str) -> None:
        """Push to `sink` again, at once."""
        await asyncio.wrap_future(self._database.write(lambda connection: destinations.resume(connection, sink)))
        self.wake()

    async def replay(self, sink: str, key: str | None = None) -> int:
        """Make what `sink` rejected due again, all or one; how many there were."""
        many = await asyncio.wrap_future(self._database.write(lambda connection: replay(connection, sink, key)))
        self.wake()
        return many

    async def again(self, sink: str) -> int:
        """Push all that `sink` should show, whatever it was told before; how many accounts that are."""
        many = await asyncio.wrap_future(self._database.write(FieldsQueue(sink).again))
        self.wake()
        return many

    async def _tidy(self) -> None:
        while True:
            forget = partial(receipts.forget, before=self._clock() - receipts.KEEP)
            try:
                many = await asyncio.wrap_future(self._database.write(forget))
            except Exception:  # noqa: BLE001 - kept a little longer, no harm
                many = 0
                _log.exception("sinks.receipts_kept")
            await asyncio.sleep(0.1 if many else _TIDY)
