"""A broker of our own goes away, and comes back."""

import asyncio
import threading
import time

import pytest

from hub.streams.log import Entry, LogError
from hub.streams.opening import open_log
from hub.streams.testing import until_idle
from hub.streams.topics import EVENTS, HEALTH, partition_of
from tests.streams.kit import PARTITIONS, Keeper, Place, numbers, until


@pytest.fixture
def place(request, servers, tmp_path, database):
    url = f"kafka://127.0.0.1:{servers.kafka.port}/{request.node.name[:60]}?patience=2&session=3"
    servers.start()
    log = open_log(url, PARTITIONS, database)
    log.declare(EVENTS)
    yield Place(tmp_path, database, log)
    log.close()


def said(caplog):
    return [record.getMessage() for record in caplog.records if record.getMessage().startswith("kafka.")]


def try_append(place, value):
    key = value
    try:
        place.log.append([Entry("events", partition_of(key, PARTITIONS), key, value, time.time())]).result(10)
    except LogError:
        return False
    return True


def test_what_was_acknowledged_is_there_after_the_broker_was_killed(place, servers, caplog):
    done, sent = threading.Event(), []

    def load():
        n = 0
        while not done.is_set():
            value = b"%06d" % n
            if try_append(place, value):
                sent.append(value)
            n += 1

    thread = threading.Thread(target=load)
    thread.start()
    while len(sent) < 50:
        time.sleep(0.01)
    servers.kafka.kill()
    while "kafka.down" not in said(caplog):
        time.sleep(0.01)
    servers.kafka.start()
    before = len(sent)
    while len(sent) < before + 50:
        time.sleep(0.01)
    done.set()
    thread.join()
    found = [record.value for record in place.said(EVENTS)]
    assert set(sent) <= set(found)
    assert said(caplog) == ["kafka.down", "kafka.back"]


def test_a_broker_that_says_nothing_is_given_up_in_time_and_used_again(place, servers, caplog):
    assert try_append(place, b"before")
    servers.kafka.pause()
    begun = time.monotonic()
    assert not try_append(place, b"meanwhile")
    with pytest.raises(LogError, match="does not answer"):
        place.log.ends("events")
    assert time.monotonic() - begun < 6
    servers.kafka.resume()
    while not try_append(place, b"after"):
        time.sleep(0.05)
    values = [record.value for record in place.said(EVENTS)]
    assert values.count(b"before") == values.count(b"after") == 1
    assert said(caplog) == ["kafka.down", "kafka.back"]


def test_rooms_wait_for_a_broker_that_is_away_and_lose_nothing(place, servers, caplog):
    room, follower = Keeper(says=HEALTH), Keeper("test.follow", HEALTH)
    streams = place.streams(room, follower)

    async def run():
        async with streams:
            place.append(*numbers(0, 200))
            await until_idle(streams)
            await asyncio.to_thread(servers.kafka.kill)
            while await asyncio.to_thread(try_append, place, b"lost"):
                pass
            await asyncio.to_thread(servers.kafka.start)
            await until(lambda: try_append(place, b"found"))
            place.append(*numbers(200, 400))
            await until(lambda: set(numbers(0, 400)) <= set(follower.applied), 40)
            assert streams.failed is None

    asyncio.run(run())
    mine = [value for value in room.applied if value not in {b"lost", b"found"}]
    assert sorted(mine) == numbers(0, 400)
    assert sorted(value for value in follower.applied if value not in {b"lost", b"found"}) == numbers(0, 400)
