"""A worker that cannot know what was committed asks the database, and the database only once it knows itself."""

import asyncio
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import select, text

from hub.store import schema
from hub.store.database import Database
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
