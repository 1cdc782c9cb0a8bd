from __future__ import annotations

import math
import time
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.arrays import expit, logit
from scoring.bands import BANDS
from scoring.features import feature_names
from scoring.lessons import MIX
from scoring.model import EXPERTS, decode, encode
from scoring.scorer import Scorer
from scoring.teaching import Teacher
from tests.scoring.judging import any_values, config, customers, experienced, judge, mixed


@cache
def _scorer(labels, base_rate=0.1):
    ours = config(base_rate=base_rate)
    return Scorer(ours, experienced(ours, labels) if labels else None)


scorers = st.builds(_scorer, st.sampled_from([0, 40, 400, 1500]), st.sampled_from([0.02, 0.1, 0.6]))


@settings(max_examples=300, deadline=None)
@given(scorers, any_values)
def test_base_and_points_sum_to_health_exactly(scorer, values):
    scores = judge(scorer, values)
    assert np.abs(scores.base + scores.points.sum(axis=1) - scores.health).max() < 1e-9
    assert scores.points.shape == (len(values), len(scores.names))


@settings(max_examples=200, deadline=None)
@given(scorers, any_values)
def test_whatever_comes_in_health_and_risk_stay_within_their_bounds(scorer, values):
    scores = judge(scorer, values)
    assert ((scores.health >= 0) & (scores.health <= 100)).all()
    assert ((scores.risk > 0) & (scores.risk < 1)).all()
    assert np.isfinite(scores.points).all()
    for chances in scores.predictions.values():
        assert ((chances > 0.0019) & (chances < 0.97)).all()


@settings(deadline=None)
@given(scorers, any_values)
def test_one_by_one_or_together_accounts_are_judged_the_same(scorer, values):
    together = judge(scorer, values)
    alone = np.concatenate([judge(scorer, row[None, :]).health for row in values])
    assert alone == pytest.approx(together.health, abs=1e-9)


@settings(deadline=None)
@given(scorers, any_values)
def test_more_risk_is_always_less_health(scorer, values):
    scores = judge(scorer, values)
    order = np.argsort(scores.risk)
    assert (np.diff(scores.health[order]) <= 1e-9).all()


def test_a_new_installation_is_its_scorecard():
    scores = judge(_scorer(0), customers(np.random.default_rng(1), 50))
    assert (scores.risk == scores.predictions["scorecard"]).all()
    assert scores.base == pytest.approx(70)


def test_a_customer_of_whom_nothing_is_known_stands_at_the_base():
    ours = config(
        dimensions=[{"name": "a", "weight": 1, "measures": [{"measure": "nps", "weight": 1, "low": 0, "high": 9}]}]
    )
    scores = judge(Scorer(ours, None), np.full((1, 4), np.nan))
    assert scores.health.tolist() == [scores.base]
    assert not scores.points.any()


def test_the_base_is_where_the_experts_place_the_unknown():
    scorer = _scorer(1500)
    assert scorer.base != 70
    assert 0 < scorer.base < 100


def test_numpy_scores_what_river_learned():
    ours = config()
    model = experienced(ours, 300)
    values = customers(np.random.default_rng(5), 40)
    scores = judge(Scorer(ours, model), values)
    names = feature_names(scores.names[: values.shape[1]])
    read = model.regressions.scaling.standardized(names, scores.features.astype(np.float64))
    low, high = model.limits(ours.scorecard)
    for name, river in Teacher(model.regressions, {}).models.items():
        for i, row in enumerate(read.tolist()):
            said = logit(river.predict_proba_one(dict(zip(names, row, strict=True)))[True])
            said -= math.log(model.regressions.weight)
            assert logit(scores.predictions[name][i]) == pytest.approx(min(high, max(low, said)), abs=1e-6)


def test_the_mix_is_the_weighted_mean_of_log_odds():
    ours = config()
    model = experienced(ours, 1500)
    scores = judge(Scorer(ours, model), customers(np.random.default_rng(5), 40))
    opinions = [{name: logit(float(scores.predictions[name][i])) for name in EXPERTS} for i in range(40)]
    assert scores.logit == pytest.approx([mixed(model.mixture, one) for one in opinions], abs=1e-9)
    assert scores.predictions[MIX] == pytest.approx(expit(scores.logit))


def test_beyond_what_any_expert_is_believed_a_part_of_its_own_takes_the_difference():
    ours = config(base_rate=0.001)
    scores = judge(Scorer(ours, None), np.array([[99.0, 0.0, 0.0, 0.0], [5.0, 15.0, 1.0, 0.0]]))
    capped, plain = scores.points[:, scores.names.index("beyond")]
    assert capped < -0.1
    assert abs(plain) < 1e-9


def test_a_model_from_other_measures_is_read_by_name():
    known = config()
    model = experienced(known, 1500)
    logins, silence, urgent, nps = known.model_dump()["measures"]
    newer = {**nps, "name": "csat"}
    other = config([newer, urgent, silence, logins])
    values = customers(np.random.default_rng(2), 20)
    before = judge(Scorer(known, model), values).predictions["sgd"]
    values[:, 3] = np.nan
    without = judge(Scorer(known, model), values).predictions["sgd"]
    again = judge(Scorer(other, decode(encode(model))), values[:, [3, 2, 1, 0]]).predictions["sgd"]
    missing = model.regressions.models["sgd"].weights["nps?"]
    assert np.log(without / (1 - without)) - missing == pytest.approx(np.log(again / (1 - again)), abs=1e-9)
    assert before != pytest.approx(without)


def test_bands_keep_their_hysteresis_through_the_scorer():
    values = np.tile([4.0, 12.0, 1.0, np.nan], (4, 1))
    health = judge(_scorer(0), values[:1]).health[0]
    ours = config(bands={"thriving": 90, "steady": health + 1, "watch": 5})
    was = np.array([-1, 0, 1, 2], np.int8)
    scores = judge(Scorer(ours, None), values, was)
    assert [BANDS[code] for code in scores.band] == ["watch", "steady", "steady", "watch"]


def test_it_says_how_far_health_moved():
    scores = _scorer(0).score(np.zeros((2, 4)), np.array([np.nan, 50.0]), np.array([-1, 2], np.int8))
    assert np.isnan(scores.moved[0])
    assert scores.moved[1] == scores.health[1] - 50


def test_no_accounts_are_no_trouble():
    scores = judge(_scorer(400), np.zeros((0, 4)))
    assert scores.health.shape == (0,)
    assert scores.points.shape == (0, len(scores.names))


@settings(deadline=None)
@given(scorers, any_values, st.integers(0, 5))
def test_what_it_says_sums_to_health(scorer, values, k):
    scores = judge(scorer, values)
    for i, row in enumerate(values):
        drivers, rest = scorer.say(row.tolist(), scores.points[i].tolist(), k, {})
        assert scores.base + sum(d.points for d in drivers) + rest == pytest.approx(scores.health[i], abs=1e-9)
        assert all(type(d.points) is float for d in drivers)


def test_five_hundred_accounts_are_judged_in_a_few_milliseconds():
    scorer, values = _scorer(1500), customers(np.random.default_rng(0), 500)
    took = []
    for _ in range(20):
        started = time.perf_counter()
        judge(scorer, values)
        took.append(time.perf_counter() - started)
    assert min(took) < 0.003
