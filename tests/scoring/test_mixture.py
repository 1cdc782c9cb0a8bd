from __future__ import annotations

import math
import random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.experts.mixture import LIMIT, SHARE, SPAN, Mixture, log_losses
from tests.scoring.judging import mixed

NAMES = ("card", "sgd", "base")


def _even():
    return Mixture(dict.fromkeys(NAMES, 1 / 3))


def _play(mixture, rounds):
    """What the mix lost, in nats, over rounds of (opinions, lost)."""
    total = 0.0
    for opinions, lost in rounds:
        total += float(log_losses(np.array(mixed(mixture, opinions)), np.array(lost)))
        _learn(mixture, [(opinions, lost)])
    return total


def _learn(mixture, labels, weight=1.0):
    """Labels that are learned at once; opinions of strangers are nobody's."""
    said = [[opinions.get(name, math.nan) for name in mixture.weights] for opinions, _ in labels]
    mixture.learn(np.array(said), np.array([lost for _, lost in labels]), weight)


def _promise(mixture, rounds):
    """What the mix may lose beyond its best expert."""
    return mixture.gap + (SPAN + rounds * -math.log1p(-SHARE)) / mixture.rate


opinion = st.one_of(st.floats(-LIMIT, LIMIT), st.sampled_from([-1e9, -LIMIT, 0.0, LIMIT, 1e9]))
rounds = st.lists(st.tuples(st.fixed_dictionaries(dict.fromkeys(NAMES, opinion)), st.booleans()), max_size=80)


@settings(max_examples=150, deadline=None)
@given(rounds, st.integers(1, 8))
def test_the_mix_is_never_much_worse_than_its_best_expert(played, times):
    mixture = _even()
    lost = _play(mixture, played * times)
    best = min(mixture.losses.values(), default=0.0)
    assert lost <= best + _promise(mixture, len(played) * times) + 1e-6
    assert sum(mixture.weights.values()) == pytest.approx(1)
    assert all(weight > 0 for weight in mixture.weights.values())


@pytest.mark.parametrize("seed", range(5))
def test_what_it_loses_beyond_its_best_expert_grows_with_the_root_of_the_rounds(seed):
    chance = random.Random(seed)
    mixture, n = _even(), 4000
    played = [({name: LIMIT * chance.choice([-1, 1]) for name in NAMES}, chance.random() < 0.5) for _ in range(n)]
    lost = _play(mixture, played)
    assert lost - min(mixture.losses.values()) <= 2 * LIMIT * math.sqrt(SPAN * n)


def test_weight_goes_to_whoever_predicts():
    chance = random.Random(1)
    mixture = Mixture({"card": 0.9, "sgd": 0.05, "base": 0.05})
    truth = [chance.gauss(-1, 1.5) for _ in range(300)]
    played = [
        ({"card": chance.gauss(-1, 1.5), "sgd": z, "base": -0.8}, chance.random() < 1 / (1 + math.exp(-z)))
        for z in truth
    ]
    _play(mixture, played)
    assert mixture.weights["sgd"] > 0.9


def test_an_expert_that_was_wrong_for_long_is_heard_again_within_weeks():
    mixture = _even()
    wrong = ({"card": 2.0, "sgd": -2.0, "base": 0.0}, True)
    right = ({"card": 2.0, "sgd": -2.0, "base": 0.0}, False)
    _play(mixture, [wrong] * 5000)
    assert mixture.weights["sgd"] < 5e-4
    needed = 0
    while mixture.weights["sgd"] < 0.5:
        _play(mixture, [right])
        needed += 1
    assert needed < 50


def test_an_expert_without_an_opinion_keeps_its_weight():
    mixture = _even()
    _play(mixture, [({"card": 1.0, "sgd": -1.0}, True)] * 20)
    assert mixture.weights["base"] == 1 / 3
    assert mixture.weights["card"] > mixture.weights["sgd"]


def test_a_label_that_weighs_less_moves_the_weights_less():
    whole, part = _even(), _even()
    one = {"card": 1.0, "sgd": -1.0, "base": 0.0}
    _learn(whole, [(one, True)])
    for _ in range(4):
        _learn(part, [(one, True)], weight=0.25)
    assert part.weights == pytest.approx(whole.weights, abs=1e-3)
    assert part.losses == pytest.approx(whole.losses)


def test_a_stranger_is_not_listened_to():
    mixture = _even()
    _learn(mixture, [({"horoscope": 3.0}, True)])
    assert mixture == _even()


def test_it_learns_on_as_json():
    stayed, travelled = _even(), _even()
    chance = random.Random(2)
    for _ in range(200):
        one = ({name: chance.gauss(0, 3) for name in NAMES}, chance.random() < 0.3)
        _play(stayed, [one])
        _play(travelled, [one])
        travelled = msgspec.json.decode(msgspec.json.encode(travelled), type=Mixture)
    assert travelled == stayed
