from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from hub.store import schema
from hub.store.database import Database
from scoring.model import ENOUGH, Missing, encode, fresh
from scoring.proof.quality import area, judge, quality, within
from tests.engines import url
from tests.scoring.judging import config


def _judged(chances, lost, accounts=None, card=None):
    accounts = accounts or [f"acc_{place}" for place in range(len(lost))]
    card = chances if card is None else card
    rows = [{"mix": float(a), "scorecard": float(b)} for a, b in zip(chances, card, strict=True)]
    return judge(accounts, [float(i) for i in range(len(lost))], [bool(x) for x in lost], rows, None)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.booleans()), min_size=2, max_size=40))
def test_the_auc_is_the_share_of_pairs_in_the_right_order_ties_counting_half(labels):
    chances, lost = np.array([c for c, _ in labels]), np.array([x for _, x in labels])
    if not 0 < lost.sum() < len(lost):
        assert _skill(_judged(chances, lost), "mix").auc is None
        return
    pairs = [(a > b) + (a == b) / 2 for a in chances[lost] for b in chances[~lost]]
    auc, shares = area(chances, lost)
    assert auc == pytest.approx(np.mean(pairs))
    assert shares.sum() == pytest.approx(0, abs=1e-9)


def test_log_loss_and_brier_are_those_of_the_textbook():
    skill = _skill(_judged([0.8, 0.3], [True, False]), "mix")
    assert skill.log_loss == pytest.approx(-(np.log(0.8) + np.log(0.7)) / 2)
    assert skill.brier == pytest.approx((0.04 + 0.09) / 2)


def test_a_certain_prediction_that_was_wrong_costs_much_and_not_everything():
    assert _skill(_judged([0.0, 1.0], [True, False]), "mix").log_loss == pytest.approx(-np.log(1e-6))


def test_calibration_sets_what_was_said_beside_what_came_true():
    chances = np.repeat([0.1, 0.6], 500)
    lost = np.concatenate([np.arange(500) < 50, np.arange(500) < 300])
    bins = _skill(_judged(chances, lost), "mix").bins
    assert sum(found.labels for found in bins) == 1000
    assert [found.predicted for found in bins] == pytest.approx([0.1] * 5 + [0.6] * 5)
    assert np.mean([found.lost for found in bins[:5]]) == pytest.approx(0.1)
    assert np.mean([found.lost for found in bins[5:]]) == pytest.approx(0.6)


def _skill(found, name, of="skills"):
    return next((skill for skill in getattr(found, of) if skill.name == name), None)


def _draw(rng, n, skill):
    truth = rng.normal(size=n)
    lost = rng.random(n) < 1 / (1 + np.exp(1 - truth))
    return 1 / (1 + np.exp(1 - skill * truth - rng.normal(size=n))), lost


def test_the_interval_of_the_auc_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    truth = area(*_draw(rng, 200_000, 1.0))[0]
    found = [_skill(_judged(*_draw(rng, 150, 1.0)), "mix") for _ in range(200)]
    held = np.mean([skill.low <= truth <= skill.high for skill in found])
    assert 0.90 <= held <= 0.99


def test_within_weeks_only_customers_of_one_week_are_compared():
    week = 604_800.0
    chances = np.array([0.1, 0.2, 0.5, 0.6, 0.3])
    lost = np.array([False, True, False, True, False])
    weeks = np.array([0, 0, 1, 1, 2])
    assert within(chances, lost, weeks) == 1.0
    assert area(chances, lost)[0] < 1.0
    assert within(chances, lost, np.arange(5)) is None
    rows = [{"mix": float(one)} for one in chances]
    found = judge([f"a{i}" for i in range(5)], (weeks * week).tolist(), lost.tolist(), rows, None)
    assert _skill(found, "mix").weekly == 1.0


def test_a_level_that_moves_between_weeks_blurs_the_auc_and_not_the_order_within_a_week():
    rng = np.random.default_rng(4)
    chances, lost = _draw(rng, 600, 2.0)
    weeks = np.arange(600) // 100
    moved = chances * np.linspace(0.2, 1.0, 6)[weeks]
    assert within(moved, lost, weeks) == pytest.approx(within(chances, lost, weeks))
    assert area(moved, lost)[0] < area(chances, lost)[0] - 0.02


def test_labels_of_one_account_are_one_witness():
    rng = np.random.default_rng(1)
    chances, lost = _draw(rng, 100, 1.0)
    once = _skill(_judged(chances, lost), "mix")
    names = [f"acc_{place}" for place in range(100)]
    often = _skill(_judged(np.tile(chances, 9), np.tile(lost, 9), names * 9), "mix")
    assert (often.auc, often.low, often.high) == pytest.approx((once.auc, once.low, once.high))


def test_the_gain_is_judged_on_the_same_labels():
    rng = np.random.default_rng(2)
    chances, lost = _draw(rng, 400, 2.0)
    found = _judged(chances, lost, card=rng.random(400))
    assert found.gain == pytest.approx(_skill(found, "mix").auc - _skill(found, "scorecard").auc)
    assert 0 < found.gain_low < found.gain < found.gain_high


def test_while_only_the_scorecard_is_heard_there_is_no_gain_to_judge():
    found = _judged([0.2, 0.7, 0.4], [False, True, True])
    assert (found.gain, found.gain_low, found.gain_high, found.heard) == (None, None, None, [])


def test_labels_from_before_the_models_were_heard_do_not_blur_the_comparison():
    mix, card, lost = np.full(90, 0.05), np.full(90, 0.05), np.arange(90) % 2 == 0
    mix[60:] = np.where(lost[60:], 0.8, 0.3)
    card[60:] = 0.06
    found = _judged(mix, lost, card=card)
    assert _skill(found, "mix", "heard").labels == 30
    assert _skill(found, "mix", "heard").auc == 1.0
    assert _skill(found, "scorecard", "heard").auc == 0.5
    assert found.gain == 0.5
    assert _skill(found, "mix").labels == 90


def test_an_expert_that_came_later_is_judged_by_what_it_predicted():
    rows = [{"mix": 0.5, "scorecard": 0.5}] * 10 + [{"mix": 0.5, "scorecard": 0.5, "sgd": 0.9}] * 4
    found = judge([f"a{i}" for i in range(14)], [0.0] * 14, [i % 2 == 0 for i in range(14)], rows, None)
    assert _skill(found, "sgd").labels == 4
    assert _skill(found, "adagrad") is None


def test_each_segment_is_judged_by_its_own_labels():
    """`big` is predicted well, `small` by chance; of `new` too little is known, of two labels no segment at all."""
    chance = np.random.default_rng(0)
    of = ["big"] * 300 + ["small"] * 300 + ["new"] * 20 + [""] * 200 + [None] * 2
    lost = chance.random(len(of)) < 0.4
    said = np.where(lost, 0.6, 0.3) + chance.uniform(-0.25, 0.25, len(of))
    said[300:600] = chance.random(300)
    rows = [{"mix": float(one), "scorecard": 0.5, "sgd": float(one)} for one in said]
    accounts = [f"a{place // 4}" for place in range(len(of))]
    found = judge(accounts, [0.0] * len(of), lost.tolist(), rows, None, segments=of)
    assert [one.name for one in found.segments] == ["big", "new", "small", ""]
    big, new, small, rest = found.segments
    assert (big.labels, big.accounts, rest.labels, new.labels) == (300, 75, 200, 20)
    assert big.lost == int(lost[:300].sum())
    assert (new.skills, new.missing.labels) == ([], 80)
    alone = judge(accounts[:300], [0.0] * 300, lost[:300].tolist(), rows[:300], None)
    assert big.skills == alone.heard
    assert big.skills[0].low > 0.8
    assert small.skills[0].low < 0.5 < small.skills[0].high
    assert {one.name for one in rest.skills} == {"mix", "scorecard", "sgd"}


def test_the_calibration_error_is_how_far_the_bins_lie_apart_on_average():
    one = _skill(_judged([0.2] * 50 + [0.8] * 50, [True] * 20 + [False] * 30 + [True] * 40 + [False] * 10), "mix")
    assert one.ece == pytest.approx((10 * abs(0.2 - 1) * 2 + 10 * 0.2 * 3 + 10 * 0.2 * 4 + 10 * 0.8) / 100)


@pytest.mark.usefixtures("engine")
def test_before_any_label_there_is_nothing_to_say_and_it_says_so(tmp_path):
    with Database(url(tmp_path)) as database, database.read() as connection:
        found = quality(connection)
    assert (found.labels, found.accounts, found.skills, found.gain) == (0, 0, [], None)
    assert found.weights == {"scorecard": 1.0}
    assert found.missing == Missing(ENOUGH, 10, 10)


@pytest.mark.usefixtures("engine")
def test_it_reads_the_newest_labels_and_the_newest_model(tmp_path):
    model = fresh(config())
    with Database(url(tmp_path)) as database:

        def fill(connection):
            for i in range(30):
                said = json.dumps({"mix": 0.9 if i % 3 == 0 else 0.2, "scorecard": 0.5})
                connection.execute(
                    insert(schema.labels).values(
                        account=f"acc_{i % 5}",
                        at=i,
                        matured_at=i + 60,
                        lost=int(i % 3 == 0),
                        predictions=said,
                        taught=1,
                        segment="big" if i % 5 == 2 else None,
                    )
                )
            for version in (0, 1, 2):
                model.version = version
                connection.execute(
                    insert(schema.models).values(
                        version=version, at=1.0, trained_through=2.0, config_version="x", body=encode(model)
                    )
                )

        database.write(fill).result(10)
        with database.read() as connection:
            found, last = quality(connection), quality(connection, newest_labels=6)
    assert (found.labels, found.lost, found.accounts, found.since, found.until) == (30, 10, 5, 0, 29)
    assert found.model_version == 2
    assert _skill(found, "mix").auc == 1.0
    assert _skill(found, "scorecard").auc == 0.5
    assert found.gain == 0.5
    assert (last.labels, last.since) == (6, 24)
    assert [(one.name, one.labels, one.accounts, one.skills) for one in found.segments] == [("big", 6, 1, [])]
