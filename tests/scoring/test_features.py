from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from scoring.features import feature_names, features, lesson
from tests.scoring.judging import any_values


@settings(deadline=None)
@given(any_values)
def test_features_are_finite_whatever_the_measures_are(values):
    found = features(values)
    assert found.dtype == np.float32
    assert found.shape == (len(values), 8)
    assert np.isfinite(found).all()


@settings(deadline=None)
@given(any_values)
def test_an_unknown_measure_is_told_from_zero(values):
    found = features(values)
    assert (found[:, 4:] == np.isnan(values)).all()


def test_features_keep_order_and_sign():
    found = features(np.array([[-1e300], [-5.0], [0.0], [3.0], [1e12], [np.inf]]))[:, 0]
    assert (np.diff(found) > 0).all()
    assert found[1] == -features(np.array([[5.0]]))[0, 0]


def test_a_lesson_names_each_measure_once_known_or_not():
    names = feature_names(["logins", "nps"])
    row = features(np.array([[np.nan, 0.0]]))[0]
    assert lesson(row.tolist(), names) == {"logins?": 1.0, "nps": 0.0}
