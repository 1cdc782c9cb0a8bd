from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.arrays import expit
from scoring.config import Measure
from scoring.experts.bayes import Bayes
from scoring.experts.hazard import Hazard, exposures, fresh, leanings, renewal
from scoring.experts.posterior import Posterior

HORIZON = 60.0
days = st.one_of(st.floats(-4000, 4000), st.floats(allow_nan=False), st.just(math.nan))


def _chances(one, *until, lean=0.0):
    return expit(one.opinions(np.array(until, np.float64), HORIZON, lean))


def _taught(until, lost, one=None, *, weight=1.0, portion=64, lean=None):
    one = one or fresh(0.1)
    until, lost = np.array(until, np.float64), np.array(lost, bool)
    leans = np.zeros(len(until)) if lean is None else lean
    for start in range(0, len(until), portion):
        some = slice(start, start + portion)
        one.learn(until[some], HORIZON, leans[some], lost[some], weight=weight, kept=1.0)
    return one


def _contracts(n, seed=0, leaves=0.3, rate=0.02):
    """Contracts of which so many end when they may, and few at any other time: days to go, and whether lost."""
    chance = np.random.default_rng(seed)
    until = chance.uniform(-30, 365, n)
    falls = (until > 0) & (until <= HORIZON)
    return until, chance.random(n) < np.where(falls, leaves + rate, rate)


@settings(deadline=None)
@given(st.lists(days, min_size=1, max_size=20))
def test_a_horizon_lies_in_spans_once_and_altogether(until):
    spent = exposures(np.array(until), HORIZON)
    assert (spent >= 0).all()
    assert spent[:, :-1].sum(axis=1) == pytest.approx(np.ones(len(until)), abs=1e-6)


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.6])
def test_untaught_it_says_the_base_rate_of_everybody(rate):
    said = _chances(fresh(rate), -500, -30, 61, 200, 5000)
    assert said == pytest.approx(np.full(5, rate))
    assert _chances(fresh(rate), 30)[0] == pytest.approx(rate, rel=0.15)


def test_the_chance_jumps_on_the_day_on_which_the_renewal_falls_within_the_horizon():
    one = _taught(*_contracts(4000))
    beyond, within, near, past = _chances(one, 60.5, 59.5, 2.0, -1.0)
    assert within > 4 * beyond
    assert near > 4 * past
    assert within == pytest.approx(0.32, abs=0.06)
    assert beyond == pytest.approx(0.02, abs=0.02)


def _unhappy(n, seed=0):
    """Contracts of which the unhappy end when they may: days to go, how far they lean, whether lost."""
    chance = np.random.default_rng(seed)
    until, lean = chance.uniform(-30, 365, n), chance.normal(0, 0.5, n)
    falls = (until > 0) & (until <= HORIZON)
    return until, lean, chance.random(n) < np.where(falls, expit(-1.0 + 3.0 * lean), 0.01)


def test_who_leans_to_leave_does_so_when_the_contract_ends_and_hardly_before():
    until, lean, lost = _unhappy(6000)
    one = _taught(until, lost, lean=lean)
    assert one.belief.mean[-1] == pytest.approx(2.3, abs=0.6)  # of log odds that hazards are, where losses are not rare
    happy, unhappy = (_chances(one, 30.0, 200.0, lean=how) for how in (-0.8, 0.8))
    assert unhappy[0] > happy[0] + 0.4
    assert unhappy[1] < 0.1


def test_where_leaning_says_nothing_it_is_learned_to_count_little():
    until, lost = _contracts(6000)
    one = _taught(until, lost, lean=np.random.default_rng(9).normal(0, 0.5, 6000))
    assert one.belief.mean[-1] < 0.3


def test_hazards_are_multiplied_whatever_the_days():
    one = _taught(*_contracts(2000))
    plain, leaning = (-np.log1p(-_chances(one, 5.0, 90.0, 400.0, lean=how)) for how in (0.0, 0.5))
    assert leaning / plain == pytest.approx(np.full(3, np.exp(0.5 * one.belief.mean[-1])))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(days, st.floats(-1e6, 1e6), st.booleans()), min_size=1, max_size=80))
def test_however_far_somebody_leans_it_stays_finite(told):
    until, lean = np.array([one[:2] for one in told]).T
    one = _taught(until, [lost for *_, lost in told], lean=lean)
    assert np.isfinite(one.belief.mean).all()
    assert 0.0 <= one.belief.mean[-1] <= 5.0
    said = _chances(one, *until, lean=lean)
    assert (np.isnan(said) == np.isnan(until)).all()


def test_how_far_one_leans_is_what_the_regression_makes_of_all_but_the_renewal():
    names = ("logins", "renewal", "urgent", "logins?", "renewal?", "urgent?")
    known = Posterior.of(np.array([9.0, -0.4, 5.0, -0.3, 0.2, 6.0]), np.eye(6))
    bayes = Bayes(known, 0.0, ("logins", "renewal", "urgent", "logins?", "renewal?"))
    found = leanings(bayes, names, {"logins": -1.0, "renewal": -1.0, "urgent": 1.0}, "renewal")
    assert found.tolist() == [-0.4, 0.0, 0.0, 0.2, 0.0, 0.0]  # urgent tickets do not make anybody stay


def test_spans_need_not_rise_or_fall_in_turn():
    """Two months before the end people give notice; those who have not are safe till it comes."""
    chance = np.random.default_rng(2)
    until = chance.uniform(0, 365, 6000)
    told = (until > 60) & (until <= 120)
    one = _taught(until, chance.random(6000) < np.where(told, 0.4, 0.01))
    early, notice, late = _chances(one, 250, 90, 1)
    assert notice > 3 * early
    assert notice > 3 * late


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 20), st.floats(-300, 600), st.booleans())
def test_one_label_more_never_speaks_against_itself(seed, until, lost):
    """Whoever was lost makes those who stand where he stood look no safer, and who stayed no riskier."""
    one = _taught(*_contracts(256, seed))
    before = one.opinions(np.array([until]), HORIZON)[0]
    after = _taught([until], [lost], one).opinions(np.array([until]), HORIZON)[0]
    assert after >= before - 1e-9 if lost else after <= before + 1e-9


def test_the_order_within_a_portion_makes_no_difference():
    until, lost = _contracts(64)
    turned = np.random.default_rng(1).permutation(64)
    one, other = _taught(until, lost), _taught(until[turned], lost[turned])
    assert other.belief.mean == pytest.approx(one.belief.mean, abs=1e-9)


def test_ten_labels_of_a_tenth_are_one():
    until, lost = _contracts(64)
    plain = _taught(until, lost)
    tenfold = _taught(np.repeat(until, 10), np.repeat(lost, 10), weight=0.1, portion=640)
    assert tenfold.belief.mean == pytest.approx(plain.belief.mean, abs=1e-6)


def test_it_goes_on_as_json():
    until, lost = _contracts(640)
    stayed, travelled = fresh(0.1), fresh(0.1)
    for start in range(0, 640, 64):
        some = slice(start, start + 64)
        for one in (stayed, travelled):
            one.learn(until[some], HORIZON, until[some] / 300, lost[some], weight=0.12, kept=0.99)
        travelled = msgspec.json.decode(msgspec.json.encode(travelled), type=Hazard)
    assert travelled == stayed
    assert len(msgspec.json.encode(stayed)) < 1_500


def test_a_span_of_which_little_is_known_stands_at_the_level_of_all():
    chance = np.random.default_rng(5)
    one = _taught(chance.uniform(120, 365, 3000), chance.random(3000) < 0.25, fresh(0.02))
    assert _chances(one, 200, -900) == pytest.approx([0.25, 0.25], abs=0.07)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(days, st.booleans()), min_size=1, max_size=80))
def test_whatever_the_dates_say_it_is_finite_or_silent(told):
    until = [one for one, _ in told]
    one = _taught(until, [lost for _, lost in told])
    assert np.isfinite(one.belief.mean).all()
    said = _chances(one, *until)
    assert (np.isnan(said) == np.isnan(until)).all()
    assert ((said >= 0) & (said <= 1))[~np.isnan(said)].all()


@pytest.mark.parametrize("lost", [True, False])
def test_where_all_end_alike_it_grows_sure_and_stays_finite(lost):
    until, _ = _contracts(6400)
    said = _chances(_taught(until, np.full(6400, lost)), 30.0)[0]
    assert said > 0.9 if lost else said < 0.02
    assert math.isfinite(said)


def test_who_has_no_date_teaches_nothing():
    one = fresh(0.1)
    one.learn(np.full(64, np.nan), HORIZON, np.zeros(64), np.ones(64, bool), weight=1.0, kept=0.9)
    assert one == fresh(0.1)


def test_the_renewal_is_the_date_that_renewals_tell():
    def date(name, read="until", kinds=("account.updated",)):
        data = {"name": name, "family": "date", "read": read, "of": "properties.day", "kinds": list(kinds)}
        return Measure.model_validate(data | {"dimension": "any", "label": "{n}", "direction": "up"})

    trial, since, contract = date("trial"), date("signed", "since"), date("ends", kinds=["contract.renewed"])
    assert renewal([since, trial, contract]) == 2
    assert renewal([since, trial]) == 1
    assert renewal([since]) is None
