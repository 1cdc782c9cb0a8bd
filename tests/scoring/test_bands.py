from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import ConfigError
from scoring.arrays import expit, logit
from scoring.bands import AT_BASE, BANDS, NO_BAND, bands, borders, health, slope
from tests.scoring.judging import config

BORDERS = borders(config().scorecard)


def _path(healths, hysteresis=3.0):
    """The bands an account passes through."""
    band, passed = np.array([NO_BAND], np.int8), []
    for value in healths:
        band = bands(np.array([value]), band, BORDERS, hysteresis)
        passed.append(BANDS[band[0]])
    return passed


def test_the_first_band_is_where_health_lies():
    starts = [_path([value])[0] for value in (100, 80, 79.9, 60, 59.9, 40, 39.9, 0)]
    assert starts == ["thriving", "thriving", "steady", "steady", "watch", "watch", "at_risk", "at_risk"]


def test_a_band_is_left_only_well_beyond_its_border():
    assert _path([62, 58, 57.1, 56.9, 61, 62.9, 63, 61]) == [
        "steady",
        "steady",
        "steady",
        "watch",
        "watch",
        "watch",
        "steady",
        "steady",
    ]


def test_a_fall_through_several_bands_is_one_change():
    assert _path([95, 20, 95]) == ["thriving", "at_risk", "thriving"]


def test_a_long_fall_stops_above_the_last_border_it_has_not_left_behind():
    assert _path([95, 59])[-1] == "steady"
    assert _path([95, 56])[-1] == "watch"


def test_without_hysteresis_the_border_decides():
    assert _path([80, 79.9, 80], hysteresis=0.0) == ["thriving", "steady", "thriving"]


@settings(deadline=None)
@given(st.floats(0, 100), st.integers(-1, 3), st.floats(0, 20))
def test_judging_the_same_health_again_changes_nothing(value, was, hysteresis):
    once = bands(np.array([value]), np.array([was], np.int8), BORDERS, hysteresis)
    assert once.dtype == np.int8
    assert bands(np.array([value]), once, BORDERS, hysteresis) == once


@pytest.mark.parametrize("wrong", [{"steady": 60.0, "watch": 40.0}, {"thriving": 50.0, "steady": 60.0, "watch": 40.0}])
def test_borders_must_be_there_and_ascend(wrong):
    with pytest.raises(ConfigError, match="watch < steady < thriving"):
        borders(config(bands=wrong).scorecard)


@pytest.mark.parametrize("base_rate", [0.001, 0.02, 0.55, 0.99])
def test_a_customer_at_the_base_rate_stands_at_seventy_whatever_the_rate(base_rate):
    risk = np.array([base_rate, base_rate / 2, (1 + base_rate) / 2])
    at_base, safer, riskier = health(np.log(risk / (1 - risk)) - logit(base_rate))
    assert at_base == pytest.approx(70)
    assert safer > 70 > riskier


@settings(deadline=None)
@given(st.floats(-50, 50))
def test_the_odds_of_staying_are_what_health_says(above):
    value = float(health(np.array(above)))
    assert 0 <= value <= 100
    if abs(above) < 20:
        assert value / (100 - value) == pytest.approx(7 / 3 * np.exp(-above), rel=1e-5)


def test_the_slope_is_that_of_health():
    step = 1e-6
    assert slope(AT_BASE) == pytest.approx(float(health(np.array(step)) - AT_BASE) / step, rel=1e-5)


def test_chances_are_finite_for_any_log_odds():
    assert expit(np.array([-1e308, 0.0, 1e308])).tolist() == [0.0, 0.5, 1.0]
