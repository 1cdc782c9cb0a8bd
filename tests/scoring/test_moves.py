"""Whatever moves between two moments adds up: in log odds and in points, over any measures, models and scorecards."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.moves import MODEL, REST, SCORECARD, Moments, between, log_odds, shares
from scoring.scorer import Scorer
from tests.scoring.judging import MEASURES, any_values, config, customers, experienced

PLAIN = config()
LIMITED = config(
    limits=[
        {"when": {"urgent": ">= 1"}, "cap": 50, "say": "an urgent ticket"},
        {"when": {"nps": ">= 9"}, "floor": 65},
    ]
)
OTHER = config(
    [*MEASURES[:3], {**MEASURES[3], "name": "rating"}],
    dimensions=[
        {
            "name": "all",
            "weight": 1,
            "measures": [
                {"measure": "logins", "weight": 1, "low": 0, "high": 30},
                {"measure": "rating", "weight": 2, "low": -100, "high": 100},
            ],
        }
    ],
)
CARDS = config(
    cards=[
        {
            "name": "large",
            "when": {"plan": "enterprise"},
            "dimensions": [
                {
                    "name": "support",
                    "weight": 1,
                    "measures": [{"measure": "nps", "weight": 1, "low": -100, "high": 100}],
                }
            ],
        }
    ]
)
CONFIGS = [PLAIN, LIMITED, OTHER, CARDS]
SCORERS = {
    (one.version, number): Scorer(one, experienced(one, 300 * number, seed=number) if number else None)
    for one in CONFIGS
    for number in range(3)
}
KEYS = list(SCORERS)
BY_HAND = st.one_of(st.just(float("nan")), st.floats(0, 100), st.sampled_from([0.0, 50.0, 100.0]))


def moments(key, values, by_hand=None, card=-1):
    scorer, n = SCORERS[key], len(values)
    by_hand = np.full(n, np.nan) if by_hand is None else by_hand
    card = card if key[0] == CARDS.version else -1
    cards = np.full(n, card, np.int8)
    scores = scorer.score(values, np.full(n, np.nan), np.full(n, -1, np.int8), by_hand, cards)
    return Moments(scores.health, np.full(n, scores.base), scores.points, tuple(scores.names), values, *key, card)


def judge(version, model, read):
    found = next((one for one in CONFIGS if one.version == version), None)
    if found is None or (version, model) not in SCORERS:
        return None
    laid = np.full((len(read.values), len(found.measures)), np.nan)
    for place, measure in enumerate(found.measures):
        if measure.name in read.names:
            laid[:, place] = read.values[:, read.names.index(measure.name)]
    return moments((version, model), laid, read.by_hand, read.card)


def nobody(*_):
    return None


def adds_up(before, after, movement):
    moved = after.health - before.health
    assert movement.points.sum(axis=1) == pytest.approx(moved, abs=1e-9)
    far = np.abs(moved) > 1e-6
    odds = log_odds(after.health) - log_odds(before.health)
    assert movement.odds.sum(axis=1)[far] == pytest.approx(odds[far], abs=1e-9)
    assert len(set(movement.names)) == len(movement.names)


@settings(max_examples=150, deadline=None)
@given(any_values, st.sampled_from(KEYS), st.data())
def test_the_parts_of_one_moment_sum_to_its_distance_from_the_base(values, key, data):
    by_hand = np.array(data.draw(st.lists(BY_HAND, min_size=len(values), max_size=len(values))))
    here = moments(key, values, by_hand)
    assert shares(here).sum(axis=1) == pytest.approx(log_odds(here.health) - log_odds(here.base), abs=1e-9)


@settings(max_examples=300, deadline=None)
@given(any_values, st.sampled_from(KEYS), st.sampled_from(KEYS), st.data())
def test_what_moved_adds_up_across_models_scorecards_limits_and_a_persons_word(values, one, other, data):
    some = st.lists(BY_HAND, min_size=len(values), max_size=len(values))
    now = values[data.draw(st.permutations(range(len(values))))]
    before = moments(one, values, np.array(data.draw(some)), data.draw(st.sampled_from([-1, 0])))
    after = moments(other, now, np.array(data.draw(some)), data.draw(st.sampled_from([-1, 0])))
    for known in (judge, nobody):
        adds_up(before, after, between(before, after, known))


@settings(max_examples=100, deadline=None)
@given(any_values, st.sampled_from(KEYS))
def test_what_did_not_change_moved_nothing(values, key):
    here = moments(key, values)
    changed = values.copy()
    changed[:, 2] = np.where(np.isnan(values[:, 2]), 1.0, np.nan)
    movement = between(here, moments(key, changed), judge)
    quiet = [place for place, name in enumerate(movement.names) if name in ("logins", "silence")]
    assert np.abs(movement.odds[:, quiet]).max() < 1e-7
    assert np.abs(movement.points[:, quiet]).max() < 1e-5


def test_a_newer_model_is_a_part_of_its_own_and_the_rest_is_the_customers():
    rng = np.random.default_rng(7)
    values = customers(rng, 50)
    one, other = (PLAIN.version, 1), (PLAIN.version, 2)
    still = between(moments(one, values), moments(other, values), judge)
    column = still.names.index(MODEL)
    rest = np.delete(still.points, column, axis=1)
    assert np.abs(rest).max() < 1e-9
    assert np.abs(still.points[:, column]).max() > 1.0


def test_another_scorecard_and_another_model_are_told_apart():
    rng = np.random.default_rng(8)
    values = customers(rng, 50)
    movement = between(moments((PLAIN.version, 1), values), moments((LIMITED.version, 2), values), judge)
    parts = {name: np.abs(movement.points[:, place]).max() for place, name in enumerate(movement.names)}
    assert parts.pop(MODEL) > 0.1
    assert parts.pop(SCORECARD) > 0.1
    assert max(parts.values()) < 1e-9


def test_another_card_of_the_same_scorecard_is_the_scorecards_doing():
    values = customers(np.random.default_rng(12), 20)
    key = (CARDS.version, 1)
    before, after = moments(key, values), moments(key, values, card=0)
    movement = between(before, after, judge)
    moved = {name for place, name in enumerate(movement.names) if np.abs(movement.points[:, place]).max() > 1e-9}
    assert moved == {SCORECARD}
    adds_up(before, after, movement)


def test_what_only_the_new_scorecard_measures_is_the_scorecards_doing():
    values = customers(np.random.default_rng(9), 20)
    movement = between(moments((PLAIN.version, 0), values), moments((OTHER.version, 0), values), judge)
    moved = {name for place, name in enumerate(movement.names) if np.abs(movement.points[:, place]).max() > 1e-9}
    assert moved == {SCORECARD}


def test_where_nobody_remembers_either_judgement_all_is_said_to_be_it():
    values = customers(np.random.default_rng(10), 5)
    before, after = moments((PLAIN.version, 1), values), moments((PLAIN.version, 2), values)
    movement = between(before, after, nobody)
    assert movement.names == (MODEL,)
    adds_up(before, after, movement)


def test_a_row_that_names_a_few_parts_is_compared_by_those():
    values = customers(np.random.default_rng(11), 1)
    key = (PLAIN.version, 1)
    later = values.copy()
    later[:, 2] = 3.0
    whole, after = moments(key, values), moments(key, later)
    few = [0, 2]
    rest = whole.points[:, [n for n in range(len(whole.names)) if n not in few]].sum(axis=1)
    before = Moments(
        whole.health,
        whole.base,
        np.column_stack([whole.points[:, few], rest]),
        (*(whole.names[n] for n in few), REST),
        np.empty((1, 0)),
        *key,
    )
    movement = between(before, after, judge)
    assert set(movement.names) == {"logins", "urgent", REST}
    adds_up(before, after, movement)
