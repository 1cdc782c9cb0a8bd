import asyncio

import pytest

from hub.sdk.errors import ConfigError
from hub.streams.opening import open_log
from hub.streams.testing import run_until_idle
from hub.streams.topics import HEALTH
from tests.streams.kafka.cluster import forget
from tests.streams.kit import PARTITIONS, Keeper, Place, numbers


@pytest.fixture
def lose(place, url):
    """The same database over a log that has to begin again."""
    opened = []

    def over(name):
        anew = url
        if url.startswith("kafka:"):
            asyncio.run(forget(url))
        else:
            anew = f"sqlite:///{place.folder / name}"
        opened.append(open_log(anew, PARTITIONS, place.database))
        return Place(place.folder, place.database, opened[-1])

    yield over
    for log in opened:
        log.close()


def test_what_comes_after_the_log_was_lost_is_applied(place, lose, caplog):
    place.append(*numbers(0, 100))
    run_until_idle(place.streams(Keeper()))
    after = lose("new.db")
    room = Keeper()
    run_until_idle(after.streams(room))
    assert "streams.log_began_anew" in [record.getMessage() for record in caplog.records]
    after.append(*numbers(100, 140))
    run_until_idle(after.streams(room))
    assert sorted(room.applied) == numbers(100, 140)
    assert after.offsets(room.name)["next"] == after.offsets(room.name)["applied"] == 140


def test_a_slower_room_does_not_wait_for_what_was_lost(place, lose):
    slow = Keeper("test.slow", HEALTH)
    run_until_idle(place.streams(slow))
    place.append(*numbers(0, 100), topic=HEALTH)
    run_until_idle(place.streams(Keeper("test.quick", HEALTH)))
    after = lose("new.db")
    run_until_idle(after.streams(Keeper("test.quick", HEALTH), slow))
    after.append(*numbers(100, 140), topic=HEALTH)
    run_until_idle(after.streams(Keeper("test.quick", HEALTH), slow))
    assert sorted(slow.applied) == numbers(100, 140)


def test_an_older_log_is_refused_and_stays_as_it_is(place, lose):
    place.append(*numbers(0, 100))
    run_until_idle(place.streams(Keeper()))
    older = lose("older.db")
    older.append(*numbers(0, 40))
    with pytest.raises(ConfigError, match="not of one moment"):
        run_until_idle(older.streams(Keeper()))
    assert sum(older.log.ends("events").values()) == 40
    assert place.offsets("test.keep")["next"] == 100
