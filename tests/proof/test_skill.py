from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from scoring.arrays import expit
from scoring.proof.skill import skill


def _world(n, seed=0, wrong=0.0):
    chance = np.random.default_rng(seed)
    odds = chance.normal(-0.5, 1.5, n)
    return expit(odds + wrong), chance.random(n) < expit(odds), chance.integers(0, n // 5, n)


@settings(max_examples=30, deadline=None)
@given(st.integers(150, 600), st.integers(0, 1000), st.booleans())
def test_the_figures_are_those_of_scikit_learn(n, seed, tied):
    chances, lost, who = _world(n, seed)
    chances = np.round(chances, 1) if tied else chances
    found = skill(chances, lost, who, 0)
    assert found.value("auc") == pytest.approx(roc_auc_score(lost, chances))
    assert found.value("brier") == pytest.approx(brier_score_loss(lost, chances))
    assert found.value("log_loss") == pytest.approx(log_loss(lost, np.clip(chances, 1e-6, 1 - 1e-6)))


def test_an_honest_forecast_is_calibrated_and_a_shifted_one_is_not():
    honest, shifted = skill(*_world(20_000), 0), skill(*_world(20_000, wrong=1.0), 0)
    assert honest.value("ece") < 0.02
    assert shifted.value("ece") > 0.1
    assert [count for _, _, count in honest.curve] == [2_000] * 10
    said, true, _ = zip(*honest.curve, strict=True)
    assert said == pytest.approx(true, abs=0.05)


def test_intervals_count_customers_not_labels():
    chances, lost, who = _world(1_000)
    alone = skill(chances, lost, np.arange(1_000), 200)
    tenfold = skill(np.repeat(chances, 10), np.repeat(lost, 10), np.repeat(np.arange(1_000), 10), 200)
    for name in ("auc", "log_loss", "brier"):
        one, ten = alone.figures[name], tenfold.figures[name]
        assert ten.value == pytest.approx(one.value)
        assert ten.high - ten.low == pytest.approx(one.high - one.low, rel=0.02)
    assert len(np.unique(who)) == skill(chances, lost, who, 0).accounts


def test_an_interval_holds_the_truth_about_as_often_as_it_says():
    truth = skill(*_world(200_000, seed=9), 0).value("auc")
    held = 0
    for seed in range(60):
        figure = skill(*_world(400, seed), 100).figures["auc"]
        held += figure.low <= truth <= figure.high
    assert held >= 51  # of 60; 57 expected


@pytest.mark.parametrize(("n", "lost"), [(0, 0), (99, 30), (500, 9), (500, 495)])
def test_too_few_labels_give_no_number(n, lost):
    found = skill(np.full(n, 0.5), np.arange(n) < lost, np.arange(n))
    assert found.value("auc") is None
    assert (found.labels, found.lost, found.curve) == (n, lost, [])
