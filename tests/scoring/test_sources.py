"""Whose silence is news, and whose is none: sources, and how far a health may be trusted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from hub.store import schema
from scoring.clock import DAY
from scoring.explaining.explain import explain
from scoring.sources import Heard, stale, told
from tests.scoring.room import START, Room, event

pytestmark = pytest.mark.usefixtures("engine")
LEAST = 3 * DAY


@pytest.fixture
def room(tmp_path):
    room = Room(tmp_path)
    yield room
    room.close()


def heard(*days):
    found = Heard(START + days[0] * DAY)
    for day in days[1:]:
        found = found.again(START + day * DAY)
    return found


def test_a_source_heard_every_day_is_silent_after_the_time_of_the_scorecard():
    daily = heard(*range(9))
    assert not daily.silent(START + 11 * DAY, LEAST)
    assert not daily.silent(START + 8 * DAY + LEAST, LEAST * 2)
    assert daily.silent(START + 13 * DAY, LEAST)


def test_a_file_brought_in_every_week_is_not_silent_in_between():
    weekly = heard(0, 7, 14, 21)
    assert not weekly.silent(START + 21 * DAY + 27 * DAY, LEAST)
    assert weekly.silent(START + 21 * DAY + 29 * DAY, LEAST)


def test_what_came_on_one_day_only_is_never_silent():
    assert not heard(0, 0.01, 0.02).silent(START + 999 * DAY, LEAST)


@given(st.lists(st.floats(0, 400), min_size=1, max_size=20))
def test_the_usual_while_is_within_what_there_was(days):
    found = heard(*sorted(days))
    assert found.at == START + max(days) * DAY
    assert found.gap is None or DAY <= found.gap <= 401 * DAY


def test_sources_are_noted_once_a_minute_and_each_customers_are_known(room):
    for day in range(3):
        room.now = START + day * DAY
        for second in (0, 20, 40):
            room.now += second
            room.take([event("usage.tracked", room.now, id=f"u{room.now}")])
    room.take([event("ticket.opened", START - DAY, id="t", connection="zendesk", entity="zendesk:ticket:1")])
    rows = {row.connection: row for row in room.rows(select(schema.heard))}
    assert rows["acme"].gap == DAY
    assert rows["zendesk"].gap is None
    later = room.now + 5 * DAY
    with room.database.read() as connection:
        found = told(connection, "acc_1", later, LEAST)
        assert stale(connection, ["acc_1", "acc_2"], later, LEAST) == {"acc_1": ["acme"]}
        assert stale(connection, ["acc_1"], room.now + DAY, LEAST) == {}
    assert [(one.name, one.silent) for one in found] == [("acme", True), ("zendesk", False)]
    assert found[1].as_of == START - DAY


def test_confidence_is_the_share_of_the_card_of_which_something_was_heard(room):
    room.take([event("ticket.opened", id="t", entity="acme:ticket:1")])
    body, values = room.config.scorecard, room.measures()
    own = {
        one.name
        for one in room.config.measures
        if one.entity == "ticket" or ("ticket.opened" in one.kinds and values[one.name] == values[one.name])
    }
    whole = sum(side.weight for side in body.dimensions)
    wanted = 0.0
    for side in body.dimensions:
        inside = sum(one.weight for one in side.measures)
        wanted += side.weight / whole * sum(one.weight for one in side.measures if one.measure in own) / inside
    with room.database.read() as connection:
        why = explain(connection, "acc_1", room.config, now=room.now)
    assert why.confidence == pytest.approx(wanted)
    assert [one.name for one in why.sources] == ["acme"]
