"""Customers of one kind are weighed by a card of their own: the first that fits."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import select

from hub.store import schema
from hub.streams.room import Record
from scoring.config import Config
from scoring.explaining.explain import explain
from scoring.families.segments import DEFAULT
from scoring.learner import Learner
from scoring.loading import load
from scoring.measures import MeasureSet
from scoring.scorer import Scorer
from tests.scoring.judging import any_values, config
from tests.scoring.room import START, Room, event
from tests.scoring.test_restating import restarted, settled

ONE = [{"name": "one", "weight": 1, "measures": [{"measure": "logins", "weight": 1, "low": 0, "high": 10}]}]
CARDS = [
    {"name": "big", "when": {"plan": ["Enterprise", "scale"], "seats": ">= 100"}, "dimensions": ONE},
    {"name": "paying", "when": {"plan": ["enterprise", "scale", "pro"]}, "dimensions": ONE, "limits": []},
    {"name": "trial", "when": {"trial": True}, "dimensions": ONE, "limits": [{"when": {"logins": "known"}, "cap": 33}]},
]
OURS = config(cards=CARDS, limits=[{"when": {"urgent": ">= 1"}, "cap": 50}])
SET = MeasureSet(OURS)


def told(at=START, kind="account.updated", **facts):
    return event(kind, at, properties=facts, id=f"{at}{sorted(facts.items(), key=str)}{kind}")


def folded(events):
    row = np.full(1, SET.empty, SET.dtype)
    return SET.fold(row, SET.batch(events, ["a"] * len(events)))


def card(*events):
    code = int(SET.cards(folded(events))[0])
    return None if code == DEFAULT else OURS.scorecard.cards[code].name


def test_the_first_card_whose_conditions_all_hold_weighs():
    assert card() is None
    assert card(told(plan="free", seats=500)) is None
    assert card(told(plan="enterprise", seats=500)) == "big"
    assert card(told(plan="ENTERPRISE", seats="120")) == "big"
    assert card(told(plan="enterprise", seats=20)) == card(told(plan="scale")) == "paying"
    assert card(told(trial=True)) == "trial"
    assert card(told(trial="yes")) is card(told(trial=1.0)) is None


def test_facts_are_of_the_newest_event_that_tells_them_and_of_any_that_may():
    assert card(told(plan="pro"), told(START - 9, plan="free")) == "paying"
    assert card(told(plan="pro"), told(START + 9, plan="free")) is None
    assert card(told(plan="pro"), told(START + 9, plan="")) == "paying"
    assert card(told(kind="subscription.started", plan="pro")) == "paying"
    assert card(told(kind="usage.tracked", plan="pro")) is None


facts = st.fixed_dictionaries(
    {},
    optional={
        "plan": st.sampled_from(["free", "pro", "enterprise", ""]),
        "seats": st.sampled_from([5, 100, "lots", None]),
        "trial": st.booleans(),
    },
)
stories = st.lists(st.builds(lambda at, said: told(START + at, **said), st.integers(0, 4), facts), max_size=8)


@settings(deadline=None)
@given(stories, st.randoms(use_true_random=False), st.integers(1, 4))
def test_any_order_any_cut_and_any_merge_come_to_the_same_card(story, chance, cut):
    whole, shuffled = folded(story), chance.sample(story, len(story))
    pieces = np.full(1, SET.empty, SET.dtype)
    for start in range(0, len(story), cut):
        SET.fold(pieces, SET.batch(shuffled[start : start + cut], ["a"] * len(shuffled[start : start + cut])))
    half = folded(shuffled[: len(story) // 2])
    SET.merge(half, folded(shuffled[len(story) // 2 :]))
    assert pieces.tobytes() == whole.tobytes()
    assert half.tobytes() == whole.tobytes()


@settings(deadline=None)
@given(any_values, st.data())
def test_together_each_is_weighed_by_its_own_card_and_points_sum_to_health(values, data):
    codes = np.array(data.draw(st.lists(st.integers(-1, 2), min_size=len(values), max_size=len(values))), np.int8)
    scorer, none, band = Scorer(OURS, None), np.full(len(values), np.nan), np.full(len(values), -1, np.int8)
    scores = scorer.score(values, none, band, None, codes)
    assert np.abs(scores.base + scores.points.sum(axis=1) - scores.health).max() < 1e-9
    for place, code in enumerate(codes.tolist()):
        dims = {"dimensions": ONE} if code != DEFAULT else {}
        limits = [OURS.scorecard.limits, [], CARDS[2]["limits"], OURS.scorecard.limits][code]
        alone = Scorer(
            config(limits=[one if isinstance(one, dict) else one.model_dump() for one in limits], **dims), None
        )
        expected = alone.score(values[place : place + 1], none[:1], band[:1]).health[0]
        assert scores.health[place] == pytest.approx(expected, abs=1e-9)


@pytest.fixture
def room(tmp_path):
    room = Room(tmp_path)
    yield room
    room.close()


def test_a_health_names_its_card_and_whoever_changes_segment_is_weighed_anew(room):
    body = load().model_dump()
    strict = [{"name": "a", "weight": 1, "measures": [{"measure": "active_days", "weight": 1, "low": 20, "high": 28}]}]
    body["scorecard"]["cards"] = [{"name": "big", "when": {"plan": "enterprise"}, "dimensions": strict}]
    room.take([event("usage.tracked", id="u"), told(plan="enterprise")])
    before = room.healths[-1]
    restarted(room, Config.model_validate(body))  # what was told before there was a card is known
    settled(room)
    assert (before.card, room.healths[-1].card) == ("", "big")
    assert room.healths[-1].health < before.health
    with room.database.read() as connection:
        why = explain(connection, "acc_1", room.config)
    assert why.card == "big"
    assert why.health == pytest.approx(room.healths[-1].health, abs=1e-9)
    room.take([told(START + 60, plan="free")])
    assert room.healths[-1].card == ""
    assert room.healths[-1].health == pytest.approx(before.health, abs=0.1)


def test_a_label_knows_of_which_segment_its_customer_was_when_it_was_predicted(tmp_path):
    body = load().model_dump()
    strict = [{"name": "a", "weight": 1, "measures": [{"measure": "active_days", "weight": 1, "low": 20, "high": 28}]}]
    plain = Config.model_validate(body)
    body["scorecard"]["cards"] = [{"name": "big", "when": {"plan": "enterprise"}, "dimensions": strict}]
    room = Room(tmp_path, config=plain)
    room.take([event("usage.tracked", id="u"), told(plan="enterprise")])
    room.pass_days(8)
    restarted(room, Config.model_validate(body))
    settled(room)
    room.pass_days(8)
    room.take([event("usage.tracked", room.now, id="v"), told(room.now, plan="free")])
    room.pass_days(66)
    assert [label.segment for label in room.halves][:3] == [None, "big", ""]
    assert [label.segment for label in room.labels][:3] == [None, "big", ""]  # none: there were no segments yet
    learner = Learner(room.database, room.config)
    records = [Record(0, n, 0.0, one.account.encode(), msgspec.json.encode(one)) for n, one in enumerate(room.labels)]
    room.database.write(lambda connection: learner.step(connection, records).write(connection)).result()
    kept = room.rows(select(schema.labels.c.segment).order_by(schema.labels.c.at))
    assert [row.segment for row in kept[:3]] == [None, "big", ""]
    room.close()


@pytest.mark.parametrize(
    ("cards", "said"),
    [
        ([CARDS[0], CARDS[0]], "card big is declared twice"),
        ([{"name": "x", "when": {}, "dimensions": ONE}], "at least 1 item"),
        ([{"name": "x", "when": {"plan": "pro"}, "dimensions": []}], "at least 1 item"),
        (
            [
                {
                    "name": "x",
                    "when": {"plan": "pro"},
                    "dimensions": [{**ONE[0], "measures": [{"measure": "no", "weight": 1}]}],
                }
            ],
            "card x, dimension one: there is no measure no",
        ),
    ],
)
def test_a_card_that_makes_no_sense_is_refused(cards, said):
    with pytest.raises(ValidationError, match=said):
        config(cards=cards)
