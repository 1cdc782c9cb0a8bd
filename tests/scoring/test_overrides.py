"""A person sets a customer's health: it holds until its end, is named as what it is, and hides nothing."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.store import schema
from scoring.clock import DAY
from scoring.explaining.explain import explain
from scoring.loading import load
from scoring.measures import MeasureSet
from scoring.overrides import Override, current, event, history, rows
from tests.scoring.room import START, Room
from tests.scoring.room import event as happening

SET = MeasureSet(load())


@pytest.fixture
def room(tmp_path):
    room = Room(tmp_path)
    yield room
    room.close()


def word(health=40.0, at=START, days=7.0, author="ann", reason="their sponsor leaves"):
    return Override(at, 0.0 if health is None else at + days * DAY, health, author, reason)


def say(room, *words, account="acc_1"):
    room.take([event(account, one) for one in words], account)


def use(room, days=0.0):
    at = room.now - days * DAY
    room.take([happening("usage.tracked", at, contact=f"acme:user:{n}", id=f"use{at}{n}") for n in range(9)])


def explained(room, account="acc_1"):
    with room.database.read() as connection:
        return explain(connection, account, room.config)


def test_health_is_what_was_set_and_what_was_computed_is_kept(room):
    use(room)
    computed = room.healths[-1].health
    say(room, word())
    told, why = room.healths[-1], explained(room)
    assert (told.health, told.was, told.band) == (40.0, computed, "watch")
    assert (told.computed, why.computed) == (pytest.approx(computed), pytest.approx(computed))
    assert {d.name: d.points for d in told.drivers}["override"] == pytest.approx(40 - computed, abs=0.01)
    assert [d.name for d in told.moved_by] == ["override"]
    assert why.base + sum(d.points for d in why.drivers) == pytest.approx(40, abs=1e-9)
    assert why.override == word()


def test_risk_goes_on_being_what_the_models_say(room):
    use(room)
    before = explained(room).risk
    say(room, word(health=1.0))
    assert explained(room).risk == pytest.approx(before)


def test_when_its_time_is_over_the_clock_alone_ends_it(room):
    use(room)
    say(room, word(days=3))
    room.pass_days(2.9)
    assert explained(room).health == 40
    room.pass_days(0.2, step=0.05)
    assert {d.name: d.points for d in room.healths[-1].moved_by}["override"] > 0
    assert (room.healths[-1].computed, explained(room).override) == (None, None)
    assert explained(room).health == explained(room).computed


def test_an_end_that_moves_nothing_is_looked_at_once(room):
    use(room)
    say(room, word(health=explained(room).health, days=1.01))
    room.pass_days(1.0)
    room.now += 0.02 * DAY
    assert room.tick() is not None
    assert room.tick() is None


def test_it_outlives_a_restart_and_is_taken_back(room):
    use(room)
    say(room, word())
    room.start()
    use(room, days=1)
    assert explained(room).health == 40
    say(room, word(health=None, at=START + 60, author="bea", reason="the sponsor stays"))
    assert explained(room).health == explained(room).computed
    with room.database.read() as connection:
        assert [(one.health, one.author) for one in history(connection, "acc_1")] == [(None, "bea"), (40.0, "ann")]
        assert current(connection, "acc_1", room.now) is None


def test_the_newest_word_holds_whichever_comes_first(room):
    use(room)
    say(room, word(health=80.0, at=START + 60))
    say(room, word(health=20.0))
    assert explained(room).health == 80


def test_a_merge_takes_the_word_along(room):
    use(room)
    say(room, word(), account="acc_2")
    room.take([happening("account.merged", account="acc_1", properties={"absorbed": "acc_2"})])
    while room.tick() is not None:
        pass
    assert explained(room).health == 40
    assert explained(room).override == word()


@pytest.mark.parametrize(
    "wrong",
    [
        {"connection": "zendesk"},
        {"value": 101.0},
        {"value": None},
        {"properties": {"until": "soon"}},
        {"properties": {}},
    ],
)
def test_what_makes_no_sense_or_comes_from_a_vendor_sets_nothing(room, wrong):
    use(room)
    before = explained(room).health
    fields = {
        "account": "acc_1",
        "connection": "pulsehub",
        "value": 4.0,
        "properties": {"until": datetime.fromtimestamp(START + DAY, UTC).isoformat()},
    } | wrong
    room.take([happening("health.overridden", **fields)])
    assert explained(room).health == before
    assert room.rows(schema.overrides.select()) == []
    assert not room.dead


words = st.lists(
    st.builds(
        word,
        st.sampled_from([None, 0.0, 40.0, 100.0]),
        st.sampled_from([START, START + 1.5, START - DAY]),
        st.sampled_from([1.0, 30.0]),
    ),
    min_size=1,
    max_size=6,
)


@settings(deadline=None)
@given(words, st.randoms(), st.integers(1, 5))
def test_any_order_any_cut_and_any_merge_come_to_the_same_row(said, random, cut):
    def folded(some):
        row = np.full(1, SET.empty, SET.dtype)
        for start in range(0, len(some), cut):
            batch = [event("acc_1", one) for one in some[start : start + cut]]
            SET.fold(row, SET.batch(batch, ["acc_1"] * len(batch)))
        return row

    shuffled = random.sample(said, len(said))
    whole = folded(said)
    half = folded(shuffled[: len(said) // 2])
    SET.merge(half, folded(shuffled[len(said) // 2 :]))
    for other in (folded(shuffled), half):
        assert other.tobytes() == whole.tobytes()
    best = max((one.at, one.until, one.health or 0.0) for one in said)
    held = SET.set_by_hand(whole, START + 2 * DAY)
    assert held.tolist() == [best[2]] if best[1] > START + 2 * DAY else np.isnan(held).all()


def test_a_row_of_before_there_were_overrides_moves_to_one_with_none():
    old = np.dtype([d for d in SET.dtype.descr if d[0] and not d[0].startswith("override.")])
    row = np.zeros(1, old)
    row["usage_7d"] = 3.0
    moved = SET.layout.moved(row)
    assert moved["usage_7d"].tolist() == [3.0]
    assert np.isnan(SET.set_by_hand(moved, START)).all()


def test_what_is_kept_for_people_is_what_was_said():
    said = [word(), word(health=None, at=START + 1)]
    found = rows(("acc_1", event("acc_1", one)) for one in itertools.chain(said, said[:1]))
    assert [row[1:] for row in found[:2]] == [
        ("acc_1", START, START + 7 * DAY, 40.0, "ann", "their sponsor leaves"),
        ("acc_1", START + 1, 0.0, None, "ann", "their sponsor leaves"),
    ]
    assert found[0] == found[2]
