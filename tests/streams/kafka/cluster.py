"""A share of the tests' Kafka that nobody else uses, and that leaves nothing behind."""

import asyncio
import os
import uuid
from contextlib import contextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from hub.streams.kafka.broker import Broker


@contextmanager
def cluster():
    """URL of a prefix of the shared broker; its topics go afterwards. The test is skipped where there is no broker."""
    at = os.environ.get("PULSEHUB_TEST_BROKER")
    if not at:
        pytest.skip("needs Kafka: make servers")
    url = f"{at}/test-{uuid.uuid4().hex[:12]}"
    yield url
    asyncio.run(forget(url))


async def forget(url, *topics):
    """Delete the topics of a prefix, or those of them that are named."""
    broker = Broker.at(url)
    admin = AIOKafkaAdminClient(**broker.client())
    await admin.start()
    try:
        ours = [topic for topic in await admin.list_topics() if topic.startswith(f"{broker.prefix}.")]
        wanted = [broker.named(topic) for topic in topics] or ours
        if wanted:
            await admin.delete_topics(wanted)
        while set(wanted) & set(await admin.list_topics()):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    finally:
        await admin.close()
