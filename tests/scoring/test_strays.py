"""An event that the door gave to another account than its reference belongs to, by the time it is applied."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from hub.store import schema
from tests.scoring.room import Room, event

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def room(tmp_path):
    room = Room(tmp_path)
    yield room
    room.close()


def used(name, **fields):
    return event("usage.tracked", id=name, **fields)


def homes(room):
    found = room.rows(select(schema.archive.c.event, schema.archive.c.account).order_by(schema.archive.c.event))
    return {row.event: row.account for row in found}


def test_an_event_follows_its_reference_to_the_account_that_has_it(room):
    room.take([used("first")], "acc_1")
    room.start()  # and remembers nothing, as the door after a crash
    room.take([used("second")], "acc_2")
    assert homes(room) == {"first": "acc_1", "second": "acc_1"}
    assert (room.applied, room.forwarded) == (2, 1)
    assert room.measures("acc_1")["usage_7d"] == pytest.approx(2.0, rel=1e-4)
    assert room.rows(select(schema.accounts.c.id)) == [("acc_1",)]


def test_the_first_of_one_batch_decides_for_the_rest(room):
    room.records([room.record("acc_1", used("first")), room.record("acc_2", used("second"))])
    assert homes(room) == {"first": "acc_1", "second": "acc_1"}


def test_a_person_seen_at_two_customers_moves_nothing(room):
    room.take([used("first", contact="acme:user:ada")], "acc_1")
    room.take([used("second", account="acme:customer:2", contact="acme:user:ada")], "acc_2")
    assert homes(room) == {"first": "acc_1", "second": "acc_2"}
    assert room.forwarded == 0


def test_what_was_merged_meanwhile_goes_to_the_survivor(room):
    room.take([used("first")], "acc_1")
    merged = {"absorbed": "acc_1", "why": "told so"}
    room.take([event("account.merged", account="acc_3", connection="pulsehub", properties=merged)], "acc_3")
    room.take([used("second")], "acc_2")
    assert homes(room)["second"] == "acc_3"
