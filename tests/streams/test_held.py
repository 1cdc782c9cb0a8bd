"""Partitions stay ours, and where they stand, while something is done in their name; else it is undone."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select

from hub.store import schema
from hub.store.database import Database
from hub.streams.books import Books, FencedError, MovedError, Progress
from tests.engines import url

pytestmark = pytest.mark.usefixtures("engine")
OFFSETS = schema.offsets
server = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)


@pytest.fixture
def database(tmp_path):
    with Database(url(tmp_path)) as opened:
        yield opened


def claimed(database, *partitions):
    """Books that hold these."""
    books = Books("test", "events")
    claim = database.write(lambda connection: books.claim(connection, partitions)).result(10)
    with database.read() as connection:
        books.load(connection, claim)
    return books


def move(books, progress, done=lambda _: None):
    """What an agent does of a batch, as a job."""

    def job(connection):
        with books.held(connection):
            done(connection)
        books.write(connection, progress)

    return job


def stored(database):
    asked = OFFSETS.select().order_by(OFFSETS.c.partition)
    with database.read() as connection:
        return [(row.partition, row.next, row.applied, row.duplicates) for row in connection.execute(asked)]


def test_what_is_held_moves_and_counts_add_up(database):
    books = claimed(database, 0, 1, 2)
    for to in (10, 20):
        progress = Progress({0: to, 2: 2 * to}, counts=(7, 3, 0, 0))
        database.write(move(books, progress)).result(10)
        books.accept(progress)
    assert stored(database) == [(0, 20, 14, 6), (1, 0, 0, 0), (2, 40, 0, 0)]


def test_who_has_lost_them_moves_nothing_whatever_else_went_wrong(database):
    books = claimed(database, 0, 1)
    claimed(database, 1)

    def fails(_):
        raise ValueError("a room's own fault: it works with what is not its any more")

    for done in (lambda _: None, fails):
        with pytest.raises(FencedError, match="another process has claimed test"):
            database.write(move(books, Progress({0: 10}), done)).result(10)
    assert stored(database) == [(0, 0, 0, 0), (1, 0, 0, 0)]


def test_a_rooms_own_fault_is_told_where_everything_is_held(database):
    books = claimed(database, 0)

    def fails(_):
        raise ValueError("one of its own")

    with pytest.raises(ValueError, match="one of its own"):
        database.write(move(books, Progress({0: 10}), fails)).result(10)


def test_who_remembers_wrongly_where_they_stand_is_told_so(database):
    books = claimed(database, 0)
    progress = Progress({0: 10})
    database.write(move(books, progress)).result(10)
    with pytest.raises(MovedError, match="stands somewhere else"):  # it never learned that this was committed
        database.write(move(books, progress)).result(10)
    assert stored(database) == [(0, 10, 0, 0)]


def test_what_is_not_held_is_not_moved(database):
    books = claimed(database, 0)
    claimed(database, 1)
    with pytest.raises(FencedError, match="does not hold"):
        database.write(move(books, Progress({1: 10}))).result(10)
    assert stored(database) == [(0, 0, 0, 0), (1, 0, 0, 0)]


@server
def test_nobody_claims_them_meanwhile(database, tmp_path):
    books, other = claimed(database, 0), Books("test", "events")
    begun, over = threading.Event(), threading.Event()

    def while_held(connection):
        connection.scalar(select(1))  # the server has come that far
        begun.set()
        assert over.wait(10)

    moving = database.write(move(books, Progress({0: 10}), while_held))
    with Database(url(tmp_path)) as beside:
        assert begun.wait(10)
        refused = beside.write(lambda connection: other.claim(connection, [0])).exception(10)
        over.set()
        moving.result(10)
    assert "is being moved" in str(refused)
    assert stored(database) == [(0, 10, 0, 0)]
