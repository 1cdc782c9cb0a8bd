from __future__ import annotations

import numpy as np
import pytest

from scoring.arrays import expit, logit
from scoring.experts.bayes import fresh

NAMES = ("logins", "silence", "logins?", "silence?")


def _labels(n, seed=0):
    """Two features that say nearly the same, and no unknown ones; only silence matters."""
    rng = np.random.default_rng(seed)
    silence = rng.normal(size=n)
    read = np.column_stack([-silence + 0.3 * rng.normal(size=n), silence, np.zeros((n, 2))])
    return read, rng.random(n) < expit(-1.0 + 0.8 * silence)


def _taught(n, names=NAMES, **signs):
    one = fresh(logit(0.3))
    read, lost = _labels(n)
    for start in range(0, n, 64):
        one.learn(names, read[start : start + 64], lost[start : start + 64], 1.0, 1.0)
    one.settle(signs, names)
    return one


def test_it_begins_with_the_base_rate_and_no_weights():
    one = fresh(logit(0.07))
    assert expit(np.array(one.intercept)) == pytest.approx(0.07)
    assert one.weights == {}


def test_it_finds_what_matters():
    one = _taught(6400)
    assert one.weights["silence"] - one.weights["logins"] == pytest.approx(0.8, abs=0.15)
    assert one.weights["logins?"] == 0.0


def test_what_may_not_weigh_against_its_direction_is_held_at_nothing_and_the_others_make_up_for_it():
    free, held = _taught(6400), _taught(6400, logins=1.0, silence=1.0)
    assert free.weights["logins"] < 0
    assert held.weights["logins"] == 0.0
    assert held.weights["silence"] > free.weights["silence"]
    read, lost = _labels(3000, seed=5)

    def loss(one):
        odds = one.intercept + read @ np.array([one.weights[name] for name in NAMES])
        return np.logaddexp(0, np.where(lost, -odds, odds)).mean()

    assert loss(held) < loss(free) + 0.005


def test_features_go_by_name_whatever_their_order():
    one, other = _taught(640), fresh(logit(0.3))
    read, lost = _labels(640)
    for start in range(0, 640, 64):
        some = slice(start, start + 64)
        other.learn(NAMES[::-1], read[some][:, ::-1], lost[some], 1.0, 1.0)
    other.settle({}, NAMES)
    assert other.weights == pytest.approx(one.weights)


def test_a_feature_that_comes_later_begins_at_nothing_and_one_that_is_gone_is_forgotten():
    one = _taught(640)
    before = dict(one.weights)
    one.learn((*NAMES, "mrr"), np.zeros((1, 5)), np.zeros(1, bool), 1e-9, 1.0)
    one.settle({}, ["silence", "mrr"])
    assert one.weights.keys() == {"silence", "mrr"}
    assert one.weights["mrr"] == pytest.approx(0.0, abs=1e-9)
    assert one.weights["silence"] == pytest.approx(before["silence"], abs=1e-6)


def test_what_fades_is_how_sure_it_is_and_not_what_it_believes():
    one = _taught(640)
    sure, believed = one.belief.precision, one.belief.mean
    one.learn(NAMES, np.zeros((0, 4)), np.zeros(0, bool), 1.0, 0.5)
    assert one.belief.mean == pytest.approx(believed)
    assert np.trace(one.belief.precision) < np.trace(sure)
