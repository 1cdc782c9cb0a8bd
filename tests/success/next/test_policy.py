"""The bandit: your order until evidence says otherwise, every chance known and none too small."""

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from river.bandit.base import ContextualPolicy

from hub.success.next.declared import Action, Actions
from hub.success.next.evaluating import judge, learn, replay
from hub.success.next.policy import Cautious
from hub.success.next.record import Proposal

CALM = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ORDER = ["call", "training", "sponsor"]
DAY = 86_400.0


def actions(**more):
    return Actions(actions=tuple(Action(name=name, label=name) for name in ORDER), **more)


def proposal(number, action, reward, *, chances=None, context=None, taken="same", account=None):
    chances = chances or dict.fromkeys(ORDER, 1 / 3)
    return Proposal(
        account=account or f"acc_{number:05}",
        at=number * DAY,
        due=(number + 30) * DAY,
        action=action,
        label=action,
        reason="",
        propensity=chances[action],
        chances=chances,
        context=context or {"always": 1.0},
        health=50.0,
        risk=0.1,
        rise=5.0,
        config_version="c",
        model_version=1,
        actions_version="a",
        taken=action if taken == "same" else taken,
        reward=reward,
    )


def taught(rates, number=60, seed=1, context=None):
    """A policy that saw so many outcomes of each action, better in so many of them."""
    policy, chance = Cautious(actions()), random.Random(seed)
    for name, rate in rates.items():
        for _ in range(number):
            policy.update(name, context or {"always": 1.0}, float(chance.random() < rate))
    return policy


@CALM
@given(
    st.integers(1, 3),
    st.dictionaries(st.sampled_from(["always", "health", "risk"]), st.floats(-3, 3)),
    st.text(max_size=5),
)
def test_chances_sum_to_one_and_none_is_below_the_floor(number, context, seed):
    policy = taught({"call": 0.2, "training": 0.9})
    names = ORDER[:number]
    choice = policy.choose(names, context, seed)
    assert sum(choice.chances.values()) == pytest.approx(1.0)
    assert list(choice.chances) == names
    assert min(choice.chances.values()) >= policy.actions.explore / number - 1e-12
    assert choice == policy.choose(names, context, seed), "the same seed, the same choice"


def test_what_is_chosen_is_chosen_as_often_as_its_chance_says():
    policy = Cautious(actions(explore=0.3))
    drawn = [policy.choose(ORDER, {"always": 1.0}, str(n)).action for n in range(6_000)]
    for name, chance in policy.choose(ORDER, {"always": 1.0}, "").chances.items():
        assert drawn.count(name) / 6_000 == pytest.approx(chance, abs=0.02)


def test_without_evidence_the_order_decides():
    assert Cautious(actions()).choose(ORDER, {"always": 1.0}, "").preferred == "call"
    few = taught({"call": 0.0, "training": 1.0}, number=10)
    assert few.choose(ORDER, {"always": 1.0}, "").preferred == "call", "10 of 30 outcomes"


def test_with_evidence_the_better_is_preferred_and_with_none_to_speak_of_it_is_not():
    assert taught({"call": 0.2, "training": 0.8}, 100).choose(ORDER, {"always": 1.0}, "").preferred == "training"
    assert taught({"call": 0.5, "training": 0.55}, 100).choose(ORDER, {"always": 1.0}, "").preferred == "call"
    assert taught({"call": 0.8, "training": 0.2}, 100).choose(ORDER, {"always": 1.0}, "").preferred == "call"


def test_what_helps_here_need_not_help_there():
    policy, chance = Cautious(actions()), random.Random(2)
    for _ in range(400):
        health = chance.choice([-1.0, 1.0])
        context = {"always": 1.0, "health": health}
        policy.update("call", context, float(chance.random() < (0.8 if health > 0 else 0.1)))
        policy.update("training", context, float(chance.random() < (0.2 if health > 0 else 0.7)))
    assert policy.choose(ORDER, {"always": 1.0, "health": 1.0}, "").preferred == "call"
    assert policy.choose(ORDER, {"always": 1.0, "health": -1.0}, "").preferred == "training"


def test_a_cost_is_what_it_has_to_help_more():
    dear = Actions(actions=(Action(name="call", label="c"), Action(name="training", label="t", cost=0.6)))
    policy = Cautious(dear)
    for n in range(200):
        policy.update("call", {"always": 1.0}, float(n % 5 == 0))
        policy.update("training", {"always": 1.0}, float(n % 5 != 0))
    assert policy.choose(["call", "training"], {"always": 1.0}, "").preferred == "call"


@pytest.mark.parametrize(
    ("context", "reward", "weight"),
    [
        ({"always": float("nan")}, 1.0, 1.0),
        ({"always": 1.0, "health": float("inf")}, 1.0, 1.0),
        ({"always": 1.0}, float("nan"), 1.0),
        ({"always": 1.0}, 7.0, 1.0),
        ({"always": 1.0}, 1.0, 0.0),
        ({"always": 1.0}, 1.0, float("nan")),
    ],
)
def test_what_is_no_number_teaches_nothing(context, reward, weight):
    policy = Cautious(actions())
    before = policy.good("call", {"always": 1.0})
    policy.update("call", context, reward, weight)
    assert policy.good("call", {"always": 1.0}) == before


def test_one_rare_proposal_does_not_speak_for_everybody():
    policy = taught({"call": 0.5}, 100)
    before = policy.good("call", {"always": 1.0}).mean
    policy.update("call", {"always": 1.0}, 1.0, 1e9)
    assert abs(policy.good("call", {"always": 1.0}).mean - before) < 0.06
    policy.update("call", {"always": 1e12}, 0.0, 1.0)
    assert 0.3 < policy.good("call", {"always": 1.0}).mean < 0.7


def test_it_is_a_policy_as_river_knows_them():
    policy = Cautious(actions(), seed=1)
    assert isinstance(policy, ContextualPolicy)
    assert policy.pull(ORDER, {"always": 1.0}) in ORDER
    policy.update("call", {"always": 1.0}, 1.0)
    assert policy.good("call", {"always": 1.0}).outcomes == 1
    pulls = [
        [one.pull(ORDER, {}) for _ in range(20)] for one in (Cautious(actions(), seed=7), Cautious(actions(), seed=7))
    ]
    assert pulls[0] == pulls[1]


# --- judged by what is in the log ------------------------------------------------------------------------------------


def logged(number, seed=3):
    """Proposals of a policy that always explores: a call helps 30 of 100, a training 60, a sponsor 10."""
    chance, rates = random.Random(seed), {"call": 0.3, "training": 0.6, "sponsor": 0.1}
    chances = {"call": 0.6, "training": 0.2, "sponsor": 0.2}
    found = []
    for n in range(number):
        action = chance.choices(list(chances), list(chances.values()))[0]
        found.append(proposal(n, action, float(chance.random() < rates[action]), chances=chances))
    return found


def test_what_would_have_come_of_the_order_is_found_from_what_was_proposed():
    found = judge(logged(3_000), actions())
    for kind in ("ips", "snips", "dr"):
        one = getattr(found.ways["order"], kind)
        assert one.low <= 0.3 <= one.high
        assert one.high - one.low < 0.1
        learned = getattr(found.ways["learned"], kind)
        assert learned.low > found.better.low, "what was learned is better than what was proposed"
        assert learned.value == pytest.approx(0.6, abs=0.08)
    assert found.followed == 1.0
    assert sum(found.actions.values()) == 3_000


def test_the_intervals_hold_the_truth_about_nineteen_times_of_twenty():
    held = [judge(logged(150, seed), actions()).ways["order"].snips for seed in range(60)]
    inside = np.mean([one.low <= 0.3 <= one.high for one in held])
    assert 0.85 <= inside <= 1.0


def test_nothing_that_was_learned_later_speaks_of_an_earlier_proposal():
    found = logged(300)
    _, whole, believed = replay(found, actions())
    _, half, believed_half = replay(found[:150], actions())
    assert (whole[:150], believed[:150]) == (half, believed_half)


def test_what_was_not_followed_counts_for_the_proposal_and_teaches_nothing():
    found = [proposal(n, "call", 1.0, taken=None) for n in range(40)]
    judged = judge(found, actions())
    assert (judged.outcomes, judged.followed, judged.actions, judged.better.value) == (40, 0.0, {}, 1.0)
    policy = Cautious(actions())
    learn(policy, proposal(1, "call", 1.0, taken="training"))
    assert policy.good("training", {"always": 1.0}).outcomes == 0


def test_few_outcomes_are_no_numbers():
    found = judge([*logged(29), proposal(900, "call", None)], actions())
    assert (found.better, found.needed, found.waiting) == (None, 1, 1)
    assert found.ways["order"].ips is None
    nobody = judge([], actions())
    assert (nobody.outcomes, nobody.needed, nobody.followed) == (0, 30, None)
    once = judge([proposal(n, "sponsor", 0.0) for n in range(40)], actions())
    assert once.ways["order"].snips is None, "the order never agreed with what was proposed"
