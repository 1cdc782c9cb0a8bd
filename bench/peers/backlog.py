"""What all engines read: one backlog on Kafka, events of few customers mostly, some of them twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, NamedTuple

import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError

from bench.peers.check import Expected, decode
from bench.peers.listed import Message
from bench.peers.publishing import producer, publish
from bench.traffic import Told, entries, traffic
from hub import Health
from hub.streams.log import Entry

TWICE: Final = 0.02


class Backlog(NamedTuple):
    """A filled topic, and what it comes to."""

    topic: str
    records: int
    distinct: int
    expected: Expected


def backlog(events: int, accounts: int) -> list[Told]:
    """Events in order of time, and a share of them once more, somewhere later."""
    told = traffic(events, accounts)
    chance = np.random.default_rng(events)
    again = chance.choice(events, int(events * TWICE), replace=False)
    behind = chance.integers(again, events)
    order = np.argsort(np.concatenate([np.arange(events), behind + 0.5]), kind="stable")
    both = [*told, *(told[place] for place in again.tolist())]
    return [both[place] for place in order.tolist()]


def fill(broker: str, topic: str, told: Sequence[Told], partitions: int) -> None:
    """Put these events on a topic, as the door would have appended them."""

    async def main() -> None:
        sender = await producer(broker)
        try:
            await publish(sender, topic, [_message(entry) for entry in entries(told, partitions)])
        finally:
            await sender.stop()

    asyncio.run(main())


def make(broker: str, topic: str, partitions: int) -> None:
    """A new topic, empty."""
    asyncio.run(_make(broker, topic, partitions))


def published(broker: str, topic: str, partitions: int) -> list[Health]:
    """Every health on a topic, in order by account; what no transaction finished is not there."""

    async def main() -> list[Health]:
        async with _reader(broker, topic, partitions) as (reader, ends):
            found = []
            while any([await reader.position(at) < end for at, end in ends.items()]):
                for records in (await reader.getmany(timeout_ms=200)).values():
                    found += [decode(record.value) for record in records]
            return found

    return asyncio.run(main())


def arrived(broker: str, topic: str, partitions: int, records: int, patience: float = 30.0) -> None:
    """Wait until so many records are on a topic. Raises TimeoutError."""

    async def main() -> None:
        async with _reader(broker, topic, partitions) as (reader, ends):
            while sum(ends.values()) < records:
                await asyncio.sleep(0.01)
                ends = await reader.end_offsets(list(ends))  # noqa: PLW2901 - what was asked before is of no use

    asyncio.run(asyncio.wait_for(main(), patience))


def assigned(broker: str, group: str, members: int, patience: float) -> None:
    """Wait until a consumer group has so many members, and has divided its partitions. Raises TimeoutError."""

    async def main() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        try:
            while True:
                with suppress(GroupCoordinatorNotAvailableError):  # a new broker has yet to find one
                    for answer in await admin.describe_consumer_groups([group]):
                        _, _, state, _, _, there, *_ = answer.groups[0]
                        if state == "Stable" and len(there) == members:
                            return
                await asyncio.sleep(0.1)
        finally:
            await admin.close()

    asyncio.run(asyncio.wait_for(main(), patience))


async def _make(broker: str, topic: str, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1)])
    finally:
        await admin.close()


@asynccontextmanager
async def _reader(
    broker: str, topic: str, partitions: int
) -> AsyncIterator[tuple[AIOKafkaConsumer, dict[TopicPartition, int]]]:
    reader = AIOKafkaConsumer(
        bootstrap_servers=broker,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    await reader.start()
    try:
        all_of_them = [TopicPartition(topic, partition) for partition in range(partitions)]
        reader.assign(all_of_them)
        await reader.seek_to_beginning(*all_of_them)
        yield reader, await reader.end_offsets(all_of_them)
    finally:
        await reader.stop()


def _message(entry: Entry) -> Message:
    assert entry.key is not None
    assert entry.value is not None
    return Message(entry.partition, entry.key, entry.value)
