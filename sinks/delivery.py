"""Delivery as one thing to start and stop: a worker per destination, wherever that destination's lease is held."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from random import Random, SystemRandom
from typing import Final

from sqlalchemy import Connection

from hub.sdk.contracts import Sink
from hub.store.database import Database
from hub.store.expendable.client import Expendable
from hub.store.heartbeats import identity
from hub.store.leases import Lease, Leases
from hub.store.led import Led
from sinks import destinations, receipts
from sinks.alerts_queue import AlertsQueue
from sinks.fields_queue import FieldsQueue
from sinks.pace import Pace
from sinks.publishing import Publish
from sinks.queue import Queue
from sinks.worker import Worker

GRACE: Final = 5.0  # seconds a call under way may take to end when we stop
_TIDY: Final = 3_600.0


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
    """The workers of all destinations; of those processes that have the same, one pushes to each destination.

    Args:
        database: where desired state, alerts and receipts are.
        sinks: the destinations.
        publish: puts receipts and dead letters on the log (`sinks.publishing.to_log`).
        clock: unix seconds now.
        rng: jitter.
        told: called with a sink and the accounts of every call that was recorded, for live pages.
        leases: this process'; None: no other process delivers.
        redis: through which processes share the pace of a destination; None: each keeps it by itself.
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
        leases: Leases | None = None,
        redis: Expendable | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._leases = leases or Leases(database, identity(), alone=True)
        self._rng = rng = rng or SystemRandom()
        self._workers = [
            Worker(
                s,
                queue_of(s),
                database,
                publish=publish,
                clock=clock,
                rng=rng,
                told=told,
                pace=Pace(s, redis or Expendable(None)),
            )
            for s in sinks
        ]
        self._led: list[Led] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._tidying: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Begin to push, in the running loop, or to stand by."""
        self._loop = asyncio.get_running_loop()
        names = [worker.sink.name for worker in self._workers]
        await asyncio.wrap_future(self._database.write(lambda connection: destinations.begin(connection, names)))
        self._led = [
            Led(self._leases, f"deliver:{w.sink.name}", w.run, standby=w.stand_by, rng=self._rng) for w in self._workers
        ]
        self._tasks = [asyncio.create_task(led.run(), name=led.name) for led in self._led]
        tidy = Led(self._leases, "housekeeping:receipts", self._tidy, rng=self._rng)
        self._tidying = asyncio.create_task(tidy.run(), name=tidy.name)

    async def stop(self, grace: float = GRACE) -> None:
        """Let the calls under way end, for `grace` seconds; what is cut off is pushed again at the next start.

        Another process that stands by goes on within a second.
        """
        self._loop = None
        for worker, led in zip(self._workers, self._led, strict=False):  # none, unless started
            worker.stop()
            led.stop()
        if self._tidying:
            self._tidying.cancel()
        tasks, self._tasks = self._tasks, []
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._tidying:
            await asyncio.gather(self._tidying, return_exceptions=True)

    @property
    def holds(self) -> list[str]:
        """The destinations this process pushes to now."""
        return [w.sink.name for w, led in zip(self._workers, self._led, strict=False) if led.holds]

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

    async def _tidy(self, lease: Lease) -> None:
        while True:
            many = await lease.write(partial(receipts.forget, before=self._clock() - receipts.KEEP))
            await asyncio.sleep(0.1 if many else _TIDY)
