from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.arrays import expit
from scoring.experts.posterior import Posterior, learned


def _world(n, weights, seed=0):
    rng = np.random.default_rng(seed)
    rows = np.column_stack([np.ones(n), rng.normal(size=(n, len(weights) - 1))])
    return rows, rng.random(n) < expit(rows @ np.array(weights))


def _taught(rows, lost, portion, weight=1.0):
    mean, precision = np.zeros(rows.shape[1]), np.eye(rows.shape[1])
    for start in range(0, len(lost), portion):
        some = rows[start : start + portion]
        mean, precision = learned(
            mean, precision, lambda w, some=some: (some @ w, some), lost[start : start + portion], weight
        )
    return mean, precision


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(0, 1000))
def test_a_belief_travels_as_json_to_the_last_digit(size, seed):
    chance = np.random.default_rng(seed)
    root = chance.normal(size=(size, size))
    belief = Posterior.of(chance.normal(size=size), root @ root.T)
    back = msgspec.json.decode(msgspec.json.encode(belief), type=Posterior)
    assert back == belief
    assert (back.precision == belief.precision).all()
    np.testing.assert_allclose(belief.precision, root @ root.T, rtol=1e-6, atol=1e-6)


def test_portions_come_to_what_all_labels_at_once_would():
    rows, lost = _world(4000, [-1.0, 0.8, -0.4, 0.0])
    by_portions, precision = _taught(rows, lost, 64)
    at_once = np.zeros(4)
    for _ in range(50):  # the most probable weights under the same prior
        chances = expit(rows @ at_once)
        bend = np.eye(4) + (rows * (chances * (1 - chances))[:, None]).T @ rows
        at_once -= np.linalg.solve(bend, rows.T @ (chances - lost) + at_once)
    spread = np.sqrt(np.diag(np.linalg.inv(precision)))
    assert np.abs(by_portions - at_once).max() < 0.5 * spread.max()
    assert by_portions == pytest.approx([-1.0, 0.8, -0.4, 0.0], abs=4 * spread.max())


def test_ten_labels_of_a_tenth_are_one():
    rows, lost = _world(300, [-1.0, 0.8])
    plain, tenfold = _taught(rows, lost, 300), _taught(np.repeat(rows, 10, 0), np.repeat(lost, 10), 3000, weight=0.1)
    assert tenfold[0] == pytest.approx(plain[0], abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-4, 4), st.floats(-4, 4), st.booleans()), min_size=1, max_size=64))
def test_whatever_labels_say_a_portion_moves_no_belief_by_more_than_two(labels):
    rows = np.array([[1.0, a, b] for a, b, _ in labels])
    mean, precision = _taught(rows, np.array([lost for _, _, lost in labels]), 64)
    assert np.isfinite(mean).all()
    assert np.abs(mean).max() <= 2.0 + 1e-9
    assert np.linalg.eigvalsh(precision).min() >= 1.0 - 1e-9
