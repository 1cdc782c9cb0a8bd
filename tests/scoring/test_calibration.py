from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.calibration import Platt


def _world(n, scale, shift, zero=-1.0, seed=0):
    chance = random.Random(seed)
    for _ in range(n):
        said = chance.gauss(0, 2)
        yield said, chance.random() < 1 / (1 + math.exp(-(zero + scale * said + shift)))


def _taught(world, zero=-1.0):
    platt = Platt()
    for said, lost in world:
        platt.learn(said, zero, lost=lost)
    return platt


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


def test_an_expert_that_is_always_wrong_is_silenced_not_read_backwards():
    assert _taught(_world(1000, -1.0, 0.0)).scale < 0.05


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-50, 50), st.booleans()), max_size=60))
def test_it_stays_finite_whatever_comes(world):
    platt = _taught(world)
    assert math.isfinite(platt.scale)
    assert math.isfinite(platt.shift)
    assert platt.scale >= 0
