"""Calls that ended, or may yet end, after their caller had lost its lease.

Another worker has gone on meanwhile, and may have told the destination something newer first. Whoever made such a call
says so when it wakes up: the rows are told again by whoever holds the lease now, so the destination ends at the newest
value all the same. This is the one thing a worker writes without its lease, and it only makes work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from hub.sdk.contracts import Ok, Outcome, Pending, Retry, Sink
from hub.store.database import Database
from sinks.outcomes import JOB_LIFE, Settled, one_each
from sinks.queue import Item, Queue

_UNKNOWN: Final = Retry("its end was not learned")
_GONE: Final = Retry("its job is over, or nobody knows")


class _Call(NamedTuple):
    settled: Sequence[Settled]
    at: float  # unix seconds before which it is not noted


class Late:
    """What is still to be said of calls of one destination.

    Args:
        sink: where to.
        queue: its rows.
        database: where they are.
        clock: unix seconds now.
        patience: seconds until a call that was cut off has surely been carried out over there, or never will be.
    """

    def __init__(
        self, sink: Sink, queue: Queue, database: Database, clock: Callable[[], float], patience: float
    ) -> None:
        self._sink = sink
        self._queue = queue
        self._database = database
        self._clock = clock
        self._patience = patience
        self._calls: list[_Call] = []
        self._jobs: dict[str, Sequence[Item]] = {}

    def add(self, items: Sequence[Item], outcomes: Sequence[Outcome] | None) -> None:
        """A call was made for these; None: it was cut off."""
        now = self._clock()
        settled = [_ended(*one) for one in zip(items, outcomes or [_UNKNOWN] * len(items), strict=True)]
        self._calls.append(_Call(settled, now))
        if outcomes is None or any(isinstance(one, Retry) for one in outcomes):  # it may be on its way yet
            self._calls.append(_Call(settled, now + self._patience))
        for job in {one.job for one in settled if one.job}:  # nobody else knows of it
            self._jobs[job] = [one.item for one in settled if one.job == job]

    async def say(self) -> None:
        """Write down what may be by now; what cannot be written stays."""
        now = self._clock()
        for call in [one for one in self._calls if one.at <= now]:
            await asyncio.wrap_future(self._database.write(partial(self._queue.late, settled=call.settled)))
            self._calls.remove(call)
        for job, items in list(self._jobs.items()):
            outcomes = await self._ask(job, items)
            if any(isinstance(one, Pending) for one in outcomes) and now - items[0].pushed_at < JOB_LIFE:
                continue
            del self._jobs[job]
            ended = [
                _ended(item, _GONE if isinstance(one, Pending) else one)
                for item, one in zip(items, outcomes, strict=True)
            ]
            self._calls.append(_Call(ended, now))

    async def _ask(self, job: str, items: Sequence[Item]) -> Sequence[Outcome]:
        try:
            async with asyncio.timeout(self._patience):
                return one_each(items, await self._sink.poll(job, [item.delivery for item in items]))
        except Exception:  # noqa: BLE001 - it may still be running
            return [Pending(job)] * len(items)


def _ended(item: Item, outcome: Outcome) -> Settled:
    """As far as it matters here: whether it was taken, and whether a job goes on."""
    match outcome:
        case Ok():
            return Settled(item, "ok")
        case Pending(job):
            return Settled(item, "pending", job=job)
        case _:
            return Settled(item, "retry")
