"""Drift: an expert that predicts worse than it used to is found out, and weather is no drift."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from hub.store import schema
from hub.store.questions import operation
from scoring.clock import DAY
from scoring.experts import drift
from scoring.experts.drift import LEAST, Drift, Told, Watch
from scoring.learner import Learner, columns
from scoring.learning import taught
from scoring.lessons import Lessons
from scoring.model import DRAFT, EXPERTS, decode, encode, fresh
from scoring.published import versions
from scoring.scorer import Scorer
from scoring.teaching import PORTION
from tests.scoring.judging import config, customers, experienced, judge, lessons
from tests.scoring.test_learner import CONFIG, _labels, _records, _run

WEEK = 7 * DAY
HORIZONS = [1, 4, 9]  # weeks


def weather(seed, weeks, horizon):
    """Mean log losses of weeks: what the labels of one horizon share, and the chance of each week's."""
    chance = np.random.default_rng(seed)
    shared = np.convolve(chance.normal(0.0, 1.0, weeks + horizon), np.ones(horizon) / np.sqrt(horizon), "valid")[:weeks]
    return 0.55 + 0.02 * shared + 0.01 * chance.normal(0.0, 1.0, weeks)


def alarms(losses, horizon):
    """In which weeks an alarm is raised."""
    watch, found = Watch(), []
    for week, loss in enumerate(losses):
        watch.losses, watch.labels = float(loss), 1
        if watch.close(week * WEEK, 1.0 / horizon) is not None:
            found.append(week)
    return found


@pytest.mark.parametrize("horizon", HORIZONS)
def test_where_nothing_changes_next_to_no_alarm_is_raised_in_years(horizon):
    """10 years of 60 experts: less than one alarm in thirty years of an expert."""
    found = sum(len(alarms(weather(seed, 520, horizon), horizon)) for seed in range(60))
    assert found / (60 * 10) < 1 / 30


@pytest.mark.parametrize("horizon", HORIZONS)
@pytest.mark.parametrize(("deviations", "within"), [(8, 3.0), (4, 4.5)])
def test_an_abrupt_change_is_seen_within_so_many_horizons(horizon, deviations, within):
    """Labels change over a horizon: each week brings some more whose outcome lies in the new world."""
    delays = []
    for seed in range(30):
        losses = weather(seed, 100 + 60 * horizon, horizon)
        losses += 0.022 * deviations * np.clip((np.arange(len(losses)) - 100) / horizon, 0.0, 1.0)
        delays.append(next(week for week in alarms(losses, horizon) if week >= 100) - 100)
    assert np.median(delays) <= within * horizon


@pytest.mark.parametrize("horizon", [4, 9])
def test_the_worst_horizon_that_can_be_raises_no_alarm_by_itself(horizon):
    losses = weather(1, 200, horizon)
    losses[120 : 120 + horizon] = 7.0
    assert [week for week in alarms(losses, horizon) if 120 <= week < 120 + horizon] == []


def test_predictions_that_get_better_are_no_alarm():
    losses = weather(2, 400, 4)
    losses[200:] -= 0.3
    assert alarms(losses, 4) == []


def test_after_an_alarm_the_new_level_is_what_is_usual():
    losses = weather(3, 600, 4)
    losses[200:] += 0.2
    assert len(alarms(losses, 4)) == 1


@settings(deadline=None)
@given(st.lists(st.floats(0.0, 7.1), max_size=150), st.sampled_from([1.0, 0.25, 0.117]))
def test_any_losses_give_finite_sums(losses, weight):
    watch = Watch()
    for week, loss in enumerate(losses):
        watch.losses, watch.labels = loss, 1
        watch.close(week * WEEK, weight)
        assert 0.0 <= watch.total < drift.ALARM
        assert np.isfinite([watch.usual.mean, watch.usual.squares, watch.apart.mean]).all()
        assert watch.usual.squares >= 0.0


def test_what_never_varies_is_never_a_change_by_a_hairs_breadth():
    assert alarms([0.5] * 100 + [0.5 + 1e-9] * 100, 4) == []
    assert alarms([0.0] * 200, 4) == []
    assert len(alarms([0.5] * 100 + [0.7] * 100, 4)) == 1


def seen(at, losses, cut):
    watching = Drift()
    for start in range(0, len(at), cut):
        some = slice(start, start + cut)
        watching.see(("one", "other"), losses[some], at[some], every=WEEK, horizon=4 * WEEK)
    return watching


@pytest.mark.parametrize("cut", [1, 7, 64, 1_000])
def test_however_losses_are_cut_into_portions_the_watch_sees_the_same(cut):
    chance = np.random.default_rng(0)
    at = np.repeat(np.arange(40) * WEEK, chance.integers(20, 90, 40)) + 1e9
    losses = chance.uniform(0.0, 1.0, (len(at), 2))
    losses[chance.random(losses.shape) < 0.1] = np.nan
    whole, parts = seen(at, losses, len(at)), seen(at, losses, cut)
    assert parts.watches["one"].usual.weight == pytest.approx(whole.watches["one"].usual.weight)
    assert parts.watches["other"].usual.mean == pytest.approx(whole.watches["other"].usual.mean)
    assert (parts.begun, parts.newest, parts.labels) == (whole.begun, whole.newest, whole.labels)


def test_a_block_lasts_a_period_or_until_it_has_labels_enough():
    few = Drift()
    for week in range(10):  # 20 a week: three weeks each
        few.see(("one",), np.full((20, 1), 0.5), np.full(20, 1e9 + week * WEEK), every=WEEK, horizon=9 * WEEK)
    assert few.watches["one"].usual.weight == pytest.approx(3 * 3 / 9)
    assert few.labels < LEAST
    late = Drift()  # a year of nothing, and labels that come late or out of order
    for moment in (0.0, 60 * WEEK, 59 * WEEK, -WEEK, 61 * WEEK):
        late.see(("one",), np.full((60, 1), 0.5), np.full(60, 1e9 + moment), every=WEEK, horizon=9 * WEEK)
    assert late.watches["one"].usual.weight == pytest.approx(1.0 + 1 / 9)


# --- in the model ----------------------------------------------------------------------------------------------

OURS = config(outcome={"horizon": "28d", "every": "7d", "kinds": ["subscription.cancelled"]})
SAID = (*EXPERTS, "mix", "halfway")


def lived(weeks, turns, seed=0, many=60):
    """Models of a world whose customers leave for other reasons from the week `turns` on; mean losses by week."""
    chance, model, waiting, losses = np.random.default_rng(seed), fresh(OURS), [], []
    for week in range(weeks):
        for one in [one for at, one in waiting if at + 4 == week]:
            model = taught(model, [one], OURS)
        values = customers(chance, many)
        scores, known = judge(Scorer(OURS, model), values), np.nan_to_num(values)
        odds = known[:, 3] / 30.0 if week < turns else known[:, 0] / 3.0 - 2.0 * known[:, 2]
        lost = chance.random(many) < 1.0 / (1.0 + np.exp(1.5 + odds))
        said = np.column_stack([scores.predictions.get(name, np.full(many, np.nan)) for name in SAID])
        names = lessons(Scorer(OURS, None), values[:1], [False])[0].names
        due = np.full(many, (week + 4) * WEEK)
        waiting.append((week, Lessons(SAID, said, lost, due, names, scores.features)))
        mix = scores.predictions["mix"]
        losses.append(float(-np.log(np.where(lost, mix, 1.0 - mix)).mean()))
    return model, np.array(losses)


def test_a_change_of_the_world_is_found_and_told_and_a_quiet_world_is_quiet():
    quiet, _ = lived(110, 1_000)
    assert quiet.drift.raised == 0
    assert set(quiet.drift.watches) == {*EXPERTS, "mix"}
    model, losses = lived(110, 80)
    first = min(model.drift.alarms, key=lambda one: one.at)
    assert first.expert in ("sgd", "adagrad", "bayes")
    assert 84 * WEEK <= first.since <= first.at <= 94 * WEEK
    assert first.now > first.was + 0.1
    assert losses[100:].mean() < losses[82:92].mean() - 0.1
    assert model.drift.raised == len(model.drift.alarms)
    assert decode(encode(model)) == model
    assert len(msgspec.json.encode(model.drift)) < 5_000


def test_what_an_alarm_does_is_to_doubt_and_not_to_forget():
    from scoring.learning import _Lecture  # noqa: PLC0415 - the one place where alarms are heard

    model = experienced(config(), 640)
    lecture = _Lecture(decode(encode(model)), config(), None)
    names = [
        "sgd",
        "adagrad",
        "bayes",
        "proxy",
        "bg_nbd",
        "recency",
        "scorecard_calibrated",
        "mix",
        "base_rate",
        "a stranger",
    ]
    for name in names:
        lecture._doubt(name)
    after, before = lecture.end(), model
    assert after.regressions.models["adagrad"].squares == {}
    assert before.regressions.models["adagrad"].squares
    assert after.regressions.models["adagrad"].weights == before.regressions.models["adagrad"].weights
    assert after.regressions.models["sgd"].steps == 0
    assert after.regressions.bayes.belief.mean == before.regressions.bayes.belief.mean
    held, was = (np.diag(one.regressions.bayes.belief.precision) for one in (after, before))
    assert (held <= was + 1e-3).all()
    assert held[0] == pytest.approx(0.1 * was[0], abs=0.1)
    assert after.mixture.weights == before.mixture.weights
    assert (after.mixture.gap, before.mixture.gap > 0.0) == (0.0, True)
    piles = [sum(pile.weight for pile in one.calibrations["recency"].piles.values()) for one in (after, before)]
    assert piles[0] == pytest.approx(0.1 * piles[1])
    assert after.left / after.seen == pytest.approx(before.left / before.seen)


def test_an_alarm_is_told_in_the_log_in_the_metric_and_with_the_versions(database, caplog):
    labels = _labels(2 * PORTION)
    model, last = fresh(CONFIG), labels[0].matured_at
    watch = Watch(Told(10.0, 0.3, 0.01), Told(1.0, 0.9), drift.ALARM - 0.1, last, 60 * 5.0, 60)
    model.drift = Drift(last - 30 * DAY, last - 1.0, 60, {"mix": watch})
    model.labels, model.lost = 1_000, 300
    database.write(lambda connection: connection.execute(insert(schema.models).values(columns(model, DRAFT)))).result()
    heard = [msgspec.structs.replace(one, predictions=one.predictions | {"mix": 0.9}) for one in labels]
    _run(database, Learner(database, CONFIG, lambda: 1e9), _records(heard))
    (line,) = [record for record in caplog.records if record.getMessage() == "scoring.model_drift"]
    assert (line.expert, line.was) == ("mix", 0.3)
    assert line.now > 2.0
    with database.read() as connection:
        (version,) = versions(connection)
        assert operation.drifted(connection) == 1
    assert [(one.expert, one.was) for one in version.alarms] == [("mix", 0.3)]
    assert version.alarms[0].since == last
