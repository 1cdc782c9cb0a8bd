"""A group that is new: aiokafka asks it for offsets that nobody ever told it, and may do so before we go elsewhere."""

import asyncio
from contextlib import closing

from aiokafka import TopicPartition
from aiokafka.errors import NoOffsetForPartitionError

from hub.streams.opening import open_log
from hub.streams.testing import until_idle
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
