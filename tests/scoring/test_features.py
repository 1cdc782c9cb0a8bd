from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from scoring.features import feature_names, features, measured
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


@settings(deadline=None)
@given(any_values)
def test_what_was_measured_can_be_told_from_its_features(values):
    names = ["logins", "silence", "urgent", "nps"]
    back = measured(features(values), feature_names(names), ["nps", "stranger", "logins"])
    within = np.clip(values, -1e25, 1e25)
    np.testing.assert_allclose(np.clip(back[:, [2, 0]], -1e25, 1e25), within[:, [0, 3]], rtol=1e-4, atol=1e-6)
    assert np.isnan(back[:, 1]).all()
