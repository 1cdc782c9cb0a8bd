"""What a subscription will bring."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring.value import contracts
from scoring.value.contracts import MONTH
from scoring.value.model import Contracts

CALM = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
LEARNED = Contracts(0.05, 10.0, 100, 20)
ONE = np.ones(1)


def stream(mrr=1_000.0, risk=0.05, stayed=0.0, learned=LEARNED, **more):
    asked = {"days": 365.0, "horizon": 60.0, "discount": 0.1, "interval": 0.8} | more
    return contracts.stream(learned, mrr * ONE, risk * ONE, stayed * ONE, **asked)


@CALM
@given(st.floats(0, 1e7), st.floats(0, 1), st.floats(0, 60), st.floats(1, 3_650), st.floats(0, 1))
def test_it_brings_no_more_than_who_stays_pays_and_bounds_are_in_order(mrr, risk, stayed, days, discount):
    said = stream(mrr, risk, stayed, days=days, discount=discount)
    full = mrr / MONTH * days
    assert 0.0 <= said.low[0] <= said.high[0] <= full * (1 + 1e-9)
    assert 0.0 <= said.discounted[0] <= said.value[0] * (1 + 1e-9)
    assert said.value[0] <= full * (1 + 1e-9)
    assert 0.0 <= said.stays[0] <= 1.0


@CALM
@given(st.floats(0, 0.99), st.floats(0.001, 0.01))
def test_more_risk_brings_less(risk, more):
    assert stream(risk=risk + more).value[0] <= stream(risk=risk).value[0] * (1 + 1e-9)


def test_no_risk_pays_for_all_of_the_time_and_certain_loss_for_almost_none():
    assert stream(risk=0.0).value[0] == pytest.approx(1_000.0 / MONTH * 365.0, rel=1e-3)
    assert stream(risk=1.0).value[0] < 1_000.0
    assert stream(risk=1.0).low[0] <= stream(risk=0.5).low[0] <= stream(risk=0.01).low[0]


@CALM
@given(st.floats(0.01, 0.9), st.floats(0.5, 100), st.integers(0, 12))
def test_at_whole_horizons_it_is_the_shifted_beta_geometric(risk, alike, horizons):
    """Fader and Hardie (2007), equation 8: the rate at which those still there stay grows with time."""
    a, b = alike * risk, alike * (1 - risk)
    product = math.prod((b + n) / (a + b + n) for n in range(horizons))
    assert contracts.stays(risk * ONE, alike * ONE, float(horizons))[0] == pytest.approx(product, rel=1e-9)


@pytest.mark.parametrize(("risk", "share"), [(0.1, 0.9), (0.6, 0.8)])
def test_eight_of_ten_such_customers_bring_what_lies_between_the_bounds_and_nine_where_many_stay(risk, share):
    random = np.random.default_rng(3)
    said = stream(risk=risk)
    days = np.linspace(0.0, 20_000.0, 200_001)
    there = contracts.stays(risk * ONE, 10.0 * ONE, days / 60.0)
    leaves = np.interp(-random.random(20_000), -there, days)
    brought = 1_000.0 / MONTH * np.minimum(leaves, 365.0)
    assert ((brought >= said.low[0]) & (brought <= said.high[0] + 1e-9)).mean() == pytest.approx(share, abs=0.01)
    assert brought.mean() == pytest.approx(said.value[0], rel=0.01)
    assert said.low[0] < said.value[0] < said.high[0]


def test_how_contracts_ended_is_found_again_and_nothing_known_is_the_base_rate():
    random = np.random.default_rng(5)
    lives = random.geometric(random.beta(0.6, 5.4, 4_000)).astype(float) - 0.5
    seen = random.uniform(0.0, 20.0, 4_000)
    ended = lives <= seen
    found = contracts.fitted(np.minimum(lives, seen), ended, 0.5)
    assert found.leave == pytest.approx(0.1, rel=0.15)
    assert found.alike == pytest.approx(6.0, rel=0.5)
    nobody = contracts.fitted(np.zeros(0), np.zeros(0, bool), 0.05)
    assert (nobody.leave, nobody.alike) == (pytest.approx(0.05), pytest.approx(10.0))
    assert (nobody.customers, nobody.ended) == (0, 0)


def test_nobody_left_yet_or_everybody_did_is_no_trouble():
    for ended in (np.zeros(50, bool), np.ones(50, bool)):
        found = contracts.fitted(np.full(50, 6.0), ended, 0.05)
        assert 0.0 < found.leave < 1.0
        assert math.isfinite(found.alike)
