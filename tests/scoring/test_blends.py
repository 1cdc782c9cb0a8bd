"""A blend for each segment: its own where its labels suffice, the whole's where they do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.arrays import expit
from scoring.config import Config
from scoring.experts import hazard
from scoring.experts.blends import SPREAD, STRENGTH, Blends
from scoring.experts.mixture import Mixture, log_losses, mixed
from scoring.learning import taught
from scoring.lessons import NOBODY_KNOWS, Lessons
from scoring.loading import load
from scoring.model import EXPERTS, HAZARD, decode, encode, fresh, segments
from scoring.scorer import Scorer
from tests.scoring.judging import MEASURES, SCORECARD, any_values, config, customers, experienced, lessons

BEGIN = {"one": 0.3, "other": 0.3, "base": 0.4}
PORTION = 64
NAMES = ("left", "right")
ONE = [{"name": "one", "weight": 1, "measures": [{"measure": "logins", "weight": 1, "low": 0, "high": 10}]}]
CARDS = [{"name": name, "when": {"plan": name}, "dimensions": ONE} for name in NAMES]
OURS = config(cards=CARDS)


class World:
    """Two segments of equal size and three experts, of which the third says the same of everybody."""

    def __init__(self, seed, n, kind):
        chance = np.random.default_rng(seed)
        self.segment = chance.integers(0, 2, n)
        z = chance.normal(0.0, 1.2, (n, 2))
        first = self.segment == 0
        match kind:
            case "opposite":  # each expert knows one of the segments
                truth, said = np.where(first, z[:, 0], z[:, 1]) - 1.0, z - 1.0
            case "alike":  # both know half of the truth, of everybody
                truth, said = 0.6 * z.sum(axis=1) - 1.0, z - 1.0
            case _:  # both know it, and nobody that one segment loses five times the odds of the other
                truth, said = z[:, 0] + np.where(first, -2.2, -0.5), z[:, :1] * [1.0, 0.5] - 1.2
        self.said = np.column_stack([said, np.full(n, -1.0)])
        self.lost = chance.random(n) < expit(truth)


def play(world, *, levels=True):
    """Mean log losses of the whole's mix and of the segments', the odds of the latter, and what was learned."""
    whole, blends = Mixture(dict(BEGIN)), Blends()
    alone, odds = np.zeros(len(world.lost)), np.zeros(len(world.lost))
    for start in range(0, len(world.lost), PORTION):
        portion = np.arange(start, min(start + PORTION, len(world.lost)))
        alone[portion] = mixed(world.said[portion], np.array([*whole.weights.values()]))
        parts = [(name, portion[world.segment[portion] == code]) for code, name in enumerate(NAMES)]
        for name, mine in parts:
            weights = np.array([*blends.weights(name, whole.weights).values()])
            odds[mine] = mixed(world.said[mine], weights) + levels * blends.level(name)
        for name, mine in parts:
            kept = (1.0 - 1.0 / 20_000.0) ** len(mine)
            blends.learn(name, whole.weights, world.said[mine], world.lost[mine], weight=1.0, kept=kept)
        whole.learn(world.said[portion], world.lost[portion])
    return log_losses(alone, world.lost).mean(), log_losses(odds, world.lost).mean(), odds, blends, whole


def over(kind, n, **more):
    """What segments gain, on average over ten worlds."""
    found = [play(World(seed, n, kind), **more)[:2] for seed in range(10)]
    return float(np.mean([alone - own for alone, own in found]))


def test_where_segments_need_opposite_experts_their_own_mixes_beat_the_whole():
    assert over("opposite", 300) > 0.015
    assert over("opposite", 2_000) > 0.05
    *_, blends, whole = play(World(0, 2_000, "opposite"))
    assert blends.weights("left", whole.weights)["one"] > 0.8
    assert blends.weights("right", whole.weights)["other"] > 0.8


@pytest.mark.parametrize("n", [200, 1_000, 5_000])
def test_where_segments_do_not_differ_next_to_nothing_is_lost(n):
    assert over("alike", n) > -0.003


def test_a_segment_that_leaves_more_often_than_it_looks_is_seen_to():
    """Without a level of their own both segments are off by a whole log odds, whomever one listens to."""
    world = World(0, 4_000, "unequal")
    without, own = over("unequal", 2_000, levels=False), over("unequal", 2_000)
    assert own > without + 0.03
    for code in (0, 1):
        late = (world.segment == code) & (np.arange(4_000) > 1_000)
        apart = [
            abs(expit(play(world, levels=levels)[2])[late].mean() - world.lost[late].mean()) for levels in (True, False)
        ]
        assert apart[0] < 0.03
        assert apart[1] > 0.08


@pytest.mark.parametrize("before", [0, 1, 30, 100, 1_000])
def test_no_label_makes_anything_jump(before):
    """All experts say the same of one customer more: only how far the segment is believed can move, and by little."""
    world, whole, blends = World(3, before, "opposite"), Mixture(dict(BEGIN)), Blends()
    for n in range(before):
        blends.learn("x", BEGIN, world.said[n : n + 1], world.lost[n : n + 1], weight=1.0, kept=1.0)
    was, level = np.array([*blends.weights("x", whole.weights).values()]), blends.level("x")
    blends.learn("x", BEGIN, np.full((1, 3), -1.0), np.zeros(1, bool), weight=1.0, kept=1.0)
    now = np.array([*blends.weights("x", whole.weights).values()])
    assert np.abs(now - was).max() < 1.0 / STRENGTH
    assert abs(blends.level("x") - level) < SPREAD**2 / (1.0 + 0.02 * before)
    assert now.sum() == pytest.approx(1.0)
    assert (now > 0.0).all()


shares = st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3).map(lambda some: np.array(some) / sum(some))


@settings(deadline=None)
@given(shares, shares, st.floats(0.0, 10_000.0), st.lists(st.floats(-7, 7), min_size=3, max_size=3), st.booleans())
def test_what_is_used_loses_no_more_than_its_parts_do_by_their_shares(own, whole, seen, said, lost):
    blends = Blends(tuple(BEGIN))
    blends.learn(
        "x", dict(zip(BEGIN, own.tolist(), strict=True)), np.zeros((0, 3)), np.zeros(0, bool), weight=1, kept=1
    )
    assert blends.of == {}
    blends.learn(
        "x", dict(zip(BEGIN, own.tolist(), strict=True)), np.zeros((1, 3)), np.zeros(1, bool), weight=1e-9, kept=1
    )
    blends.of["x"].seen = seen
    z = blends.of["x"].credibility
    assert z == pytest.approx(seen / (seen + STRENGTH))
    used = np.array([*blends.weights("x", dict(zip(BEGIN, whole.tolist(), strict=True))).values()])
    lost_by = [float(log_losses(mixed(np.array([said]), one), np.array([lost]))[0]) for one in (used, whole, own)]
    assert lost_by[0] <= (1.0 - z) * lost_by[1] + z * lost_by[2] + 1e-6


def test_one_segments_flood_moves_another_by_no_more_than_it_leaves_to_the_whole():
    world = World(5, 400, "opposite")
    *_, blends, whole = play(world)
    before, level = blends.weights("right", whole.weights), blends.level("right")
    held, was = dict(blends.of["right"].__rich_repr__()), dict(whole.weights)
    flood = World(6, 20_000, "opposite")
    for start in range(0, 20_000, PORTION):
        some = slice(start, start + PORTION)
        blends.learn("left", whole.weights, -flood.said[some], flood.lost[some], weight=1.0, kept=1.0)
        whole.learn(-flood.said[some], flood.lost[some])
    after, moved = blends.weights("right", whole.weights), max(abs(whole.weights[name] - was[name]) for name in was)
    assert dict(blends.of["right"].__rich_repr__()) == held
    assert blends.level("right") == level
    left = 1.0 - blends.of["right"].credibility
    assert left < 0.4
    assert moved > 0.3
    assert max(abs(after[name] - before[name]) for name in before) <= left * moved + 1e-12


def test_an_expert_that_comes_later_begins_as_the_whole_believes_it_and_one_that_goes_leaves_its_share():
    *_, blends, whole = play(World(0, 1_000, "opposite"))
    own = blends.weights("left", whole.weights)
    whole.welcome({"new": 0.2})
    with_new = blends.weights("left", whole.weights)
    assert with_new["new"] == pytest.approx(0.2)
    assert with_new["one"] == pytest.approx(0.8 * own["one"])
    blends.learn("left", whole.weights, np.zeros((1, 4)), np.ones(1, bool), weight=1e-9, kept=1.0)
    assert blends.weights("left", whole.weights) == pytest.approx(with_new, abs=1e-6)
    fewer = {name: weight / 0.7 for name, weight in whole.weights.items() if name != "base"}
    scaled = {name: weight / sum(fewer.values()) for name, weight in fewer.items()}
    assert sum(blends.weights("left", scaled).values()) == pytest.approx(1.0)


@pytest.mark.parametrize("said", [np.full((3, 3), np.nan), np.full((3, 3), 1e300), np.full((3, 3), -np.inf)])
def test_opinions_that_are_none_or_absurd_poison_nothing(said):
    blends = Blends()
    blends.learn("x", BEGIN, said, np.array([True, False, True]), weight=1.0, kept=1.0)
    weights = np.array([*blends.weights("x", BEGIN).values()])
    assert np.isfinite(weights).all()
    assert abs(blends.level("x")) < 8.0


# --- in the model, and in what is shown -------------------------------------------------------------------------


def carded(scorer, values, lost, codes, at=1.0):
    """As `lessons`, of customers of these segments."""
    (one,) = lessons(scorer, values, lost, at)
    return [Lessons(one.experts, one.said, one.lost, one.matured_at, one.names, one.features, NAMES, codes)]


def risks(values, codes, apart):
    """The unhappy leave, and in one segment far more of them than in another."""
    return 1.0 / (1.0 + np.exp(1.5 + np.nan_to_num(values[:, 3]) / 30.0 - apart * codes))


def learned(n=1_600, seed=0, ours=OURS, apart=2.0):
    """Models of that world; where `ours` has no segments nobody knows of them."""
    chance = np.random.default_rng(seed)
    model = fresh(ours)
    for start in range(0, n, 100):
        values, codes = customers(chance, 100), chance.integers(-1, 2, 100).astype(np.int8)
        lost = chance.random(100) < risks(values, codes, apart)
        scorer, none = Scorer(ours, model), np.full(100, np.nan)
        scores = scorer.score(values, none, np.full(100, -1, np.int8), None, codes)
        said = [{name: float(one[i]) for name, one in scores.predictions.items()} for i in range(100)]
        names = lessons(scorer, values[:1], lost[:1])[0].names
        one = Lessons.of(
            (*EXPERTS, "mix", "halfway"),
            said,
            lost.tolist(),
            [start + i for i in range(100)],
            names=names,
            features=scores.features.tolist(),
            cards=segments(ours.scorecard),
            segments=[["", *NAMES][code + 1] for code in codes.tolist()],
        )
        model = taught(model, [one], ours)
    return model


MODEL = learned()


def test_segments_are_learned_and_told_apart():
    levels = [MODEL.level_in(name) for name in ("", "left", "right")]
    assert levels[0] < levels[1] < levels[2]
    assert levels[2] - levels[0] > 1.5
    assert sum(blend.labels for blend in MODEL.blends.of.values()) > 1_200
    for name in ("", "left", "right", "nobody"):
        assert sum(MODEL.weights_in(name).values()) == pytest.approx(1.0)
    assert MODEL.weights_in("nobody") == MODEL.weights
    assert decode(encode(MODEL)) == MODEL


@pytest.mark.parametrize(("apart", "gain"), [(1.0, 0.01), (0.0, -0.004)])
def test_a_model_that_knows_segments_predicts_better_where_they_differ_and_as_well_where_not(apart, gain):
    """All the way: predictions of the models of the time, labels of them, and new customers."""
    same = [{"name": name, "when": {"plan": name}, "dimensions": SCORECARD["dimensions"]} for name in NAMES]
    chance, found = np.random.default_rng(9), []
    values, codes = customers(chance, 3_000), chance.integers(-1, 2, 3_000).astype(np.int8)
    truth = risks(values, codes, apart)
    for ours in (config(), config(cards=same)):
        scorer, none = Scorer(ours, learned(2_400, 1, ours, apart)), np.full(3_000, np.nan)
        odds = scorer.score(values, none, np.full(3_000, -1, np.int8), None, codes).logit
        found.append(float((np.logaddexp(0.0, odds) - truth * odds).mean()))  # what is lost on average, whoever leaves
    assert found[0] - found[1] > gain


def test_until_the_models_are_listened_to_segments_are_not_either():
    model = fresh(OURS)
    assert model.weights_in("left") == {"scorecard": 1.0}
    assert model.level_in("left") == 0.0


@settings(deadline=None)
@given(any_values, st.data())
def test_drivers_sum_and_each_is_judged_as_it_is_alone(values, data):
    codes = np.array(data.draw(st.lists(st.integers(-1, 1), min_size=len(values), max_size=len(values))), np.int8)
    scorer, none, band = Scorer(OURS, MODEL), np.full(len(values), np.nan), np.full(len(values), -1, np.int8)
    scores = scorer.score(values, none, band, None, codes)
    assert np.abs(scores.base + scores.points.sum(axis=1) - scores.health).max() < 1e-9
    for place in range(len(values)):
        one = slice(place, place + 1)
        alone = scorer.score(values[one], none[one], band[one], None, codes[one])
        assert alone.logit[0] == pytest.approx(scores.logit[place], abs=1e-9)
        assert alone.points[0] == pytest.approx(scores.points[place], abs=1e-7)


def test_what_is_usual_in_a_segment_is_a_driver_in_words():
    scorer = Scorer(OURS, MODEL)
    values = np.array([[5.0, 3.0, 0.0, 10.0]])
    scores = scorer.score(values, np.full(1, np.nan), np.full(1, -1, np.int8), None, np.ones(1, np.int8))
    drivers, _ = scorer.say(values[0].tolist(), scores.points[0].tolist(), 6, {}, 1)
    (mine,) = [one for one in drivers if one.name == "segment"]
    assert mine.text == "what is usual in segment right"
    assert mine.points < -5.0
    assert scorer.say(values[0].tolist(), scores.points[0].tolist(), 6, {})[0][0].text != mine.text


def test_without_segments_not_a_digit_changes():
    plain, model = config(), experienced(config(), 600)
    model.blends = MODEL.blends  # of a configuration that had segments
    values = customers(np.random.default_rng(2), 50)
    none, band = np.full(50, np.nan), np.full(50, -1, np.int8)
    before = Scorer(plain, experienced(config(), 600)).score(values, none, band)
    after = Scorer(plain, model).score(values, none, band, None, band)
    assert before.points.tobytes() == after.points.tobytes()
    assert before.logit.tobytes() == after.logit.tobytes()
    assert before.names == after.names
    assert "segment" not in after.names


def test_the_whole_learns_the_same_whether_or_not_there_are_segments():
    chance = np.random.default_rng(4)
    values, codes = customers(chance, 256), chance.integers(-2, 2, 256).astype(np.int8)
    lost = chance.random(256) < 0.3
    scorer = Scorer(OURS, MODEL)
    with_them = taught(MODEL, carded(scorer, values, lost, codes), OURS)
    without = taught(MODEL, lessons(scorer, values, lost), config())
    assert with_them.mixture == without.mixture
    assert with_them.regressions == without.regressions
    assert without.blends.of.keys() == {""}  # cards that are gone are forgotten


def test_a_label_of_a_segment_nobody_knows_counts_for_the_whole_alone():
    chance = np.random.default_rng(4)
    values, lost = customers(chance, PORTION), chance.random(PORTION) < 0.3
    codes = np.full(PORTION, NOBODY_KNOWS, np.int8)
    after = taught(MODEL, carded(Scorer(OURS, MODEL), values, lost, codes), OURS)
    assert after.blends == MODEL.blends
    assert after.mixture != MODEL.mixture
    names = ["left", "", None, "gone"]
    of = Lessons.of(("mix",), [{}] * 4, [True] * 4, [0.0] * 4, cards=NAMES, segments=names)
    assert of.codes.tolist() == [0, -1, NOBODY_KNOWS, NOBODY_KNOWS]


@pytest.mark.parametrize("cut", [1, 7, 50])
def test_however_labels_arrive_segments_learn_the_same(cut):
    chance = np.random.default_rng(8)
    values, codes = customers(chance, 200), chance.integers(-2, 2, 200).astype(np.int8)
    (all_,) = carded(Scorer(OURS, MODEL), values, chance.random(200) < 0.3, codes)
    at_once, model = taught(MODEL, [all_], OURS), MODEL
    for start in range(0, 200, cut):
        model = decode(encode(taught(model, [all_[start : start + cut]], OURS)))
    assert encode(model) == encode(at_once)


def test_sixteen_segments_fit_into_what_a_model_may_weigh():
    body = load().model_dump()
    body["scorecard"]["cards"] = [
        {"name": f"segment_{n}", "when": {"plan": str(n)}, "dimensions": body["scorecard"]["dimensions"]}
        for n in range(16)
    ]
    ours = Config.model_validate(body)
    model = fresh(ours)
    bare = len(encode(model))
    chance = np.random.default_rng(0)
    said = chance.normal(-1, 1, (170, len(model.mixture.weights)))
    for n in range(17):
        for _ in range(3):
            model.blends.learn(
                f"segment_{n}" if n < 16 else "",
                model.mixture.weights,
                said,
                chance.random(170) < 0.3,
                weight=0.117,
                kept=0.99,
            )
    assert len(model.blends.of) == 17
    assert len(encode(model)) - bare < 6_000


def test_the_spread_and_the_strength_are_what_the_docs_say():
    assert (STRENGTH, SPREAD) == (100.0, 0.5)


@settings(deadline=None, max_examples=50)
@given(any_values, st.data())
def test_experts_that_may_be_silent_weigh_by_segment_too(values, data):
    model = decode(encode(MODEL))
    model.hazard, whole = hazard.fresh(0.1), {name: 0.8 * one for name, one in model.mixture.weights.items()}
    model.mixture.weights = whole | {HAZARD: 0.2}
    said = np.column_stack([np.full(300, -1.0)] * len(whole) + [np.where(np.arange(300) % 2, 3.0, -3.0)])
    model.blends.learn("right", model.mixture.weights, said, np.arange(300) % 2 == 1, weight=1.0, kept=1.0)
    renewal = {
        "name": "renewal",
        "family": "date",
        "kinds": {"contract.renewed": 1},
        "of": "properties.ends_on",
        "read": "until",
    }
    renewal |= {"dimension": "support", "label": "renews in {n} days", "direction": "up"}
    ours = config([*MEASURES, renewal], cards=CARDS)
    assert model.weights_in("right")[HAZARD] > 0.3 > model.weights_in("left")[HAZARD]
    days = np.array(
        data.draw(st.lists(st.sampled_from([-3.0, 20.0, np.nan]), min_size=len(values), max_size=len(values)))
    )
    values = np.column_stack([values, days])
    codes = np.array(data.draw(st.lists(st.integers(-1, 1), min_size=len(values), max_size=len(values))), np.int8)
    scorer, none, band = Scorer(ours, model), np.full(len(values), np.nan), np.full(len(values), -1, np.int8)
    scores = scorer.score(values, none, band, None, codes)
    assert np.abs(scores.base + scores.points.sum(axis=1) - scores.health).max() < 1e-9
    for place in range(len(values)):
        one = slice(place, place + 1)
        alone = scorer.score(values[one], none[one], band[one], None, codes[one])
        assert alone.logit[0] == pytest.approx(scores.logit[place], abs=1e-9)
