"""The bare loop once more, around the very room that our engine runs: what the engine costs is what lies between them.

The database's writer thread applies a batch while the loop fetches the next and publishes the last.
"""

from __future__ import annotations

import asyncio

from aiokafka import TopicPartition

from bench.bare import Hand
from bench.peers.bare import MOST, reader
from bench.peers.job import Job, Stopwatch, job
from bench.peers.listed import Message
from bench.peers.publishing import producer, publish
from hub.store.database import Database
from hub.streams.room import Record
from hub.streams.topics import HEALTH
from scoring.loading import load
from scoring.rescore import Rescore


async def main(job: Job) -> None:
    watch = Stopwatch(job.records)
    with Database(job.database) as database:
        hand = Hand(Rescore(database, load(), "wall", job.partitions), job.partitions)
        await asyncio.wrap_future(database.write(hand.begin))
        consumer, sender = await reader(job), await producer(job.broker)
        for partition, offset in hand.next.items():
            consumer.seek(TopicPartition(job.events, partition), offset)
        sent: asyncio.Task[None] | None = None
        while True:
            found = await consumer.getmany(max_records=MOST, timeout_ms=100)
            records = [
                Record(one.partition, one.offset, one.timestamp / 1_000, one.key, one.value)
                for some in found.values()
                for one in some
            ]
            if not records:
                continue
            watch.start()
            said = database.write(lambda connection, some=records: hand.apply(connection, some))
            entries = await asyncio.wrap_future(said)
            hand.accept()
            if sent:
                await sent
            messages = [Message(one.partition, one.key, one.value) for one in entries if one.topic == HEALTH.name]
            sent = asyncio.create_task(publish(sender, job.health, messages))
            if watch.done(len(records)):
                await sent
                watch.finish()


if __name__ == "__main__":
    asyncio.run(main(job()))
