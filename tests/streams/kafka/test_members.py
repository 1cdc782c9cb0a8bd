"""Several workers of one room share its partitions out, and each record is applied by one of them."""

import asyncio
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import text

from hub.streams.books import Books
from hub.streams.opening import open_log
from hub.streams.streams import Streams
from hub.streams.topics import EVENTS, partition_of
from tests.streams.kit import Keeper, Place, entry, numbers, until

PARTITIONS = 12
MEMBER = Path(__file__).with_name("member.py")


@pytest.fixture
def place(tmp_path, database, url):
    log = open_log(f"{url}?session=3", PARTITIONS, database)
    log.declare(EVENTS)
    yield Place(tmp_path, database, log)
    log.close()


@pytest.fixture
def worker(place, url):
    """Another worker: a log of its own, the same database."""
    opened = []

    def worker(room):
        opened.append(open_log(f"{url}?session=3", PARTITIONS, place.database))
        streams = Streams(place.database, opened[-1])
        streams.add(room, app="test")
        return streams

    yield worker
    for log in opened:
        log.close()


def spread(value):
    return entry(value)._replace(partition=partition_of(value, PARTITIONS))


def shared_out(*workers):
    """Whether each partition is somebody's, and nobody's twice, in equal shares."""
    shares = [worker.held()["test.keep"] for worker in workers]
    everything = sorted(partition for share in shares for partition in share)
    return everything == list(range(PARTITIONS)) and max(map(len, shares)) - min(map(len, shares)) <= 1


def test_workers_join_and_leave_under_load_and_each_record_is_applied_once(place, worker):
    rooms = [Keeper(), Keeper(), Keeper()]
    workers = [worker(room) for room in rooms]
    sent = numbers(0, 0)

    async def load(going):
        n = 0
        while going.is_set():
            values = numbers(n, n + 50)
            await asyncio.wrap_future(place.log.append([spread(value) for value in values]))
            sent.extend(values)
            n += 50
            await asyncio.sleep(0.01)

    async def progress(*of):
        """Each of these applies more."""
        counts = [len(room.applied) for room in of]
        await until(lambda: all(len(room.applied) > count for room, count in zip(of, counts, strict=True)))

    async def run():
        going = asyncio.Event()
        going.set()
        loading = asyncio.create_task(load(going))
        for number, one in enumerate(workers):
            await one.start()
            await until(lambda number=number: shared_out(*workers[: number + 1]))
            await progress(*rooms[: number + 1])
        kept = set(workers[1].held()["test.keep"])
        await workers[0].stop()
        await until(lambda: shared_out(*workers[1:]))
        assert kept <= set(workers[1].held()["test.keep"])  # what need not move stays
        await progress(*rooms[1:])
        await workers[2].stop()
        await until(lambda: shared_out(workers[1]))
        going.clear()
        await loading
        await until(workers[1].idle)
        await workers[1].stop()

    asyncio.run(run())
    applied = [value for room in rooms for value in room.applied]
    assert Counter(applied) == Counter(sent)
    assert place.offsets("test.keep")["applied"] == place.offsets("test.keep")["next"] == len(sent)


def test_a_worker_that_is_killed_leaves_its_partitions_to_the_others(place, worker, url, done):
    streams = worker(Keeper())
    streams._agents["test"][0].room.before = lambda connection, batch: connection.execute(
        text("insert into done values (:value)"), [{"value": record.value} for record in batch]
    )

    async def run():
        other = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                str(MEMBER),
                f"{url}?session=3",
                place.database.url.render_as_string(hide_password=False),
                str(PARTITIONS),
            )
        )
        async with streams:
            await until(lambda: 0 < len(streams.held()["test.keep"]) < PARTITIONS)
            sent = []
            for n in range(0, 3_000, 100):
                sent += numbers(n, n + 100)
                await asyncio.wrap_future(place.log.append([spread(value) for value in sent[-100:]]))
                if n == 1_500:
                    await until(lambda: len(streams.held()["test.keep"]) < PARTITIONS)
                    other.kill()
                    await other.wait()
            await until(lambda: len(streams.held()["test.keep"]) == PARTITIONS)
            await until(streams.idle)
        return sent

    sent = asyncio.run(run())
    assert done() == sorted(sent)
    assert place.offsets("test.keep")["applied"] == len(sent)


def test_a_worker_whose_partitions_were_claimed_behind_the_groups_back_is_given_them_anew(place, worker):
    """As by one that was stopped while it began: it claims when it wakes, and learns only then that it is out."""
    room = Keeper()
    streams = worker(room)

    async def run():
        async with streams:
            await until(lambda: shared_out(streams))
            asleep = Books(room.name, room.topic.name)
            await asyncio.wrap_future(place.database.write(lambda c: asleep.claim(c, range(PARTITIONS)) and None))
            await asyncio.wrap_future(place.log.append([spread(value) for value in numbers(0, 100)]))
            await until(lambda: not streams.ready())
            await until(lambda: len(room.applied) == 100)
            assert streams.ready()

    asyncio.run(run())
    assert sorted(room.applied) == numbers(0, 100)


def test_partitions_given_to_a_member_that_is_about_to_join_anew_crash_nothing(place, worker):
    """Faust goes to where they stand while the connection is away; its service that does is never started again."""

    async def run():
        async with worker(Keeper()) as one:
            await until(lambda: len(one.held()["test.keep"]) == PARTITIONS)
            consumer = one._apps[0].consumer
            kafka, consumer._kafka = consumer._kafka, None
            await consumer.seek_to_committed()
            consumer._kafka = kafka

    asyncio.run(run())
