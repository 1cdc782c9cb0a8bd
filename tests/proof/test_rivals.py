"""A comparison is fair only if what it compares with is fitted as well as it can be."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from scoring.proof.rivals import Logistic


def told(chance, count, apart):
    lost = chance.random(count) < 0.3
    features = chance.normal(size=(count, 4)) * [1.0, 10.0, 0.1, 0.0]
    features[:, 0] += apart * lost
    return features, lost


@pytest.mark.parametrize("apart", [0.0, 1.0, 8.0, 1e3], ids=["alike", "near", "all but apart", "far apart"])
def test_the_logistic_regression_finds_what_a_library_finds(apart):
    features, lost = told(np.random.default_rng(3), 2_000, apart)
    ours = Logistic()
    ours.train(features, lost)
    spread = features.std(axis=0)
    read = (features - features.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    theirs = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(read, lost)
    assert ours.predict(features) == pytest.approx(theirs.predict_proba(read)[:, 1], abs=1e-5)


def test_where_it_was_last_week_does_not_keep_it_from_where_it_should_be():
    chance = np.random.default_rng(4)
    ours, anew = Logistic(), Logistic()
    for apart in (30.0, -30.0, 0.5):
        features, lost = told(chance, 500, apart)
        ours.train(features, lost)
    anew.train(features, lost)
    assert ours.predict(features) == pytest.approx(anew.predict(features), abs=1e-6)
