"""Retention is the broker's and waits for nobody."""

import asyncio

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from hub.streams.accounting import add_up, given_up
from hub.streams.kafka.broker import Broker
from hub.streams.opening import open_log
from hub.streams.testing import run_until_idle, until_idle
from tests.streams.kit import PARTITIONS, Keeper, Place, numbers


def expire(url, before):
    """Have the broker let go of the records of partition 0 before an offset."""

    async def run():
        broker = Broker.at(url)
        admin = AIOKafkaAdminClient(**broker.client())
        await admin.start()
        try:
            events = TopicPartition(broker.named("events"), 0)
            await admin.delete_records({events: RecordsToDelete(before_offset=before)})
        finally:
            await admin.close()

    asyncio.run(run())


def test_what_went_before_it_was_read_is_told_counted_and_passed_over(url, database, tmp_path, caplog):
    log = open_log(url, PARTITIONS, database)
    place = Place(tmp_path, database, log)
    room = Keeper()
    place.append(*numbers(0, 400))
    ends = log.ends("events")
    expire(url, 30)
    assert log.starts("events")[0] == 30
    run_until_idle(place.streams(room))
    place.append(*numbers(400, 440))
    run_until_idle(place.streams(room))
    told = [record for record in caplog.records if record.getMessage() == "kafka.expired_unread"]
    assert [(record.partition, record.records) for record in told] == [(0, 30)]
    assert log.counters()[f"expired.{log.named('test.keep')}"] == 30
    assert len(room.applied) == 410
    books = place.offsets("test.keep")
    assert (books["next"], books["applied"], books["dead_lettered"]) == (440, 410, 30)
    assert add_up([books], log.ends("events"), {}).balanced
    assert sum(ends.values()) == 400
    log.close()


def test_a_room_that_reads_is_overtaken_by_retention_and_goes_on(url, database, tmp_path, caplog):
    log = open_log(url, PARTITIONS, database)
    place = Place(tmp_path, database, log)
    room = Keeper()
    streams = place.streams(room)
    going, held = asyncio.Event(), asyncio.Event()

    async def run():
        async with streams:
            loop = asyncio.get_running_loop()

            def hold(*_):
                loop.call_soon_threadsafe(going.set)
                asyncio.run_coroutine_threadsafe(held.wait(), loop).result(30)

            room.before = hold
            place.append(b"one")
            await going.wait()
            # the open batch takes `most`; what the broker sent beyond that is at most a MiB of each partition
            big = [b"%06d" % n + b"x" * 2_000 for n in range(12_000)]
            for first in range(0, len(big), 1_000):
                await asyncio.to_thread(place.append, *big[first : first + 1_000])
            ends = await asyncio.to_thread(log.ends, "events")
            await asyncio.to_thread(expire, url, ends[0] - 10)  # a room moves on by what it reads
            held.set()
            await until_idle(streams, 60)

    asyncio.run(run())
    lost = sum(record.records for record in caplog.records if record.getMessage() == "kafka.expired_unread")
    assert lost > 0
    assert len(room.applied) == 12_001 - lost
    assert log.counters()[f"expired.{log.named('test.keep')}"] == lost
    books = place.offsets("test.keep")
    assert (books["applied"], books["dead_lettered"]) == (12_001 - lost, lost)
    assert add_up([books], log.ends("events"), {}).balanced
    log.close()


def test_what_went_is_booked_also_where_nothing_comes_after_it(url, database, tmp_path):
    log = open_log(url, PARTITIONS, database)
    place = Place(tmp_path, database, log)
    room = Keeper("scoring.rescore")
    place.append(*numbers(0, 400))
    last = log.ends("events")[0]
    expire(url, last)
    run_until_idle(place.streams(room))
    books = place.offsets("scoring.rescore")
    assert (books["next"], books["applied"], books["dead_lettered"]) == (400, 400 - last, last)
    assert add_up([books], log.ends("events"), {}).balanced
    with database.read() as connection:
        assert given_up(connection) == last
    log.close()
