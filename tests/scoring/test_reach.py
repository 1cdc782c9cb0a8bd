"""What would bring it to green, held against trying everything: it reaches, nothing smaller does, and no is no."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.bands import BANDS
from scoring.explaining.levers import follow, levers
from scoring.explaining.reach import GOALS, reach
from scoring.families.segments import DEFAULT
from scoring.scorer import Scorer
from scoring.standing import Standing
from tests.scoring.judging import MEASURES, config, experienced

TICKETS = {**MEASURES[2], "name": "open", "read": "open", "label": "{n} tickets open", "actionable": True}
OURS = [{**measure, "actionable": True} for measure in MEASURES[:3]]
CARD = {
    "dimensions": [
        {
            "name": "adoption",
            "weight": 2,
            "measures": [
                {"measure": "logins", "weight": 1, "low": 0, "high": 6},
                {"measure": "silence", "weight": 2, "low": 30, "high": 0, "missing": "worst"},
            ],
        },
        {
            "name": "support",
            "weight": 3,
            "measures": [
                {"measure": "urgent", "weight": 3, "low": 4, "high": 0},
                {"measure": "open", "weight": 1, "low": 8, "high": 0},
            ],
        },
    ]
}
PLAIN = config([*OURS, MEASURES[3], TICKETS], **CARD)
CAPPED = config([*OURS, MEASURES[3], TICKETS], **CARD, limits=[{"when": {"urgent": ">= 1"}, "cap": 45}])
SCORERS = [
    (PLAIN, Scorer(PLAIN, None)),
    (CAPPED, Scorer(CAPPED, None)),
    *((one, Scorer(one, experienced(config(), 400, seed=number))) for number, one in enumerate((PLAIN, CAPPED))),
]


@st.composite
def readings(draw):
    """Logins, silence, urgent, NPS, open; as an account could read."""
    known = st.floats(0, 60)
    open_ = draw(st.integers(0, 5))
    urgent = draw(st.integers(0, open_))
    logins, silence = (draw(st.one_of(st.just(float("nan")), known)) for _ in range(2))
    nps = draw(st.one_of(st.just(float("nan")), st.floats(-100, 100)))
    return np.array([[logins, silence, float(urgent), nps, float(open_)]])


def stand(scorer, values, by_hand=float("nan")):
    row = np.zeros(1, [("published", "f8"), ("band", "i1")])
    row["published"], row["band"] = np.nan, -1
    hand = np.array([by_hand])
    scores = scorer.score(values, row["published"], row["band"], hand)
    row["published"], row["band"] = scores.health, scores.band
    return Standing(
        "acc", row, 0.0, values, scorer, scorer.score(values, row["published"], row["band"], hand), hand, DEFAULT
    )


def everything(standing, config):
    """Every set of changes that can be made, with what it comes to: how many things, how many steps, scores."""
    found = levers(config, standing.values[0].tolist())
    tried = [choice for choice in product(*(range(-1, len(lever.steps)) for lever in found)) if max(choice) >= 0]
    if not tried:
        return [], None
    values = np.repeat(standing.values, len(tried), axis=0)
    for row, choice in zip(values, tried, strict=True):
        for lever, step in zip(found, choice, strict=True):
            if step >= 0:
                row[lever.place] = lever.steps[step]
    follow(config.measures, standing.values[0], values, (), solved=True)
    sizes = [(sum(step >= 0 for step in choice), sum(step + 1 for step in choice)) for choice in tried]
    return sizes, standing.judged(values)


def meets(scores, goal):
    return scores.band <= BANDS.index(goal) if isinstance(goal, str) else scores.health >= goal


@settings(max_examples=200, deadline=None)
@given(readings(), st.sampled_from(range(len(SCORERS))), st.one_of(st.sampled_from(GOALS), st.floats(5, 95)))
def test_it_finds_the_fewest_things_and_the_fewest_steps_or_says_that_there_are_none(values, place, goal):
    config, scorer = SCORERS[place]
    standing = stand(scorer, values)
    found = reach(standing, config, goal)
    assert found.there == bool(meets(standing.scores, goal)[0])
    if found.there:
        return
    sizes, scores = everything(standing, config)
    good = [] if scores is None else [size for size, met in zip(sizes, meets(scores, goal), strict=True) if met]
    assert bool(found.ways) == bool(good)
    for way in found.ways:
        again = standing.judged(way.values[None, :])
        assert meets(again, goal)[0]
        assert way.health == again.health[0]
        assert len(way.given) == min(things for things, _ in good)
    if found.ways:
        assert (len(found.ways[0].given), found.ways[0].steps) == min(good)
    if found.nearest:
        assert found.nearest.health >= float(scores.health.max()) - 0.1 - 1e-9
        assert found.nearest.health > float(standing.scores.health[0])


def test_under_a_cap_things_that_help_only_together_are_found():
    standing = stand(SCORERS[1][1], np.array([[6.0, 1.0, 1.0, np.nan, 1.0]]))
    assert standing.scores.health[0] == 45.0
    found = reach(standing, CAPPED, "steady")
    assert found.ways
    assert found.ways[0].health > 45.0


def test_what_a_person_set_no_ticket_moves():
    standing = stand(SCORERS[0][1], np.array([[0.0, 20.0, 3.0, np.nan, 3.0]]), by_hand=30.0)
    found = reach(standing, PLAIN, "steady")
    assert (found.ways, found.nearest) == ([], None)


@pytest.mark.parametrize("number", [0, 1, 12, 13, 40, 5_000])
def test_tickets_are_solved_in_whole_numbers_down_to_none(number):
    values = [np.nan, np.nan, 0.0, np.nan, float(number)]
    found = [lever for lever in levers(PLAIN, values) if lever.place == 4]
    if not number:
        assert found == []
        return
    steps = found[0].steps
    assert all(step == int(step) for step in steps)
    assert list(steps) == sorted(set(steps), reverse=True)
    assert steps[0] < number
    assert steps[-1] == 0.0
    assert len(steps) <= 12
