"""The archive keeps events as long as it was told to, and the books know how many it let go of."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from hub.store import schema
from scoring import archive
from scoring.clock import DAY
from tests.scoring.room import START, Room, event

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def wall(tmp_path):
    room = Room(tmp_path)
    yield room
    room.close()


def kept(room):
    return room.rows(select(func.count()).select_from(schema.archive))[0][0]


def tidy(room, days=400, most=5_000):
    with room.database.read() as connection:
        found = archive.stale(connection, room.now, days, most)
    room.database.write(lambda connection: archive.forget(connection, found)).result()
    return found


def test_events_go_when_they_have_been_kept_long_enough_and_are_counted(wall):
    wall.take([event("usage.tracked", START + n) for n in range(5)])
    wall.now += 300 * DAY
    wall.take([event("usage.tracked", wall.now + n) for n in range(2)])
    assert len(tidy(wall).rows) == 0
    wall.now += 150 * DAY
    assert len(tidy(wall, most=3).rows) == 3
    assert len(tidy(wall, most=3).rows) == 2
    with wall.database.read() as connection:
        assert kept(wall) + archive.forgotten(connection) == wall.applied == 7


def test_an_id_is_forgotten_when_its_source_says_so_and_no_other(tmp_path):
    room = Room(tmp_path)
    room.rescore._remembers = {"segment": 7 * DAY}
    room.take([event("usage.tracked", START, connection="segment"), event("invoice.paid", START)])
    room.now += 9 * DAY
    assert len(tidy(room).digests) == 1
    assert room.rows(select(schema.seen.c.forget)) == [(0,)]
    room.close()
