"""A group that is new: what it does not know yet, and what its members' clients do not."""

import asyncio
from collections import Counter
from contextlib import closing

from aiokafka import TopicPartition
from aiokafka.errors import NoOffsetForPartitionError

from hub.streams.kafka.declaring import Admin
from hub.streams.opening import open_log
from hub.streams.testing import until_idle
from hub.streams.topics import HEALTH
from tests.streams.kit import PARTITIONS, Keeper, Place, numbers, until


def test_what_the_group_does_not_know_is_no_broker_that_is_away(tmp_path, database, url, caplog):
    room = Keeper()
    with closing(open_log(url, PARTITIONS, database)) as log:
        place = Place(tmp_path, database, log)
        streams = place.streams(room)

        async def run():
            async with streams:
                place.append(*numbers(0, 10))
                await until(lambda: len(room.applied) == 10)
                kafka = streams._apps[0].consumer._kafka
                for partition in range(PARTITIONS):  # as where it asked before we had gone where the database stands
                    tp = TopicPartition(log.named("events"), partition)
                    kafka._fetcher._set_error(tp, NoOffsetForPartitionError(tp))
                for waiter in kafka._fetcher._fetch_waiters:
                    kafka._fetcher._notify(waiter)
                place.append(*numbers(10, 30))
                await until(lambda: len(room.applied) == 30)
                assert streams._apps[0].consumer._kafka is kafka  # it did not leave its group for that
                await until_idle(streams)

        asyncio.run(run())
    assert sorted(room.applied) == numbers(0, 30)
    assert [one.getMessage() for one in caplog.records if one.name.startswith("hub.streams")] == []


def test_a_topic_that_was_not_seen_when_shares_were_given_out_is_shared_out_soon(tmp_path, database, url):
    """Servers of a cluster learn of a new topic one after another; a group asks one that may not know it."""
    room = Keeper()
    with closing(open_log(url, PARTITIONS, database)) as log:
        place = Place(tmp_path, database, log)
        streams = place.streams(room)

        async def remove(topic):
            admin = Admin(**log.broker.client())
            await admin.start()
            await admin.delete_topics([topic])
            while await admin.partitions(topic) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            await admin.close()

        async def run():
            await remove(log.named("events"))
            async with streams:
                await until(streams.ready)
                assert not any(streams.held().values())
                with closing(open_log(url, PARTITIONS, database)) as another:
                    await asyncio.to_thread(Place(tmp_path, database, another).append, *numbers(0, 10))
                await until(lambda: len(room.applied) == 10)

        asyncio.run(run())
    assert sorted(room.applied) == numbers(0, 10)


def test_a_topic_just_made_is_seen_when_we_say_that_it_is_there(url, database, monkeypatch):
    asked = Counter()

    async def late(admin, topic, partitions=Admin.partitions):
        asked[topic] += 1
        return await partitions(admin, topic) if asked[topic] > 3 else None

    monkeypatch.setattr(Admin, "partitions", late)
    with closing(open_log(url, PARTITIONS, database)) as log:
        log.declare(HEALTH)
    assert asked[log.named("health")] == 4
