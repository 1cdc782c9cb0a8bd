from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import checks, datasets, evaluate, linear_model, metrics, optim, preprocessing

from scoring.arrays import expit
from scoring.experts.risk import REGRESSIONS, RIVERS, Regressions, apply, fresh
from scoring.experts.scaling import CLIP, Scaling
from scoring.features import feature_names, features
from scoring.teaching import PORTION, Regression, Teacher

NAMES = feature_names(["logins", "mrr", "seats"])


def _labels(n, seed=0, rate=0.3, effect=0.0):
    """Features (n, 6) and labels; `seats` never changes, `mrr` is sometimes unknown."""
    rng = np.random.default_rng(seed)
    mrr = np.where(rng.random(n) < 0.8, rng.lognormal(5, 1, n), np.nan)
    found = features(np.column_stack([rng.exponential(5, n), mrr, np.full(n, 7.0)])).astype(np.float64)
    odds = np.log(rate / (1 - rate)) + effect * (found[:, 0] - 1.5)
    return found, rng.random(n) < expit(odds)


def _taught(state, found, lost, **signs):
    """The state after these labels, a portion at a time; the third regression as `scoring.learning` teaches it."""
    teacher, bayes = Teacher(state, signs), state.bayes
    for start in range(0, len(lost), PORTION):
        some = slice(start, start + PORTION)
        read = teacher.learn(NAMES, found[some], lost[some])
        bayes.learn(NAMES, read, lost[some], 1.0, 1.0)
    bayes.settle(signs, NAMES)
    after = teacher.state()
    after.bayes = bayes
    return after


def _travel(state):
    return msgspec.json.decode(msgspec.json.encode(state), type=Regressions)


def _said(state, found):
    applied = apply(state, NAMES)
    return expit(applied.intercepts + applied.standardize(found) @ applied.weights)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 200), st.integers(0, 1000), st.floats(0.01, 0.9))
def test_after_a_journey_as_json_they_learn_on_as_if_they_had_stayed(n, seed, rate):
    found, lost = _labels(3 * PORTION + n, seed)
    stayed = _taught(fresh(rate), found, lost)
    halfway = _travel(_taught(fresh(rate), found[: 2 * PORTION], lost[: 2 * PORTION]))
    assert _taught(halfway, found[2 * PORTION :], lost[2 * PORTION :]) == stayed


def test_untaught_they_all_say_the_base_rate():
    applied = apply(fresh(0.07), NAMES)
    assert expit(applied.intercepts) == pytest.approx(0.07)
    assert not applied.weights.any()


@pytest.mark.parametrize("rate", [0.05, 0.3])
def test_they_end_in_probabilities_however_losses_were_weighed(rate):
    state = _taught(fresh(rate), *_labels(6000, rate=rate))
    assert _said(state, _labels(500, seed=9)[0]).mean(axis=0) == pytest.approx(rate, abs=0.25 * rate)


def test_they_learn_what_matters():
    state = _taught(fresh(0.3), *_labels(2000, effect=1.5))
    applied = apply(state, NAMES)
    logins, mrr = applied.weights[NAMES.index("logins")], applied.weights[NAMES.index("mrr")]
    assert (logins > 0.3).all()
    assert (np.abs(mrr) < 0.5 * logins).all()


def test_a_hundred_labels_of_chance_teach_the_third_almost_nothing():
    """It knows how little a hundred labels say."""
    found, lost = _labels(100)
    said = _said(_taught(fresh(0.3), found, lost), found)[:, REGRESSIONS.index("bayes")]
    assert said.std() < 0.06


def test_a_measure_never_weighs_against_its_declared_direction():
    found, lost = _labels(2000, effect=1.5)
    against = apply(_taught(fresh(0.3), found, lost, logins=-1.0), NAMES).weights[NAMES.index("logins")]
    along = apply(_taught(fresh(0.3), found, lost, logins=1.0), NAMES).weights[NAMES.index("logins")]
    free = apply(_taught(fresh(0.3), found, lost), NAMES).weights[NAMES.index("logins")]
    assert against.tolist() == [0.0, 0.0, 0.0]
    assert along == pytest.approx(free, abs=0.05)


def test_a_constant_column_weighs_nothing():
    state = _taught(fresh(0.3), *_labels(640))
    applied = apply(state, NAMES)
    assert applied.scales[2] == 0.0
    assert state.models["sgd"].weights["seats"] == 0.0
    odd = features(np.array([[1.0, 1.0, 1e6]])).astype(np.float64)
    assert applied.standardize(odd)[0, 2] == 0.0


def test_rounding_of_a_constant_is_no_variance():
    scaling = Scaling()
    for value in (0.1 + 0.2, 0.3) * 50:
        scaling.learn(["seats", "seats?"], np.array([[value, 0.0]]))
    assert scaling.standardized(["seats", "seats?"], np.array([[0.3000001, 0.0]])).tolist() == [[0.0, 0.0]]


def test_an_outlier_counts_no_more_than_the_clip():
    scaling = Scaling()
    scaling.learn(["mrr", "mrr?"], np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]))
    assert scaling.standardized(["mrr", "mrr?"], np.array([[1e12, 0.0]]))[0, 0] == CLIP


def test_what_is_unknown_stands_at_the_mean_and_raises_its_flag():
    scaling = Scaling()
    scaling.learn(["mrr", "mrr?"], np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 0.0]]))
    assert scaling.counts == {"mrr": 2}
    assert scaling.means == {"mrr": 2.0}
    assert scaling.standardized(["mrr", "mrr?"], np.array([[0.0, 1.0]])).tolist() == [[0.0, 1.0]]


def test_a_new_feature_begins_with_no_weight_and_an_old_one_is_kept_by_name():
    state = _taught(fresh(0.3), *_labels(640, effect=1.0))
    renamed = feature_names(["seats", "newcomer", "logins"])
    applied, before = apply(state, renamed), apply(state, NAMES)
    assert applied.weights[renamed.index("newcomer")].tolist() == [0.0, 0.0, 0.0]
    assert (applied.weights[renamed.index("logins")] == before.weights[NAMES.index("logins")]).all()


def test_our_scaling_is_rivers():
    ours, rivers = Scaling(), preprocessing.StandardScaler()
    rows = [x for x, _ in datasets.Phishing().take(300)]
    names = (*rows[0], *(f"{name}?" for name in rows[0]))
    matrix = np.array([[*row.values(), *[0.0] * len(row)] for row in rows])
    for start in range(0, 300, 70):
        ours.learn(names, matrix[start : start + 70])
    for row in rows:
        rivers.learn_one(row)
    read = ours.standardized(names, matrix)[:, : len(rows[0])]
    theirs = np.array([[*rivers.transform_one(row).values()] for row in rows])
    np.testing.assert_allclose(read, np.clip(theirs, -CLIP, CLIP), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("optimizer", [optim.SGD(0.1), optim.AdaGrad(0.1)])
def test_a_portion_of_one_is_what_river_learns_of_one(optimizer):
    rows, one = Regression(optimizer.clone()), linear_model.LogisticRegression(optimizer.clone())
    for x, y in datasets.Phishing().take(200):
        rows.learn_rows(np.array([[*x.values()]]), [*x], np.array([y]), 1.0)
        one.learn_one(x, y)
    for x, _ in datasets.Phishing().take(50):
        assert rows.predict_proba_one(x)[True] == pytest.approx(one.predict_proba_one(x)[True])


def test_our_regression_passes_rivers_own_checks():
    checks.check_estimator(Regression())
    score = evaluate.progressive_val_score(
        datasets.Phishing().take(600), preprocessing.StandardScaler() | Regression(), metrics.ROCAUC()
    )
    assert score.get() > 0.9


def test_rivers_are_the_first_of_the_regressions():
    assert REGRESSIONS[: len(RIVERS)] == RIVERS
