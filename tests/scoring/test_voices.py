"""Experts that not everybody has, and that may be silent: how they are heard, and what becomes of their weight."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scoring.arrays import logit
from scoring.learning import taught
from scoring.model import EXPERTS, HAZARD, TRUST, Model, decode, encode, fresh, lineup
from scoring.scorer import Scorer
from tests.proof.contracts import config as contracts
from tests.scoring.judging import config, customers, experienced, judge, lessons, mixed

DATED = contracts()
RENEWAL = [measure.name for measure in DATED.measures].index("renewal")


def _looks(n, seed=0):
    """Customers of whom some have a contract: logins, silence, days until the renewal."""
    chance = np.random.default_rng(seed)
    values = np.column_stack([chance.exponential(5, n), chance.exponential(9, n), chance.uniform(-20, 300, n)])
    values[chance.random(n) < 0.3, RENEWAL] = np.nan
    return values


def _grown(labels=1600, seed=0):  # whole portions: none waits
    chance, model = np.random.default_rng(seed), fresh(DATED)
    for start in range(0, labels, 100):
        values = _looks(100, seed + start)
        near = (values[:, RENEWAL] > 0) & (values[:, RENEWAL] <= 60)
        lost = chance.random(100) < np.where(near, 0.5, 0.05)
        model = taught(model, lessons(Scorer(DATED, model), values, lost), DATED)
    return model


GROWN = _grown()
values = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 8), st.just(3)),
    elements=st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.floats(-5, 300), st.just(float("nan"))),
)


@settings(max_examples=200, deadline=None)
@given(values, st.sampled_from([None, GROWN]))
def test_with_an_expert_that_is_silent_on_some_drivers_still_sum_exactly(values, model):
    scores = judge(Scorer(DATED, model), values)
    assert np.abs(scores.base + scores.points.sum(axis=1) - scores.health).max() < 1e-9
    assert np.isfinite(scores.points).all()
    assert (np.isnan(scores.predictions[HAZARD]) == np.isnan(values[:, RENEWAL])).all()


@settings(deadline=None)
@given(values)
def test_one_by_one_or_together_they_are_heard_the_same(values):
    scorer = Scorer(DATED, GROWN)
    alone = np.concatenate([judge(scorer, row[None, :]).health for row in values])
    assert alone == pytest.approx(judge(scorer, values).health, abs=1e-9)


def test_the_mix_is_the_mean_of_those_who_have_an_opinion():
    scores = judge(Scorer(DATED, GROWN), _looks(60, seed=3))
    for each in range(60):
        said = {name: float(chances[each]) for name, chances in scores.predictions.items() if chances[each] > 0}
        opinions = {name: logit(one) for name, one in said.items() if name in GROWN.mixture.weights}
        assert len(opinions) == len(EXPERTS) + (not np.isnan(scores.predictions[HAZARD][each]))
        assert scores.logit[each] == pytest.approx(mixed(GROWN.mixture, opinions), abs=1e-9)


def test_a_renewal_ahead_costs_health_and_says_so():
    assert GROWN.weights[HAZARD] > 0.3
    near, far = np.array([[4.0, 9.0, 12.0], [4.0, 9.0, 200.0]])
    scorer = Scorer(DATED, GROWN)
    scores = judge(scorer, np.array([near, far]))
    drivers, _ = scorer.say(near.tolist(), scores.points[0].tolist(), 1, {})
    assert drivers[0].text == "renews in 12 days"
    assert drivers[0].points < -8
    assert scores.health[1] > scores.health[0] + 20


def test_a_customer_of_whom_nothing_is_known_stands_at_the_base_whoever_else_may_speak():
    scorer = Scorer(DATED, GROWN)
    scores = judge(scorer, np.array([[np.nan, np.nan, np.nan]]))
    silent = msgspec.structs.replace(GROWN, hazard=None)
    assert scorer.base == Scorer(DATED, silent).base
    assert scores.points[0, RENEWAL] == pytest.approx(
        judge(Scorer(DATED, silent), np.array([[np.nan] * 3])).points[0, RENEWAL]
    )


def test_where_the_measure_is_gone_the_weight_is_everybody_else_s():
    undated = contracts(dated=False)
    values = _looks(40, seed=9)
    scores = judge(Scorer(undated, GROWN), values[:, :2])
    assert HAZARD not in scores.predictions
    heard = {name: one for name, one in GROWN.mixture.weights.items() if name in EXPERTS}
    alone = msgspec.structs.replace(
        GROWN, mixture=msgspec.structs.replace(GROWN.mixture, weights=_whole(heard)), hazard=None
    )
    assert scores.logit == pytest.approx(judge(Scorer(undated, alone), values[:, :2]).logit, abs=1e-9)


def test_what_such_an_expert_was_worth_is_kept_while_it_is_away():
    undated = contracts(dated=False)
    chance, model = np.random.default_rng(1), decode(encode(GROWN))
    for start in range(3):
        values = _looks(100, start)[:, :2]
        model = taught(model, lessons(Scorer(undated, model), values, chance.random(100) < 0.1), undated)
    assert model.mixture.weights[HAZARD] == pytest.approx(GROWN.mixture.weights[HAZARD])
    assert model.hazard == GROWN.hazard
    assert HAZARD in lineup(undated, model)


def test_a_model_of_before_there_was_such_an_expert_takes_it_in():
    """An installation that declares when its contracts end goes on from what it knows."""
    known = experienced(config(), 600)
    older = msgspec.json.decode(encode(known), type=dict)
    del older["hazard"]
    read = decode(msgspec.json.encode(older).decode())
    assert read == known
    dated = config([*config().model_dump()["measures"], DATED.measures[RENEWAL].model_dump()])
    values = np.column_stack([customers(np.random.default_rng(0), 64), _looks(64)[:, RENEWAL]])
    after = taught(read, lessons(Scorer(dated, read), values, np.arange(64) % 3 == 0), dated)
    assert after.mixture.weights[HAZARD] == pytest.approx(0.1)
    assert after.hazard is not None
    assert sum(after.mixture.weights.values()) == pytest.approx(1.0)


def test_who_has_no_dates_has_no_such_expert():
    model = fresh(config())
    assert (model.hazard, model.mixture.weights) == (None, TRUST)
    assert lineup(config()) == EXPERTS
    assert isinstance(experienced(config(), 200), Model)
    assert HAZARD not in experienced(config(), 200).mixture.weights


def _whole(weights):
    total = sum(weights.values())
    return {name: one / total for name, one in weights.items()}
