"""A worker that cannot know what was committed asks the database, and the database only once it knows itself."""

import asyncio
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import select, text

from hub.store import schema
from hub.store.database import Database
from hub.streams.books import Books
from hub.streams.topics import ACTIONS
from tests import engines
from tests.streams.alone import Forgetful, Log, feed, record, records, working
from tests.streams.kit import Keeper

MOVE = text("update offsets set next = :next, applied = :next where partition = 0")


@pytest.fixture
def server(tmp_path):
    """A database on PostgreSQL."""
    with engines.on("postgresql"), Database(engines.url(tmp_path)) as database:
        yield database


@contextmanager
def under_way(url, longest, *statements):
    """A transaction that somebody has begun and ends after so many seconds."""
    begun = threading.Event()

    def hold():
        with Database(url) as other:
            other.write(lambda connection: [connection.execute(*one) for one in statements] and wait()).result()

    def wait():
        begun.set()
        time.sleep(longest)

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait(20)
    yield
    thread.join()


def stands(database):
    with database.read() as connection:
        row = connection.execute(select(schema.offsets).where(schema.offsets.c.partition == 0)).one()
        return row.next, row.applied


def test_a_commit_that_is_still_under_way_on_the_server_is_waited_for(server, tmp_path):
    forgetful, room = Forgetful(server, commits=False), Keeper()
    going = under_way(engines.url(tmp_path), 0.5, (MOVE, {"next": 1}))

    async def run():
        async with working(room, forgetful, Log(), [0]) as agent:
            forgetful.meanwhile = lambda: ends.enter_context(going)
            await feed(agent, record(0, 0))
            await feed(agent, record(0, 1))

    with ExitStack() as ends:
        asyncio.run(run())
    assert room.applied == [b"0:1"]
    assert stands(server) == (2, 2)


def test_who_finds_its_partition_elsewhere_than_it_remembers_goes_on_from_there(database):
    room = Keeper()

    async def run():
        async with working(room, database, Log(), [0]) as agent:
            await feed(agent, record(0, 0))
            database.write(lambda connection: connection.execute(MOVE, {"next": 3}) and None).result()
            await feed(agent, *records(0, 1, 5))

    asyncio.run(run())
    assert room.applied == [b"0:0", b"0:3", b"0:4"]
    assert stands(database) == (5, 5)


def test_a_database_that_went_back_fails_the_room_instead_of_leaving_records_out(database):
    forgetful, room = Forgetful(database, commits=False), Keeper(says=ACTIONS)

    def back():
        database.write(lambda connection: connection.execute(MOVE, {"next": 1}) and None).result()

    async def run():
        async with working(room, forgetful, Log(), [0, 1]) as agent:
            await feed(agent, *records(0, 0, 5))
            forgetful.meanwhile = back  # a replica that lagged takes over
            await feed(agent, record(0, 5))
            return agent.failed

    assert asyncio.run(run()) == "SetBackError: the database was set back while we worked on it"
    assert stands(database) == (1, 1)


def test_numbers_of_messages_that_went_back_fail_it_too(database):
    forgetful, room = Forgetful(database, commits=False), Keeper(says=ACTIONS)
    numbers = text("delete from outlets")

    async def run():
        async with working(room, forgetful, Log(), [0]) as agent:
            await feed(agent, record(0, 0))
            forgetful.meanwhile = lambda: database.write(lambda c: c.execute(numbers) and None).result()
            await feed(agent, record(0, 1))
            return agent.failed

    assert "set back" in asyncio.run(run())


def test_a_claim_is_never_the_one_that_somebody_had_before_the_database_went_back(database):
    def claimed():
        books = Books("test.keep", "events")
        return database.write(lambda connection: books.claim(connection, [0])).result().epochs[0]

    first = claimed()
    back = text("update offsets set epoch = 0")
    database.write(lambda connection: connection.execute(back) and None).result()
    assert claimed() != first


def test_partitions_that_somebody_moves_are_claimed_afterwards_and_hold_up_no_other_write(server, tmp_path):
    room = Keeper()

    async def run():
        async with working(room, server, Log(), [0]) as agent:
            await feed(agent, record(0, 0))
            with under_way(engines.url(tmp_path), 1.0, (MOVE, {"next": 1})):  # a process that is stopped does this
                assigned = asyncio.ensure_future(agent.assigned([0, 1]))
                await asyncio.sleep(0.1)
                began = time.monotonic()
                await asyncio.wrap_future(server.write(lambda _: None))
                waited = time.monotonic() - began
                await assigned
            return agent.held, waited

    held, waited = asyncio.run(run())
    assert held == [0, 1]
    assert waited < 0.5
