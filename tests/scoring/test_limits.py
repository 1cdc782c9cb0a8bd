"""Floors and caps, and a person's word: what comes after all weighing, each a part of its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from scoring.scorer import Scorer
from tests.scoring.judging import any_values, config, judge

names = st.sampled_from(["logins", "silence", "urgent", "nps"])
numbers = st.integers(-5, 50)
conditions = st.one_of(
    st.builds(lambda sign, number: f"{sign} {number}", st.sampled_from([">=", "<=", ">", "<", "="]), numbers),
    st.sampled_from(["known", "unknown"]),
)
limits = st.builds(
    lambda when, kind, height: {"when": when, kind: height},
    st.dictionaries(names, conditions, min_size=1, max_size=2),
    st.sampled_from(["cap", "floor"]),
    st.integers(0, 100),
)
ESCALATED = {"when": {"urgent": ">= 1"}, "cap": 50}


def parts(scores, name):
    return scores.points[:, scores.names.index(name)]


@settings(deadline=None)
@given(st.lists(limits, max_size=4), any_values, st.data())
def test_with_floors_caps_and_a_persons_word_base_and_points_still_sum_to_health(declared, values, data):
    by_hand = np.array(
        data.draw(st.lists(st.sampled_from([np.nan, 0.0, 40.0, 100.0]), min_size=len(values), max_size=len(values)))
    )
    scorer, none = Scorer(config(limits=declared), None), np.full(len(values), np.nan)
    scores = scorer.score(values, none, np.full(len(values), -1, np.int8), by_hand)
    assert np.abs(scores.base + scores.points.sum(axis=1) - scores.health).max() < 1e-9
    assert (scores.health == np.where(np.isnan(by_hand), scores.computed, by_hand)).all()
    assert (parts(scores, "cap") <= 0).all()
    assert (parts(scores, "floor") >= 0).all()


@settings(deadline=None)
@given(any_values)
def test_a_cap_holds_whom_it_is_about_and_nobody_else(values):
    free, held = (judge(Scorer(config(limits=some), None), values) for some in ([], [ESCALATED]))
    escalated = values[:, 2] >= 1
    assert (held.health[escalated] <= 50).all()
    assert (held.health[~escalated] == free.health[~escalated]).all()
    assert (held.risk == free.risk).all()  # what is predicted is not what is decided


def test_the_lowest_cap_holds_and_a_cap_wins_against_a_floor():
    rules = [ESCALATED, {"when": {"urgent": "> 2"}, "cap": 20}, {"when": {"logins": ">= 0"}, "floor": 60}]
    values = np.array([[9.0, 0.0, 1.0, np.nan], [9.0, 0.0, 3.0, np.nan], [0.0, 30.0, 0.0, np.nan]])
    assert judge(Scorer(config(limits=rules), None), values).health.tolist() == [50.0, 20.0, 60.0]


def test_what_is_not_known_meets_no_comparison():
    scorer = Scorer(
        config(limits=[{"when": {"nps": "< 7"}, "cap": 10}, {"when": {"nps": "unknown"}, "floor": 99}]), None
    )
    assert judge(scorer, np.array([[9.0, 0.0, 0.0, np.nan], [9.0, 0.0, 0.0, 6.0]])).health.tolist() == pytest.approx(
        [99.0, 10.0]
    )


@pytest.mark.parametrize(
    ("say", "text"), [("", "at most 50: 2 urgent tickets open"), ("an escalation", "at most 50: an escalation")]
)
def test_a_cap_says_why(say, text):
    scorer, values = Scorer(config(limits=[ESCALATED | {"say": say}]), None), np.array([[9.0, 0.0, 2.0, 9.0]])
    scores = judge(scorer, values)
    drivers, rest = scorer.say(values[0].tolist(), scores.points[0].tolist(), 8, {})
    assert text in [driver.text for driver in drivers if driver.name == "cap"]
    assert scores.base + sum(driver.points for driver in drivers) + rest == pytest.approx(50, abs=1e-9)


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"when": {"urgent": "many"}, "cap": 50}, "'many' is no condition; write `>= 1`"),
        ({"when": {"calls": "> 1"}, "cap": 50}, "limits: there is no measure calls"),
        ({"when": {"urgent": "> 1"}}, "a limit is a `cap` or a `floor`"),
        ({"when": {"urgent": "> 1"}, "cap": 101}, "less than or equal to 100"),
        ({"when": {}, "cap": 50}, "at least 1 item"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused_with_what_would(limit, said):
    with pytest.raises(ValidationError, match=said.replace("(", r"\(")):
        config(limits=[limit])


def test_a_card_without_limits_keeps_the_version_it_had():
    assert config(limits=[]).version == config().version != config(limits=[ESCALATED]).version
