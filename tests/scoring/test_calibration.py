from __future__ import annotations

import math
import random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.experts.calibration import Platt


def _world(n, scale, shift, zero=-1.0, seed=0):
    chance = random.Random(seed)
    for _ in range(n):
        said = chance.gauss(0, 2)
        yield said, chance.random() < 1 / (1 + math.exp(-(zero + scale * said + shift)))


def _taught(world, zero=-1.0, weight=1.0):
    platt = Platt()
    _note(platt, [*world], weight)
    platt.settle(zero)
    return platt


def _note(platt, world, weight=1.0):
    for start in range(0, len(world), 64):
        said, lost = zip(*world[start : start + 64], strict=True)
        platt.learn(np.array(said), np.array(lost, bool), weight)


def test_untaught_an_opinion_is_taken_at_its_word():
    assert Platt()(1.7) == 1.7


def test_an_honest_expert_stays_as_it_is():
    platt = _taught(_world(2000, 1.0, 0.0))
    assert platt.scale == pytest.approx(1, abs=0.15)
    assert platt.shift == pytest.approx(0, abs=0.15)


def test_an_expert_that_exaggerates_is_toned_down_and_moved():
    platt = _taught(_world(2000, 0.3, 0.8))
    assert platt.scale == pytest.approx(0.3, abs=0.1)
    assert platt.shift == pytest.approx(0.8, abs=0.2)


def test_fifty_labels_go_half_the_way():
    platt = _taught(_world(50, 0.0, 2.0, seed=3))
    assert platt.scale < 0.6
    assert platt.shift > 0.8


def test_the_level_is_learned_at_once_and_how_steep_it_is_takes_its_time():
    chance = random.Random(5)
    world = [(chance.gauss(-1.5, 0.5), chance.random() < 0.15) for _ in range(200)]
    platt = _taught(world, zero=-3.0, weight=0.12)
    said = [1 / (1 + math.exp(3.0 - platt(one))) for one, _ in world]
    assert sum(said) / 200 == pytest.approx(sum(lost for _, lost in world) / 200, rel=0.2)
    assert 0.6 < platt.scale < 1.2  # what they said had nothing to do with it


def test_labels_that_are_said_nine_times_over_count_once_when_each_weighs_a_ninth():
    once = list(_world(60, 0.4, 0.5))
    plain, often = _taught(once), _taught([one for one in once for _ in range(9)], weight=1 / 9)
    assert (often.scale, often.shift) == pytest.approx((plain.scale, plain.shift), abs=1e-3)


def test_it_travels_as_json_and_settles_the_same_however_often_it_is_asked():
    world = list(_world(320, 0.6, 0.3))
    stayed, travelled = _taught(world), Platt()
    for start in range(0, 320, 64):
        _note(travelled, world[start : start + 64])
        travelled.settle(-1.0)
        travelled = msgspec.json.decode(msgspec.json.encode(travelled), type=Platt)
    assert travelled == stayed


def test_the_worlds_that_are_gone_fade():
    platt = _taught([*_world(3000, 1.0, 2.0), *_world(80_000, 1.0, -2.0, seed=1)])
    assert platt.shift == pytest.approx(-2.0, abs=0.1)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-6, 6), st.booleans()), min_size=1, max_size=30),
    st.floats(-0.3, 0.3),
    st.floats(-0.3, 0.3),
)
def test_no_other_line_is_more_probable(world, more, higher):
    def cost(scale, shift):
        odds = [(zero + scale * pile.opinions / pile.weight + shift, pile) for pile in platt.piles.values()]
        wrong = sum(pile.weight * math.log1p(math.exp(z)) - pile.lost * z for z, pile in odds)
        return wrong + 2.0 * (scale - 1.0) ** 2 + 0.025 * shift**2

    zero, platt = -1.0, _taught(world)
    assert cost(platt.scale, platt.shift) <= cost(min(2.0, max(0.0, platt.scale + more)), platt.shift + higher) + 1e-9


def test_an_expert_that_is_always_wrong_is_silenced_not_read_backwards():
    assert _taught(_world(1000, -1.0, 0.0)).scale < 0.05


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-50, 50), st.booleans()), max_size=60))
def test_it_stays_finite_whatever_comes(world):
    platt = _taught(world)
    assert math.isfinite(platt.scale)
    assert math.isfinite(platt.shift)
    assert 0 <= platt.scale <= 2
