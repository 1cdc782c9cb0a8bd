"""What only a database that is a server does to a room: it hangs up in mid-step, it has others in the way."""

import asyncio
import logging
import threading
from contextlib import closing, suppress

import pytest
from sqlalchemy import text

from hub.store.database import ContendedError, Database
from hub.streams.books import Books, UnderWayError
from hub.streams.opening import open_log
from hub.streams.testing import run_until_idle, until_idle
from hub.streams.topics import HEALTH
from tests import engines
from tests.streams.kit import PARTITIONS, Keeper, Place, numbers, until

OTHERS = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where datname = '{}' and pid <> pg_backend_pid() and backend_type = 'client backend'"
)


@pytest.fixture
def place(tmp_path, database, url):
    with closing(open_log(url, PARTITIONS, database)) as log:
        yield Place(tmp_path, database, log)


def keep(connection, batch):
    connection.execute(text("insert into done values (:value)"), [{"value": record.value} for record in batch])


def hang_up(database, where=""):
    """The server ends sessions of the database, as whoever operates it may."""
    engines.ask(database.url.database, OTHERS.format(database.url.database) + where)


def names(caplog):
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_connection_lost_in_mid_step_loses_nothing_and_repeats_nothing(place, database, done, caplog, moment):
    caplog.set_level(logging.INFO)
    room, follower = Keeper(says=HEALTH), Keeper("test.follow", HEALTH)
    lost = iter(range(3))

    def before(connection, batch):
        hit = next(lost, None) is not None
        mine = connection.scalar(text("select pg_backend_pid()"))
        if hit and moment == "before":
            hang_up(database, f" and pid = {mine}")
        keep(connection, batch)
        if hit and moment == "after":  # its rows are written, and the commit fails
            hang_up(database, f" and pid = {mine}")

    room.before = before
    place.append(*numbers(0, 500))
    run_until_idle(place.streams(room, follower))
    assert next(lost, None) is None
    assert done() == sorted(room.applied) == sorted(follower.applied) == numbers(0, 500)
    assert place.offsets(room.name)["applied"] == place.offsets(follower.name)["applied"] == 500
    assert place.offsets(follower.name)["duplicates"] == 0
    assert "streams.dead_lettered" not in names(caplog)


def test_every_connection_lost_again_and_again_under_load_loses_nothing(place, database, done):
    room, follower = Keeper(says=HEALTH), Keeper("test.follow", HEALTH)
    room.before = keep
    streams = place.streams(room, follower)

    async def run():
        async with streams:
            for n in range(0, 2_000, 200):
                await asyncio.to_thread(place.append, *numbers(n, n + 200))
                await asyncio.to_thread(hang_up, database)
            await until(lambda: len(follower.applied) >= 2_000, 40)
            await until_idle(streams)

    asyncio.run(run())
    assert done() == sorted(room.applied) == sorted(follower.applied) == numbers(0, 2_000)
    assert place.offsets(room.name)["applied"] == place.offsets(follower.name)["applied"] == 2_000


def test_a_claim_is_not_had_while_a_transaction_is_in_hand_and_refuses_the_next(place, database, done, caplog):
    room = Keeper()
    in_hand, held = threading.Event(), threading.Event()

    def before(connection, batch):
        keep(connection, batch)
        in_hand.set()
        held.wait(20)

    room.before = before
    streams = place.streams(room)

    async def run():
        async with streams, asyncio.timeout(40):
            place.append(*numbers(0, 10))
            await asyncio.to_thread(in_hand.wait, 20)
            with Database(engines.server_url(database.url.database)) as beside:
                others = Books(room.name, "events")

                def claim():
                    return asyncio.wrap_future(beside.write(lambda c: others.claim(c, range(PARTITIONS))))

                try:
                    with pytest.raises(UnderWayError):
                        await claim()
                finally:
                    held.set()
                while True:
                    with suppress(UnderWayError):
                        await claim()
                        break
            place.append(*numbers(10, 30))
            await until(lambda: "streams.fenced" in names(caplog))

    asyncio.run(run())
    books = place.offsets(room.name)
    assert done() == sorted(room.applied)
    assert books["applied"] == books["next"] == len(room.applied)


def test_who_was_in_the_way_is_waited_for_and_nothing_is_said_of_it(place, database, done, caplog):
    caplog.set_level(logging.INFO)
    room = Keeper()
    begun, step, theirs = threading.Barrier(2), iter(range(1)), iter(range(1))
    database.write(
        lambda connection: connection.execute(text("create table two (n int primary key)")) and None
    ).result()
    database.write(lambda connection: connection.execute(text("insert into two values (1), (2)")) and None).result()

    def lock(connection, n):
        connection.execute(text(f"select pg_advisory_xact_lock({n})"))

    def before(connection, batch):
        keep(connection, batch)
        if next(step, None) is not None:
            lock(connection, 1)
            begun.wait(20)
            lock(connection, 2)  # which the other has, who wants ours: the server ends one of us

    def other(connection):
        if next(theirs, None) is not None:
            lock(connection, 2)
            begun.wait(20)
            lock(connection, 1)

    room.before = before
    place.append(*numbers(0, 100))
    with Database(engines.server_url(database.url.database)) as beside:
        deadlocked = beside.write(other)
        run_until_idle(place.streams(room))
        deadlocked.result(20)
    assert done() == sorted(room.applied) == numbers(0, 100)
    assert place.offsets(room.name)["applied"] == 100
    assert [name for name in names(caplog) if name.startswith("streams.")] == []


def test_a_step_that_is_always_in_somebodys_way_is_tried_until_it_is_not(place, done, caplog):
    room = Keeper()
    refused = iter(range(12))  # more often than the database's writer tries by itself

    def before(connection, batch):
        if next(refused, None) is not None:
            raise ContendedError("somebody was quicker")
        keep(connection, batch)

    room.before = before
    place.append(*numbers(0, 100))
    run_until_idle(place.streams(room))
    assert done() == sorted(room.applied) == numbers(0, 100)
    assert place.offsets(room.name)["applied"] == 100
    assert not {"streams.dead_lettered", "streams.database_down"} & set(names(caplog))
