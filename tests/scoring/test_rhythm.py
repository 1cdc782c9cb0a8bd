from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.arrays import expit
from scoring.config import Measure
from scoring.experts.rhythm import Past, Rhythm, history, past
from scoring.outcome import Outcome

DAY = 86_400.0
ORDERS = {"kinds": ["invoice.paid"], "dimension": "any", "label": "{n}", "direction": "up"}
MEASURES = [
    Measure.model_validate(ORDERS | one)
    for one in (
        {"name": "orders", "family": "days", "window": "300d"},
        {"name": "silence", "family": "recency"},
        {"name": "tenure", "family": "tenure"},
    )
]
SILENT = Outcome(kinds=["invoice.paid"], silence=True, horizon=60 * DAY, every=7 * DAY)
CANCELLED = Outcome(kinds=["subscription.cancelled"], horizon=60 * DAY, every=7 * DAY)
WHERE = Past(0, 1, 2, 300.0)


def _said(*rows, one=None):
    return expit((one or Rhythm()).opinions(history(np.array(rows, np.float64), WHERE, SILENT)))


def _chance(x, last, age, *, r=1.0, alpha=1.0, a=0.5, b=2.0):
    """P(silent) of Fader, Hardie and Lee (2005), written down as they have it."""
    gone = a / (b + x - 1) * ((alpha + age) / (alpha + last)) ** (r + x) if x else 0.0
    return 1 - 1 / (1 + gone) * (1 - ((alpha + age) / (alpha + age + 1)) ** (r + x))


@settings(deadline=None)
@given(st.integers(1, 40), st.floats(0, 300), st.floats(0, 300))
def test_untaught_it_is_bg_nbd_with_its_prior(days, silence, tenure):
    tenure, silence = max(tenure, silence), min(tenure, silence)
    age, x = tenure / 60, days - 1
    last = age - silence / 60 if x else 0.0
    assert _said([days, silence, tenure])[0] == pytest.approx(_chance(x, last, age), abs=1e-5)


def test_the_same_silence_means_less_in_one_who_comes_seldom():
    seldom, often = _said([4, 50, 250], [60, 50, 250])
    assert often > seldom + 0.2


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.one_of(st.floats(0, 1e9), st.just(math.nan), st.just(math.inf))] * 3), min_size=1))
def test_it_is_finite_or_unknown_whatever_the_measures_say(rows):
    with np.errstate(invalid="ignore"):
        found = _said(*rows)
    for row, chance in zip(rows, found, strict=True):
        assert math.isnan(chance) if any(map(math.isnan, row)) else 0 <= chance <= 1


def _world(n, seed, *, r=2.0, alpha=0.7, a=0.4, b=3.0):
    """Customers of a BG/NBD world half a year to a year old, and whether they were silent for a horizon more."""
    chance = np.random.default_rng(seed)
    rows, lost = [], []
    for _ in range(n):
        pace, leaves, age = chance.gamma(r, 1 / alpha), chance.beta(a, b), chance.uniform(3, 5)
        times, at, alive = [0.0], 0.0, True
        while alive:
            at += chance.exponential(1 / pace)
            if at > age + 1:
                break
            times.append(at)
            alive = chance.random() > leaves
        known = [one for one in times if one <= age]
        rows.append([len(known), (age - known[-1]) * 60, age * 60])
        lost.append(not any(age < one <= age + 1 for one in times))
    return history(np.array(rows), WHERE, SILENT), np.array(lost)


def test_it_learns_the_paces_of_a_world():
    told, lost = _world(3000, seed=1)
    one = Rhythm()
    for start in range(0, 3000, 64):
        one.learn(told[start : start + 64], lost[start : start + 64], 1.0, 1.0, silence=True)
    seen, ended = _world(2000, seed=2)
    truth = np.array([_chance(*row, r=2.0, alpha=0.7, a=0.4, b=3.0) for row in seen])

    def loss(said):
        return -np.log(np.where(ended, said, 1 - said)).mean()

    assert loss(expit(one.opinions(seen))) < loss(truth) + 0.01
    assert loss(expit(one.opinions(seen))) < loss(expit(Rhythm().opinions(seen))) - 0.01
    assert one.belief.mean[4:] == [0.0, 0.0]  # to be lost is to be silent: there is no line to learn


def test_where_being_lost_is_something_else_a_line_is_learned():
    told, _ = _world(3000, seed=1)
    lost = np.random.default_rng(3).random(3000) < 0.05
    one = Rhythm()
    for start in range(0, 3000, 64):
        one.learn(told[start : start + 64], lost[start : start + 64], 1.0, 1.0, silence=False)
    assert expit(one.opinions(told)).mean() == pytest.approx(0.05, abs=0.03)


def test_it_goes_on_as_json():
    told, lost = _world(640, seed=4)
    stayed, travelled = Rhythm(), Rhythm()
    for start in range(0, 640, 64):
        some = slice(start, start + 64)
        stayed.learn(told[some], lost[some], 0.1, 0.99, silence=True)
        travelled.learn(told[some], lost[some], 0.1, 0.99, silence=True)
        travelled = msgspec.json.decode(msgspec.json.encode(travelled), type=Rhythm)
    assert travelled == stayed


def test_the_past_is_told_by_three_measures_of_the_same_kinds():
    assert past(MEASURES, SILENT) == WHERE
    assert past(MEASURES[:2], SILENT) is None
    other = [m.model_copy(update={"kinds": {"session.started": 1.0, "usage.tracked": 1.0}}) for m in MEASURES]
    assert past([*other, *MEASURES], SILENT).days == 3
    assert past([*other, *MEASURES], CANCELLED).days == 0


def test_who_came_once_and_whose_past_lies_beyond_the_window_came_once():
    once, long_gone = history(np.array([[1.0, 40.0, 40.0], [0.0, 400.0, 900.0]]), WHERE, SILENT)
    assert once.tolist() == [0.0, 0.0, pytest.approx(40 / 60)]
    assert long_gone.tolist() == [0.0, 0.0, 5.0]
