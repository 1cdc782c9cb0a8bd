"""Stock Faust: an agent that takes one event at a time, or `take(500)`; nothing of ours but the listed work.

Faust commits offsets to Kafka after the fact; that `seen` knows what was applied makes a redelivery harmless.
Otherwise than listed: a crash between the transaction and the broker's answer loses that health's message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import faust

from bench.peers.job import Job, Stopwatch, folder, job
from bench.peers.listed import Given, Listed
from bench.peers.store import Bulk, Single, connect

_TAKE = 500
_WITHIN = 0.05


def main(job: Job) -> None:
    app = faust.App(
        job.group,
        broker=f"kafka://{job.broker}",
        datadir=str(folder(job, "faust")),
        key_serializer="raw",
        value_serializer="raw",
        store="memory://",
        topic_partitions=job.partitions,
        topic_disable_leader=True,
        web_enabled=False,
    )
    events = app.topic(job.events, key_type=bytes, value_type=bytes)
    health = app.topic(job.health, key_type=bytes, value_type=bytes)
    watch, listed, connection = Stopwatch(job.records), Listed(), connect(job.database)
    store = Single(connection) if job.mode == "event" else Bulk(connection)

    async def apply(some: Sequence[Any]) -> None:
        watch.start()
        given = [Given(one.message.partition, one.message.offset, one.message.key, one.value) for one in some]
        for message in listed.apply(store, given):
            await health.send(key=message.key, value=message.value, partition=message.partition)
        if watch.done(len(given)):
            await app.producer.flush()
            watch.finish()

    if job.mode == "event":

        @app.agent(events)
        async def by_event(stream: Any) -> None:
            async for event in stream.events():
                await apply([event])

    else:

        @app.agent(events)
        async def by_take(stream: Any) -> None:
            async for some in stream.take_events(_TAKE, within=_WITHIN):
                await apply(some)

    faust.Worker(app, loglevel="ERROR", redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main(job())
