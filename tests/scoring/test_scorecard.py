from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from hub import ConfigError
from scoring.scorecard import STEEPNESS, Card
from tests.scoring.judging import any_values, config


def _card(**scorecard):
    ours = config(**scorecard)
    return Card(ours.measures, ours.scorecard)


def _one(transform, *values):
    """What one measure, alone on a card, adds to the log odds."""
    card = _card(
        dimensions=[{"name": "all", "weight": 1, "measures": [{"measure": "logins", "weight": 1, **transform}]}]
    )
    rows = np.full((len(values), 4), np.nan)
    rows[:, 0] = values
    return (0.5 - card.contributions(rows)[:, 0] / STEEPNESS).round(9).tolist()


def test_a_score_is_linear_between_its_bounds_and_flat_beyond_them():
    assert _one({"low": 2, "high": 4}, -np.inf, 2, 2.5, 4, np.inf) == [0.0, 0.0, 0.25, 1.0, 1.0]


def test_where_low_is_above_high_less_is_better():
    assert _one({"low": 4, "high": 2}, -np.inf, 2, 2.5, 4, np.inf) == [1.0, 1.0, 0.75, 0.0, 0.0]


def test_a_band_begins_at_its_border_and_below_the_first_nothing_is_earned():
    bands = {"kind": "bands", "bands": [(0, 1.0), (1, 0.4), (3, 0.1)]}
    assert _one(bands, -1, 0, 0.9, 1, 2.9, 3, 99) == [0.0, 1.0, 1.0, 0.4, 0.4, 0.1, 0.1]


@pytest.mark.parametrize(("missing", "score"), [("neutral", 0.5), ("worst", 0.0), ("best", 1.0)])
@pytest.mark.parametrize("shape", [{"low": 0, "high": 1}, {"kind": "bands", "bands": [(0, 0.3)]}])
def test_what_is_unknown_counts_as_the_card_says(missing, score, shape):
    assert _one({**shape, "missing": missing}, np.nan) == [score]


LEFT_OUT = [
    {
        "name": "adoption",
        "weight": 3,
        "measures": [
            {"measure": "logins", "weight": 2, "low": 0, "high": 10, "missing": "redistribute"},
            {"measure": "silence", "weight": 1, "low": 30, "high": 0, "missing": "redistribute"},
        ],
    },
    {
        "name": "support",
        "weight": 1,
        "measures": [
            {"measure": "urgent", "weight": 1, "kind": "bands", "bands": [(0, 1.0)], "missing": "redistribute"},
            {"measure": "nps", "weight": 3, "low": 0, "high": 10},
        ],
    },
]


def test_the_weight_of_what_is_left_out_goes_to_what_is_known():
    adds = _card(dimensions=LEFT_OUT).contributions
    best, none = [10.0, 0.0, 0.0, 10.0], np.nan
    half = -STEEPNESS / 2
    assert adds(np.array([best]))[0] == pytest.approx(half * np.array([1 / 2, 1 / 4, 1 / 16, 3 / 16]))
    assert adds(np.array([[10.0, none, 0.0, 10.0]]))[0] == pytest.approx(half * np.array([3 / 4, 0, 1 / 16, 3 / 16]))
    assert adds(np.array([[none, none, 0.0, 10.0]]))[0] == pytest.approx(half * np.array([0, 0, 1 / 4, 3 / 4]))
    assert adds(np.array([[none, none, none, 10.0]]))[0] == pytest.approx(half * np.array([0, 0, 0, 1]))
    assert adds(np.array([[10.0, 0.0, none, none]]))[0] == pytest.approx(half * np.array([1 / 2, 1 / 4, 0, 0]))
    assert not adds(np.full((1, 4), none)).any()


@given(any_values)
def test_whatever_is_left_out_a_card_never_says_more_than_it_can(values):
    card = _card(
        dimensions=[
            {**side, "measures": [{**m, "missing": "redistribute"} for m in side["measures"]]} for side in LEFT_OUT
        ]
    )
    adds = card.contributions(values)
    assert np.isfinite(adds).all()
    assert (np.abs(adds).sum(axis=1) <= STEEPNESS / 2 + 1e-9).all()
    assert (adds[np.isnan(values)] == 0).all()
    assert card.weights.sum() == pytest.approx(1)


def test_weights_are_shares_of_their_dimension_and_dimensions_of_the_card():
    best = np.array([[10.0, 0.0, 0.0, np.nan]])
    adds = _card().contributions(best)[0]
    assert adds == pytest.approx(-STEEPNESS / 2 * np.array([3 / 4 * 2 / 3, 3 / 4 * 1 / 3, 1 / 4, 0.0]))


def test_a_measure_may_count_in_two_dimensions():
    twice = [
        {"name": name, "weight": 1, "measures": [{"measure": "logins", "weight": 1, "low": 0, "high": 1}]}
        for name in ("adoption", "value")
    ]
    assert _card(dimensions=twice).contributions(np.array([[1.0, 0, 0, 0]]))[0].tolist() == [-STEEPNESS / 2, 0, 0, 0]


@pytest.mark.parametrize(
    ("transform", "says"),
    [
        ({}, "two different bounds"),
        ({"low": 1}, "two different bounds"),
        ({"low": 1, "high": 1}, "two different bounds"),
        ({"kind": "bands"}, "ascending borders"),
        ({"kind": "bands", "bands": [(3, 0.0), (1, 1.0)]}, "ascending borders"),
        ({"kind": "bands", "bands": [(1, 1.5)]}, "between 0 and 1"),
    ],
)
def test_a_transform_that_makes_no_sense_is_refused_by_name(transform, says):
    dimensions = [{"name": "all", "weight": 1, "measures": [{"measure": "nps", "weight": 1, **transform}]}]
    with pytest.raises(ConfigError, match=f"nps.*{says}"):
        _card(dimensions=dimensions)


def test_the_largest_numbers_are_beyond_every_bound():
    assert _one({"low": 0, "high": 0.001}, -1.7e308, 1.7e308) == [0.0, 1.0]
