"""Publishing well with aiokafka: whole record batches, one acknowledgement for each, idempotent, all replicas."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable

from aiokafka import AIOKafkaProducer

from bench.peers.listed import Message


async def producer(broker: str) -> AIOKafkaProducer:
    """A producer that is connected."""
    made = AIOKafkaProducer(bootstrap_servers=broker, acks="all", enable_idempotence=True, max_batch_size=1 << 20)
    await made.start()
    return made


async def publish(producer: AIOKafkaProducer, topic: str, messages: Iterable[Message]) -> None:
    """All partitions side by side; returns when all of it is acknowledged."""
    groups: dict[int, list[Message]] = defaultdict(list)
    for message in messages:
        groups[message.partition].append(message)
    await asyncio.gather(*(_one(producer, topic, partition, group) for partition, group in groups.items()))


async def _one(producer: AIOKafkaProducer, topic: str, partition: int, messages: list[Message]) -> None:
    waiting, batch = [], producer.create_batch()
    for message in messages:
        if batch.append(key=message.key, value=message.value, timestamp=None) is None:
            waiting.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(key=message.key, value=message.value, timestamp=None)
    waiting.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*waiting)
