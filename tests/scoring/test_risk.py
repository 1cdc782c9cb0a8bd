from __future__ import annotations

import random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import datasets, evaluate, linear_model, metrics, preprocessing

from scoring.arrays import expit
from scoring.features import feature_names, features, lesson
from scoring.risk import CLIP, REGRESSIONS, Regressions, apply, fresh
from scoring.teaching import Standardize, Teacher

NAMES = feature_names(["logins", "mrr", "seats"])


def _lessons(n, seed=0, rate=0.3, effect=0.0):
    """Rows of features and labels; `seats` never changes, `mrr` is sometimes unknown."""
    chance = random.Random(seed)
    for _ in range(n):
        mrr = chance.lognormvariate(5, 1) if chance.random() < 0.8 else np.nan
        row = features(np.array([[chance.expovariate(0.2), mrr, 7.0]]))[0]
        lost = chance.random() < expit(np.array(np.log(rate / (1 - rate)) + effect * (row[0] - 1.5)))
        yield lesson(row.tolist(), NAMES), lost


def _taught(state, lessons, **signs):
    teacher = Teacher(state, signs)
    for x, lost in lessons:
        teacher.learn(x, lost=lost)
    return teacher


def _travel(state):
    return msgspec.json.decode(msgspec.json.encode(state), type=Regressions)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 200), st.integers(0, 1000), st.floats(0.01, 0.9))
def test_numpy_predicts_what_river_does(n, seed, rate):
    teacher = _taught(fresh(rate), _lessons(n, seed))
    applied = apply(teacher.state(), NAMES)
    values = np.array([[3.0, np.nan, 7.0], [0.0, 9e9, 7.0], [np.nan, np.nan, np.nan], [1e300, -5.0, 0.0]])
    found = features(values).astype(np.float64)
    ours = applied.intercepts + applied.standardize(found) @ applied.weights
    rivers = [teacher.predict(lesson(row.tolist(), NAMES)) for row in found]
    assert ours == pytest.approx(np.array([[one[name] for name in REGRESSIONS] for one in rivers]), abs=1e-9)


def test_after_a_journey_as_json_it_learns_on_as_if_it_had_stayed():
    lessons = list(_lessons(400))
    stayed = _taught(fresh(0.1), lessons)
    travelled = fresh(0.1)
    for start in range(0, 400, 50):
        travelled = _travel(_taught(travelled, lessons[start : start + 50]).state())
    assert travelled == stayed.state()


def test_teaching_leaves_the_state_it_began_with_as_it_was():
    before = _taught(fresh(0.1), _lessons(50)).state()
    copy = _travel(before)
    _taught(before, _lessons(50, seed=1))
    assert before == copy


def test_untaught_they_all_say_the_base_rate():
    applied = apply(fresh(0.07), NAMES)
    assert expit(applied.intercepts) == pytest.approx(0.07)
    assert not applied.weights.any()


@pytest.mark.parametrize("rate", [0.05, 0.3])
def test_a_weighted_loss_still_ends_in_probabilities(rate):
    teacher = _taught(fresh(rate), _lessons(6000, rate=rate))
    said = [teacher.predict(x) for x, _ in _lessons(500, seed=9)]
    for name in REGRESSIONS:
        assert np.mean([expit(np.array(one[name])) for one in said]) == pytest.approx(rate, abs=0.25 * rate)


def test_they_learn_what_matters():
    teacher = _taught(fresh(0.3), _lessons(1000, effect=1.5))
    for model in teacher.state().models.values():
        assert model.weights["logins"] > 0.3
        assert abs(model.weights["mrr"]) < 0.5 * model.weights["logins"]


def test_a_measure_never_weighs_against_its_declared_direction():
    against = _taught(fresh(0.3), _lessons(1000, effect=1.5), logins=-1.0).state()
    along = _taught(fresh(0.3), _lessons(1000, effect=1.5), logins=1.0).state()
    free = _taught(fresh(0.3), _lessons(1000, effect=1.5)).state()
    for name in REGRESSIONS:
        assert against.models[name].weights["logins"] == 0.0
        assert along.models[name].weights["logins"] == pytest.approx(free.models[name].weights["logins"], abs=0.05)


def test_a_constant_column_weighs_nothing_and_never_turns_complex():
    teacher = _taught(fresh(0.3), _lessons(300))
    state = teacher.state()
    assert state.models["sgd"].weights["seats"] == 0.0
    applied = apply(state, NAMES)
    assert applied.scales[2] == 0.0
    odd = features(np.array([[1.0, 1.0, 1e6]])).astype(np.float64)
    assert applied.standardize(odd)[0, 2] == 0.0


def test_rounding_of_a_constant_is_no_variance():
    scaler = Standardize()
    for _ in range(50):
        scaler.learn_one({"seats": 0.1 + 0.2})
        scaler.learn_one({"seats": 0.3})
    assert scaler.transform_one({"seats": 0.3000001}) == {"seats": 0.0}


def test_an_outlier_counts_no_more_than_the_clip():
    scaler = Standardize()
    for value in (1.0, 2.0, 3.0):
        scaler.learn_one({"mrr": value})
    assert scaler.transform_one({"mrr": 1e12}) == {"mrr": CLIP}


def test_a_new_feature_begins_with_no_weight_and_an_old_one_is_kept_by_name():
    state = _taught(fresh(0.3), _lessons(300, effect=1.0)).state()
    renamed = feature_names(["seats", "newcomer", "logins"])
    applied = apply(state, renamed)
    assert applied.weights[renamed.index("newcomer")].tolist() == [0.0, 0.0]
    assert applied.weights[renamed.index("logins")].tolist() == [
        state.models[name].weights["logins"] for name in REGRESSIONS
    ]


def test_where_nothing_is_far_out_our_scaler_is_rivers():
    ours, rivers = Standardize(), preprocessing.StandardScaler()
    for x, _ in datasets.Phishing().take(300):
        ours.learn_one(x)
        rivers.learn_one(x)
        near = {name: z for name, z in rivers.transform_one(x).items() if abs(z) < CLIP}
        mine = ours.transform_one(x)
        assert {name: mine[name] for name in near} == near


def test_our_scaler_works_in_a_pipeline_of_rivers():
    model = Standardize() | linear_model.LogisticRegression()
    score = evaluate.progressive_val_score(datasets.Phishing().take(600), model, metrics.ROCAUC())
    assert score.get() > 0.9
