"""A topic that is made anew while a worker lives: it goes on in the new one, or stops; it never passes records over."""

import asyncio
from functools import partial

from aiokafka import AIOKafkaConsumer
from sqlalchemy import text

from hub.streams.aligning import align
from hub.streams.kafka import membership
from hub.streams.opening import open_log
from hub.streams.streams import Streams
from tests.streams.kafka.cluster import forget
from tests.streams.kit import PARTITIONS, Keeper, Place, numbers, until


def test_a_topic_that_another_process_began_anew_is_read_from_its_beginning(url, database, tmp_path, monkeypatch):
    soon = partial(AIOKafkaConsumer, metadata_max_age_ms=500)  # else it sees within five minutes what topics there are
    monkeypatch.setattr(membership, "AIOKafkaConsumer", soon)
    log = open_log(url, PARTITIONS, database)
    place, room = Place(tmp_path, database, log), Keeper()

    def begin_anew():
        asyncio.run(forget(url, "events"))
        other = open_log(url, PARTITIONS, database)
        align(database, other)
        Place(tmp_path, database, other).append(*numbers(100, 250), key=b"k")
        other.close()

    async def run():
        streams = place.streams(room)
        async with streams:
            await asyncio.to_thread(place.append, *numbers(0, 100), key=b"k")
            await until(lambda: len(room.applied) == 100)
            await asyncio.to_thread(begin_anew)
            await until(lambda: len(room.applied) >= 250 or streams.failed, 60)
        if streams.failed:  # it saw the new topic before it was told that it is new, and stopped: it is started again
            async with place.streams(room):
                await until(lambda: len(room.applied) >= 250, 60)

    asyncio.run(run())
    assert room.applied == numbers(0, 250)
    assert place.offsets(room.name)["next"] == 250
    log.close()


def test_a_topic_that_ends_before_what_was_read_of_it_fails_the_room(url, database, tmp_path, monkeypatch):
    log = open_log(url, PARTITIONS, database)
    place, room = Place(tmp_path, database, log), Keeper()
    place.append(*numbers(0, 10), key=b"k")
    monkeypatch.setattr(Streams, "_align", lambda _: None)  # it happens under a worker that lives

    async def run():
        async with place.streams(room):
            await until(lambda: len(room.applied) == 10)
        moved = text("update offsets set next = 20 where next = 10")
        database.write(lambda connection: connection.execute(moved) and None).result()
        streams = place.streams(room)
        async with streams:
            await until(lambda: streams.failed)
        return streams.failed

    assert "ends before what was read of it" in asyncio.run(run())
    log.close()
