from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from scoring.arrays import expit
from scoring.learning import opinions, taught
from scoring.model import ENOUGH, EXPERTS, Missing, decode, encode, fresh, weight_of
from scoring.proof.quality import area
from scoring.scorer import Scorer
from tests.scoring.judging import SCORECARD, config, customers, experienced, judge, leaving, lessons, outcomes


def _outcomes(n, lost):
    return outcomes([{"scorecard": 0.1}] * n, [place < lost for place in range(n)])


def test_a_fresh_model_listens_to_the_scorecard_alone_and_says_what_it_lacks():
    model = fresh(config())
    assert model.weights == {"scorecard": 1.0}
    assert model.missing == Missing(labels=ENOUGH, lost=10, kept=10)
    assert not model.trusted


@pytest.mark.parametrize(
    ("n", "lost", "missing"),
    [
        (30, 12, Missing(70, 0, 0)),
        (95, 2, Missing(8, 8, 0)),
        (5000, 3, Missing(7, 7, 0)),
        (100, 95, Missing(5, 0, 5)),
        (100, 10, Missing(0, 0, 0)),
    ],
)
def test_insufficient_labels_are_counted_out(n, lost, missing):
    assert taught(fresh(config()), _outcomes(n, lost), config()).missing == missing


def test_the_base_rate_is_the_scorecards_until_labels_suffice_then_theirs():
    ours = config(base_rate=0.05)
    young = taught(fresh(ours), _outcomes(50, 40), ours)
    assert young.base_rate(ours.scorecard) == 0.05
    grown = taught(young, _outcomes(950, 510), ours)
    assert grown.base_rate(ours.scorecard) == pytest.approx(0.55, abs=0.02)


def test_a_model_travels_as_json_and_learns_on_identically():
    ours = config()
    values = customers(np.random.default_rng(3), 300)
    labels = lessons(Scorer(ours, None), values, np.random.default_rng(4).random(300) < 0.3)
    stayed = taught(fresh(ours), labels, ours)
    travelled = fresh(ours)
    for start in range(0, 300, 7):
        travelled = decode(encode(taught(travelled, [one[start : start + 7] for one in labels], ours)))
    assert encode(travelled) == encode(stayed)


def test_teaching_leaves_the_model_it_began_with_as_it_was():
    ours = config()
    model = experienced(ours, 120)
    before = encode(model)
    taught(model, _outcomes(20, 5), ours)
    assert encode(model) == before


def test_models_beat_a_scorecard_that_is_wrong():
    ours = config()
    model = experienced(ours, 1500)
    rng = np.random.default_rng(99)
    values = customers(rng, 3000)
    lost = rng.random(3000) < leaving(values)
    said = judge(Scorer(ours, model), values).predictions
    auc = {name: area(said[name], lost)[0] for name in said}
    loss = {name: -np.log(np.where(lost, said[name], 1 - said[name])).mean() for name in said}
    assert auc["scorecard"] < 0.55
    assert auc["mix"] > 0.75
    assert loss["mix"] < min(loss["scorecard"], loss["base_rate"]) - 0.1
    assert loss["mix"] < min(loss.values()) + 0.02


def test_a_scorecard_that_is_right_stays_the_voice_that_is_heard():
    ours = config()
    rng = np.random.default_rng(1)
    model = fresh(ours)
    for _ in range(4):
        scorer = Scorer(ours, model)
        values = customers(rng, 150)
        lost = rng.random(150) < judge(scorer, values).predictions["scorecard"]
        model = taught(model, lessons(scorer, values, lost), ours)
    before, believed = fresh(ours).mixture.weights, model.weights
    cards = ("scorecard", "scorecard_calibrated")
    assert sum(believed[name] for name in cards) > 1.6 * sum(before[name] for name in cards)
    assert max(believed, key=believed.get) in cards


def test_a_label_judges_what_was_predicted_then_not_what_would_be_predicted_now():
    ours = config()
    wise = outcomes([{"scorecard": 0.1, "sgd": 0.9, "mix": 0.2}] * 640, [True] * 640)
    model = taught(fresh(ours), wise, ours)
    assert model.mixture.weights["sgd"] > 1.5 * fresh(ours).mixture.weights["sgd"]
    assert model.mixture.weights["scorecard"] < fresh(ours).mixture.weights["scorecard"]
    assert model.regressions == fresh(ours).regressions


def test_experts_that_had_learned_nothing_are_not_judged_by_what_they_said_then():
    ours = config()
    unheard = outcomes([{"scorecard": 0.01, "sgd": 0.1, "mix": 0.01}] * 200, [place < 40 for place in range(200)])
    model = taught(fresh(ours), unheard, ours)
    assert model.mixture == fresh(ours).mixture
    assert model.trusted
    assert model.calibrations["scorecard_calibrated"].shift > 1.0


def test_snapshots_that_share_their_outcome_are_together_one_label():
    weekly, once = config(), config(outcome=SCORECARD["outcome"] | {"every": "60d"})
    rarely = config(outcome=SCORECARD["outcome"] | {"every": "90d"})
    assert weight_of(weekly.scorecard.outcome) == pytest.approx(7 / 60)
    assert weight_of(once.scorecard.outcome) == weight_of(rarely.scorecard.outcome) == 1.0
    many, few = taught(fresh(weekly), _outcomes(600, 120), weekly), taught(fresh(once), _outcomes(70, 14), once)
    assert many.labels == 600
    assert (many.seen, many.left) == pytest.approx((few.seen, few.left), rel=0.01)


def test_risks_stay_within_sane_bounds_until_very_many_labels_allow_more():
    ours = config()
    young, grown = fresh(ours), taught(fresh(ours), _outcomes(3000, 400), ours)
    old = taught(fresh(ours), _outcomes(60_000, 30_000), ours)
    for model in (young, grown):
        assert expit(np.array(model.limits(ours.scorecard))) == pytest.approx([0.005, 0.95])
    least, most = expit(np.array(old.limits(ours.scorecard)))
    assert least < 0.002
    assert most > 0.998


def test_where_leaving_is_rare_risks_may_be_a_tenth_of_what_is_usual():
    ours = config(base_rate=0.01)
    assert expit(np.array(fresh(ours).limits(ours.scorecard))) == pytest.approx([0.001, 0.95])


def test_features_nobody_can_name_any_more_teach_the_mixture_only():
    ours = config()
    model = taught(fresh(ours), _outcomes(64, 5), ours)
    assert model.labels == 64
    assert model.regressions == fresh(ours).regressions
    assert model.calibrations["recency"] == fresh(ours).calibrations["recency"]


def test_trained_through_is_the_newest_maturity():
    ours = config()
    assert taught(fresh(ours), [*_outcomes(9, 1), *_outcomes(3, 1)], ours).trained_through == 8.0


def test_it_is_taught_under_the_configuration_it_names():
    first, second = config(), config(base_rate=0.2)
    model = taught(experienced(first, 50), _outcomes(1, 0), second)
    assert model.config_version == second.version != first.version


@pytest.mark.parametrize("chance", [0.0, 1.0, math.nan, math.inf, 1e-300])
def test_an_opinion_is_bounded_whatever_the_prediction(chance):
    found = opinions(np.array([chance]))[0]
    assert math.isnan(found) if math.isnan(chance) else abs(found) <= 7.0


def test_weights_of_all_experts_sum_to_one():
    weights = experienced(config(), 500).weights
    assert set(weights) == set(EXPERTS)
    assert sum(weights.values()) == pytest.approx(1)


def test_what_is_no_model_is_refused():
    with pytest.raises(msgspec.ValidationError):
        decode('{"version": "seven"}')
