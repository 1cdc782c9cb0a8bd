"""A bare loop over aiokafka: a thread applies a batch while the loop fetches the next and publishes the last.

Positions are written in the transaction of what they brought, so nothing is applied twice. Left out: a rebalance, and
a crash between a commit and the broker's answer loses those messages (the ledger has them, but nobody looks).
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.peers.job import Job, Stopwatch, job
from bench.peers.listed import Given, Listed
from bench.peers.publishing import producer, publish
from bench.peers.store import Bulk, connect

MOST: Final = 4_000  # as our own agent takes at once


async def main(job: Job) -> None:
    watch, listed, store = Stopwatch(job.records), Listed(), Bulk(connect(job.database))
    consumer, sender = await reader(job), await producer(job.broker)
    sent: asyncio.Task[None] | None = None
    while True:
        found = await consumer.getmany(max_records=MOST, timeout_ms=100)
        given = [
            Given(at.partition, record.offset, record.key, record.value)
            for at, records in found.items()
            for record in records
        ]
        if not given:
            continue
        watch.start()
        messages = await asyncio.to_thread(listed.apply, store, given)
        if sent:
            await sent
        sent = asyncio.create_task(publish(sender, job.health, messages))
        if watch.done(len(given)):
            await sent
            watch.finish()


async def reader(job: Job) -> AIOKafkaConsumer:
    """A consumer of all partitions, from their beginning."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=job.broker, enable_auto_commit=False, max_partition_fetch_bytes=4 << 20
    )
    await consumer.start()
    partitions = [TopicPartition(job.events, partition) for partition in range(job.partitions)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    return consumer


if __name__ == "__main__":
    asyncio.run(main(job()))
