import asyncio

import pytest

from hub.sdk.errors import ConfigError
from hub.store import schema
from hub.streams.aligning import align, give_up, lost
from hub.streams.books import Books, FencedError
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


def test_records_that_the_log_let_go_of_unread_are_said_and_may_be_given_up(embedded):
    place = embedded
    place.append(*numbers(0, 100))
    room = Keeper()
    run_until_idle(place.streams(room))
    place.append(*numbers(100, 140))
    place.log.trim(1e12, {})
    with pytest.raises(ConfigError, match=r"40 of events that test\.keep had yet to read"):
        run_until_idle(place.streams(Keeper()))
    assert give_up(place.database, place.log) == {("test.keep", "events"): 40}
    assert lost(place.database, place.log) == {}
    place.append(*numbers(140, 150))
    run_until_idle(place.streams(room))
    assert place.offsets(room.name) == {
        "next": 150,
        "applied": 110,
        "duplicates": 0,
        "dead_lettered": 40,
        "forwarded": 0,
    }


def test_a_room_that_is_new_has_lost_nothing(embedded):
    place = embedded
    place.append(*numbers(0, 100), topic=HEALTH)
    run_until_idle(place.streams(Keeper("test.old", HEALTH)))
    place.log.trim(1e12, {})
    new = Keeper("test.new", HEALTH)
    place.append(*numbers(100, 110), topic=HEALTH)
    run_until_idle(place.streams(new))
    assert sorted(new.applied) == numbers(100, 110)


def test_a_database_that_was_set_back_numbers_its_messages_above_those_of_the_log(embedded, caplog):
    place = embedded
    says, reads = Keeper(says=HEALTH), Keeper("test.read", HEALTH)
    place.append(*numbers(0, 40))
    run_until_idle(place.streams(says, reads))
    stood = [dict(row._mapping) for row in rows(place, schema.outlets)]
    offsets = [dict(row._mapping) for row in rows(place, schema.offsets)]
    place.append(*numbers(40, 80))
    run_until_idle(place.streams(says, reads))

    def set_back(connection):
        for table, old in ((schema.outlets, stood), (schema.offsets, offsets)):
            connection.execute(table.delete())
            connection.execute(table.insert(), old)
        connection.execute(schema.sequences.delete())

    place.database.write(set_back).result()
    again = Keeper("test.read", HEALTH)
    run_until_idle(place.streams(says, again))
    assert "streams.database_set_back" in [record.getMessage() for record in caplog.records]
    numbered = [(one.partition, one.sequence) for one in place.said()]
    assert len(numbered) == len(set(numbered)) == 120
    assert sorted(set(again.applied)) == numbers(40, 80)


def rows(place, table):
    with place.database.read() as connection:
        return connection.execute(table.select()).all()


def test_who_works_on_a_log_that_is_lost_moves_nothing_any_more(place, lose):
    place.append(*numbers(0, 40))
    run_until_idle(place.streams(Keeper()))
    books = Books("test.keep", "events")  # of a worker that lives
    claim = place.database.write(lambda connection: books.claim(connection, range(PARTITIONS))).result()
    with place.database.read() as connection:
        books.load(connection, claim)
    after = lose("new.db")
    align(after.database, after.log)

    def look(connection):
        with books.held(connection):
            pass

    with pytest.raises(FencedError):
        place.database.write(look).result()
