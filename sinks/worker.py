"""One destination's worker: takes what is due, pushes it, records what became of it.

It runs where the destination's lease is held, alone among all processes, and makes one call at a time. That is what
keeps an older value from arriving after a newer one, and what keeps a dead destination from slowing any other. What
remains when a process is paused in the middle of a call is in docs/adr/0011-deliveries-run-alone.md.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection

from hub import metrics, tracing
from hub.ingest.deadletters import Dead, letter_id
from hub.sdk.contracts import Ok, Outcome, Pending, Retry, Sink
from hub.sdk.errors import CredentialsError, RateLimitedError, RetryLaterError
from hub.store.database import Database
from hub.store.expendable.client import Expendable
from hub.store.leases import Lease, LeaseLostError
from hub.streams.room import Message
from hub.streams.topics import DEAD_LETTERS, DELIVERIES
from sinks import breaker, destinations, receipts
from sinks.breaker import Destination
from sinks.late import Late
from sinks.outcomes import Settled, one_each, settle
from sinks.pace import Pace
from sinks.publishing import Publish
from sinks.queue import Item, Queue

IDLE: Final = 1.0  # seconds between looks when nobody wakes us (a command in another process cannot)
PATIENCE: Final = 60.0  # seconds a sink may take for one call
_log = logging.getLogger(__name__)


class _Look(NamedTuple):
    destination: Destination
    jobs: dict[str, list[Item]]
    due: list[Item]


class _Called(NamedTuple):
    outcomes: list[Outcome]
    destination: Destination
    counts: bool  # whether what failed counts as an attempt of each record


class Worker:
    """Empties the queue of one sink.

    Args:
        sink: where to.
        queue: its rows.
        database: where they are.
        publish: puts receipts and dead letters on the log.
        clock: unix seconds now.
        rng: jitter.
        told: called with the accounts of every call that was recorded, for live pages.
        patience: seconds a call may take before it counts as failed.
        pace: how fast it may push; None: as its sink says, by this process alone.
    """

    def __init__(
        self,
        sink: Sink,
        queue: Queue,
        database: Database,
        *,
        publish: Publish,
        clock: Callable[[], float],
        rng: Random,
        told: Callable[[str, Sequence[str]], None] = lambda _sink, _accounts: None,
        patience: float = PATIENCE,
        pace: Pace | None = None,
    ) -> None:
        self.sink = sink
        self.queue = queue
        self._database = database
        self._publish = publish
        self._clock = clock
        self._rng = rng
        self._told = told
        self._patience = patience
        self._pace = pace or Pace(sink, Expendable(None))
        self._late = Late(sink, queue, database, clock, patience)
        self._unsure: tuple[float, list[str]] | None = None
        self._woken = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Look now; from the loop's own thread."""
        self._woken.set()

    def stop(self) -> None:
        """Finish the call under way, then `run` returns."""
        self._stopping = True
        self._woken.set()

    async def run(self, lease: Lease) -> None:
        """Push until told to stop. A failing database or log is said once and waited for.

        Raises:
            LeaseLostError: another process does it now.
        """
        troubled, taken = 0, False
        while not self._stopping:
            self._woken.clear()
            try:
                if not taken:
                    await self._take_over()
                taken = True
                busy = await self.once(lease)
                if troubled:
                    _log.warning("sinks.worker_back", extra={"sink": self.sink.name})
                troubled = 0
            except LeaseLostError:
                raise
            except Exception:  # noqa: BLE001 - the database's or the log's trouble; rows stay due
                if not troubled:
                    _log.exception("sinks.worker_halted", extra={"sink": self.sink.name})
                troubled, busy = troubled + 1, False
            if not busy and not self._stopping:
                await self._rest(min(IDLE * 2**troubled, 60.0) if troubled else IDLE)

    async def stand_by(self) -> None:
        """What is left to do while another process pushes: say which calls of ours may have come too late."""
        await self._late.say()

    async def once(self, lease: Lease) -> bool:
        """Ask after every job that is due, then push one batch; whether there was anything to do.

        Raises:
            LeaseLostError: another process does it now. Nothing was recorded.
        """
        await self._late.say()
        await self._doubt(lease)
        look = await asyncio.to_thread(self._look)
        destination = look.destination
        for job, items in look.jobs.items():
            began = time.monotonic()
            # a job we could not ask after may still be running: nothing else is pushed for these until it is over
            called = await self._call(
                lambda job=job, items=items: self.sink.poll(job, [i.delivery for i in items]),  # type: ignore[misc]
                items,
                destination,
                lambda _reason, job=job: Pending(job),  # type: ignore[misc]
            )
            destination = await self._record(lease, items, called, destination, time.monotonic() - began)
            if not destination.lets_through(self._clock()):
                return True
        if look.due and (wait := await self._pace.wait()):
            await asyncio.sleep(wait)  # and look again: by then newer values may be due
        elif look.due:
            await self._push(lease, look.due, destination)
        return bool(look.due or look.jobs)

    async def _take_over(self) -> None:
        """Remember what our predecessor had under way; those rows are due, and due once more when that has ended."""

        def read() -> list[str]:
            with self._database.read() as connection:
                return self.queue.unsure(connection)

        rows = await asyncio.to_thread(read)
        self._unsure = (self._clock() + self._patience, rows) if rows else None

    async def _doubt(self, lease: Lease) -> None:
        if self._unsure is not None and self._clock() >= self._unsure[0]:
            rows = self._unsure[1]
            await lease.write(lambda connection: self.queue.doubt(connection, rows))
            self._unsure = None

    async def _push(self, lease: Lease, items: Sequence[Item], destination: Destination) -> None:
        await lease.write(lambda connection: self.queue.begin(connection, items))
        await lease.ensure()
        called = None
        try:
            began = time.monotonic()
            called = await self._call(lambda: self.sink.push([i.delivery for i in items]), items, destination, Retry)
            await self._record(lease, items, called, destination, time.monotonic() - began)
        except (LeaseLostError, asyncio.CancelledError):  # cancelled at the lease's end, if not by our own
            self._late.add(items, called.outcomes if called else None)
            raise

    def _look(self) -> _Look:
        now = self._clock()
        with self._database.read() as connection:
            destination = destinations.load(connection, self.sink.name)
            if not destination.lets_through(now):
                return _Look(destination, {}, [])
            # one is enough to see whether it is back, and singles out a record that makes every call fail
            limit = 1 if destination.down else max(1, self.sink.batch)
            return _Look(
                destination,
                self.queue.jobs(connection, now),
                self.queue.due(connection, now, limit),
            )

    async def _call(
        self,
        ask: Callable[[], Awaitable[Sequence[Outcome]]],
        items: Sequence[Item],
        destination: Destination,
        otherwise: Callable[[str], Outcome],
    ) -> _Called:
        """What the sink answered; when it raises, `otherwise` of the reason for each record."""
        try:
            async with asyncio.timeout(self._patience):
                outcomes = one_each(items, await ask())
        except Exception as error:  # noqa: BLE001 - a sink's own fault is a failure of its records, and of nothing else
            reason, after, counts = self._raised(error, destination)
            return _Called([otherwise(reason)] * len(items), after, counts)
        took = any(isinstance(o, Ok | Pending) for o in outcomes)
        return _Called(outcomes, breaker.answered(destination, self._clock(), took=took), counts=True)

    def _raised(self, error: Exception, destination: Destination) -> tuple[str, Destination, bool]:
        """Why, how the destination is now, and whether it counts as a failed attempt of each record."""
        now, reason = self._clock(), str(error) or type(error).__name__
        match error:
            case CredentialsError():
                return reason, breaker.refused(destination, reason), False
            case RateLimitedError():
                return reason, breaker.limited(destination, reason, now, error.after), False
            case TimeoutError():
                reason = f"no answer within {self._patience:g} s"
            case RetryLaterError():
                pass
            case _:
                reason = f"{type(error).__name__}: {reason}"
        return reason, breaker.failed(destination, reason, now, self._rng), True

    async def _record(
        self, lease: Lease, items: Sequence[Item], called: _Called, was: Destination, took: float
    ) -> Destination:
        """Write down what became of them: dead letters first (a crash repeats them), then the rows, then the news."""
        now = self._clock()
        settled = [
            settle(item, outcome, now, self._rng, counts=called.counts)
            for item, outcome in zip(items, called.outcomes, strict=True)
        ]
        name = self.sink.name
        if dead := [_dead(name, one, now) for one in settled if one.word == "reject"]:
            await self._publish(DEAD_LETTERS, dead)
        # a job that is still not done was told when it began
        news = [one for one in settled if not (one.word == "pending" and one.item.job)]
        written = receipts.write(name, news, now, took)
        metrics.CALL.labels(name).observe(took)
        for one in news:
            metrics.DELIVERED.labels(name, one.word).inc()

        def record(connection: Connection) -> None:
            self.queue.settle(connection, settled, now)
            receipts.keep(connection, written)
            destinations.save(connection, name, was, called.destination)

        await lease.write(record)
        self._say(was, called.destination)
        if written:
            await self._publish(DELIVERIES, [Message(r.account.encode(), msgspec.json.encode(r)) for r in written])
        self._told(name, sorted({r.account for r in written}))
        if (traces := tracing.current()) is not None:
            from sinks.tracing import tell  # noqa: PLC0415 - needs an extra

            await asyncio.to_thread(tell, traces, self._database, self.sink, news, took)
        return called.destination

    def _say(self, was: Destination, now: Destination) -> None:
        """Once when it goes down, once when it is back, once when it pauses."""
        facts = {"sink": self.sink.name, "reason": now.reason}
        if now.paused and not was.paused:
            _log.error("sinks.paused", extra=facts)
        elif now.down and not was.down:
            _log.warning("sinks.down", extra=facts)
        elif was.down and not now.down:
            _log.warning("sinks.back", extra=facts)

    async def _rest(self, longest: float) -> None:
        try:
            async with asyncio.timeout(longest):
                await self._woken.wait()
        except TimeoutError:
            return


def _dead(sink: str, one: Settled, now: float) -> Message:
    delivery = one.item.delivery
    letter = Dead(
        id=letter_id("deliver", sink, one.item.row.encode()),
        at=now,
        stage="deliver",
        connection=sink,
        reason=one.reason or "",
        context={"sink": sink, "account": delivery.account, "key": one.item.row},
        body=one.item.body.encode(),
    )
    return Message(sink.encode(), msgspec.json.encode(letter))
