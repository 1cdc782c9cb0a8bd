"""How a record lies in the broker: acknowledged by all, numbered by its producer, compressed where the broker does."""

import asyncio
import time

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords

from hub.sdk.errors import ConfigError
from hub.streams.kafka.appending import Appending
from hub.streams.kafka.broker import Broker
from hub.streams.kafka.declaring import Admin
from hub.streams.log import Entry, LogError
from hub.streams.opening import open_log
from hub.streams.testing import run_until_idle
from hub.streams.topics import EVENTS
from tests.streams.kit import PARTITIONS, Keeper, Place, numbers

CODECS = {"gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


@pytest.fixture
def place(tmp_path, database, url):
    log = open_log(f"{url}?patience=3", PARTITIONS, database)
    log.declare(EVENTS)
    yield Place(tmp_path, database, log)
    log.close()


def compress(url, codec):
    """Somebody who operates the cluster has the broker compress a topic."""

    async def tell():
        broker = Broker.at(url)
        admin = Admin(**broker.client())
        await admin.start()
        topic = broker.named("events")
        own = {name: value for name, (value, theirs) in (await admin.settings(topic)).items() if theirs}
        await admin.change(topic, own | {"compression.type": codec})
        await admin.close()

    asyncio.run(tell())


def lying(url, partition=0):
    """The record batches of a partition as the broker keeps them."""

    async def ask():
        broker = Broker.at(url)
        topic = broker.named("events")
        async with AIOKafkaConsumer(**broker.client()) as consumer:
            where = TopicPartition(topic, partition)
            consumer.assign([where])
            await consumer.end_offsets([where])  # by now it knows who leads
            client = consumer._client
            asked = FetchRequest(100, 1, 1 << 24, 0, [(topic, [(partition, 0, 1 << 24)])])
            answer = await client.send(client.cluster.leader_for_partition(where), asked)
        return MemoryRecords(answer.topics[0][1][0][-1])

    records, found = asyncio.run(ask()), []
    while records.has_next():
        found.append(records.next_batch())
    return found


def append(place, *values):
    place.log.append([Entry("events", 0, b"k", value, time.time()) for value in values]).result(20)


def test_batches_are_numbered_by_their_producer_so_that_one_sent_again_is_kept_once(place, url):
    append(place, *numbers(0, 100))
    append(place, *numbers(100, 150))
    first, second = lying(url)
    assert first.producer_id >= 0
    assert (second.producer_id, second.producer_epoch) == (first.producer_id, first.producer_epoch)
    assert (first.base_sequence, second.base_sequence) == (0, 100)
    assert (first.compression_type, second.compression_type) == (0, 0)
    assert place.log._appending._producer._sender._acks == -1  # done is what all replicas in sync have


def append_compressed(place, url, codec):
    """Append until the broker has noticed how it is to keep what comes; what was appended."""
    sent = []
    while codec not in (kept := {batch.compression_type for batch in lying(url)}):
        assert len(sent) < 20_000, f"it compresses by {kept}"
        sent += numbers(len(sent), len(sent) + 100)
        append(place, *sent[-100:])
    return sent


@pytest.mark.parametrize("codec", CODECS)
def test_what_the_broker_compresses_is_read(place, url, codec):
    compress(url, codec)
    sent = append_compressed(place, url, CODECS[codec])
    assert [record.value for record in place.log.read("events", {0: 0}, 50_000)] == sent
    room = Keeper()
    run_until_idle(place.streams(room))
    assert room.applied == sent


def test_what_whoever_operates_the_broker_set_stays_when_a_hub_starts(place, url, database):
    compress(url, "lz4")
    again = open_log(url, PARTITIONS, database)
    again.declare(EVENTS)
    again.close()
    append_compressed(place, url, CODECS["lz4"])


@pytest.mark.parametrize("error", [ConfigError("cannot read ca="), RuntimeError("a mistake of ours"), KeyError("x")])
def test_what_was_not_sent_is_not_acknowledged_whatever_came_between(place, monkeypatch, error):
    append(place, b"before")

    async def unready(_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Appending, "_ready", unready)
        with pytest.raises(LogError, match=type(error).__name__):
            append(place, b"meanwhile")
    append(place, b"after")
    assert [record.value for record in place.log.read("events", {0: 0}, 10)] == [b"before", b"after"]
