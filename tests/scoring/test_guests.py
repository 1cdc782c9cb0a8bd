"""Experts of plugins: heard like ours as long as they behave, and whatever they do, nobody else is stopped by it."""

from __future__ import annotations

import gc
import logging
import pickle
import threading
import time
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings

from hub import metrics
from scoring.learning import taught
from scoring.model import EXPERTS, decode, encode, fresh
from scoring.scorer import Scorer
from tests.scoring import strangers
from tests.scoring.judging import any_values, config, customers, judge, leaving, lessons
from tests.scoring.strangers import Tally, panel

OURS = config()
SAYERS = (strangers.Raising, strangers.Quitting, strangers.Infinite, strangers.Short, strangers.Wordy)
PUPILS = (strangers.Unlearned, strangers.Vast, strangers.Stateless)


def grown(experts=None, labels=1_600, model=None):
    """A model of a world in which only the unhappy leave, taught with these experts of plugins."""
    chance, model = np.random.default_rng(0), model or fresh(OURS)
    for _ in range(0, labels, 320):
        values = customers(chance, 320)
        lost = chance.random(320) < leaving(values)
        model = taught(model, lessons(Scorer(OURS, model, experts), values, lost), OURS, panel=experts)
    return model


@cache
def with_tally():
    return grown(panel(Tally))


def failures(name, doing):
    return metrics.EXPERT_FAILURES.labels(name, doing)._value.get()


def test_it_is_weighed_and_judged_like_ours():
    model, values = with_tally(), customers(np.random.default_rng(5), 50)
    assert model.weights["tally"] > 0.05
    assert model.mixture.losses["tally"] > 0
    assert model.guests["tally"].labels == 1_600
    assert model.guests["tally"].plugin == "acme-expert 1.0.0"
    scores = judge(Scorer(OURS, model, panel(Tally)), values)
    said = scores.predictions["tally"]
    assert ((said > 0) & (said < 1))[~np.isnan(values[:, 3])].any()


@settings(max_examples=150, deadline=None)
@given(any_values)
def test_its_share_is_a_driver_of_its_own_and_drivers_sum_exactly(values):
    scorer = Scorer(OURS, with_tally(), panel(Tally))
    scores = judge(scorer, values)
    assert np.abs(scores.base + scores.points.sum(axis=1) - scores.health).max() < 1e-9
    place = scores.names.index("expert:tally")
    told, _ = scorer.say(values[0].tolist(), scores.points[0].tolist(), len(scores.names), {})
    named = [driver.text for driver in told if driver.name == "expert:tally"]
    assert named == ["what the expert tally sees"] * int(abs(scores.points[0, place]) >= 0.05)


def test_where_it_is_not_installed_its_weight_is_everybody_else_s():
    model, values = with_tally(), customers(np.random.default_rng(5), 50)
    scores = judge(Scorer(OURS, model), values)
    assert "tally" not in scores.predictions
    ours = {name: one for name, one in model.mixture.weights.items() if name in EXPERTS}
    whole = {name: one / sum(ours.values()) for name, one in ours.items()}
    alone = msgspec.structs.replace(model, mixture=msgspec.structs.replace(model.mixture, weights=whole))
    assert scores.logit == pytest.approx(judge(Scorer(OURS, alone), values).logit, abs=1e-9)
    assert np.abs(scores.base + scores.points.sum(axis=1) - scores.health).max() < 1e-9


def test_where_no_model_knows_it_it_is_not_asked():
    scores = judge(Scorer(OURS, grown(), panel(strangers.Hanging)), customers(np.random.default_rng(5), 50))
    assert "hanging" not in scores.predictions


def test_a_learner_that_has_it_not_keeps_what_it_learned_and_goes_on_judging_it():
    model, values = with_tally(), customers(np.random.default_rng(6), 64)
    labels = lessons(Scorer(OURS, model, panel(Tally)), values, np.arange(64) % 4 == 0)
    after = taught(model, labels, OURS)
    assert after.guests == model.guests
    assert after.mixture.losses["tally"] > model.mixture.losses["tally"]


def test_it_travels_with_the_model_and_goes_on_as_if_it_had_not():
    stayed, travelled = grown(panel(Tally), 640), grown(panel(Tally), 320)
    chance = np.random.default_rng(0)
    values = customers(chance, 320)
    chance.random(320)
    values = customers(chance, 320)
    lost = chance.random(320) < leaving(values)
    travelled = decode(encode(travelled))
    found = lessons(Scorer(OURS, travelled, panel(Tally)), values, lost)
    assert taught(travelled, found, OURS, panel=panel(Tally)).guests == stayed.guests


def test_a_model_of_before_there_were_such_experts_is_read():
    older = msgspec.json.decode(encode(grown(labels=320)), type=dict)
    del older["guests"]
    assert decode(msgspec.json.encode(older).decode()).guests == {}


def test_without_such_experts_nothing_changes_in_any_digit():
    assert encode(grown(labels=640)) == encode(grown(panel(), 640))


@pytest.mark.parametrize("kind", SAYERS)
def test_one_that_answers_with_nonsense_is_left_out_said_once_and_counted(kind, caplog):
    sane, experts = with_tally(), panel(Tally, kind)
    seal = panel(kind)._seal
    guest = msgspec.structs.replace(sane.guests["tally"], seal=seal.sign(kind.name, sane.guests["tally"].state))
    model = msgspec.structs.replace(sane, guests=sane.guests | {kind.name: guest})
    model.mixture.welcome({kind.name: 0.3})
    before, values = failures(kind.name, "say"), customers(np.random.default_rng(5), 50)
    scorer = Scorer(OURS, model, experts)
    with caplog.at_level(logging.WARNING):
        scores = [judge(scorer, values) for _ in range(3)]
        judge(Scorer(OURS, model, experts), values)  # the next version
    weights = {name: one for name, one in model.mixture.weights.items() if name != kind.name}
    whole = {name: one / sum(weights.values()) for name, one in weights.items()}
    plain = msgspec.structs.replace(model, mixture=msgspec.structs.replace(model.mixture, weights=whole))
    for one in scores:
        assert np.isnan(one.predictions[kind.name]).all()
        assert one.logit == pytest.approx(judge(Scorer(OURS, plain, panel(Tally)), values).logit, abs=1e-9)
    said = [record for record in caplog.records if record.message == "scoring.expert_left_out"]
    assert [record.expert for record in said] == [kind.name]
    assert failures(kind.name, "say") == before + 2  # of each version once
    assert list(experts.troubles) == [kind.name]
    model.mixture.weights.pop(kind.name)


@pytest.mark.parametrize("kind", PUPILS)
def test_one_that_cannot_be_taught_costs_the_others_nothing(kind, caplog):
    with caplog.at_level(logging.WARNING):
        model = grown(panel(kind), 640)
    plain = grown(labels=640)
    assert encode(model) == encode(plain)
    said = [record for record in caplog.records if record.message == "scoring.expert_left_out"]
    assert [record.expert for record in said] == [kind.name]


def test_a_state_that_is_too_large_says_how_large_it_may_be():
    experts = panel(strangers.Vast)
    grown(experts, 320)
    assert experts.troubles["vast"] == (
        "state: its state has 262,145 bytes, and may have 262,144: give it a smaller model"
    )


def test_what_it_knew_before_it_erred_stands():
    class Once(Tally):
        def learn(self, names, features, lost, weight):
            if self.kept:
                raise ValueError("that is enough")
            super().learn(names, features, lost, weight)

    first = grown(panel(Once), 64)
    assert "tally" not in first.guests or first.guests["tally"].labels == 64
    model = with_tally()
    assert grown(panel(Once), 320, model).guests == model.guests


@pytest.mark.parametrize("kind", [strangers.Hanging, strangers.Waiting])
def test_one_that_never_answers_holds_nobody_up_twice(kind):
    """In Python or waiting for something: after its patience it is left out, for as long as the process lives."""
    experts = panel(kind, patience=0.2)
    model = taught(fresh(OURS), _labels(128), OURS, panel=experts)
    began = time.monotonic()
    for _ in range(5):
        values = customers(np.random.default_rng(5), 5)
        judge(Scorer(OURS, model, experts), values)
        model = taught(model, _labels(128), OURS, panel=experts)
    assert time.monotonic() - began < 10.0
    assert "left out until this process is started anew" in experts.troubles[kind.name]


def test_one_that_spins_is_ended():
    experts = panel(strangers.Hanging, patience=0.2)
    model = taught(fresh(OURS), _labels(128), OURS, panel=experts)
    thread = experts._lines["hanging"]._thread
    assert thread in threading.enumerate()
    judge(Scorer(OURS, model, experts), customers(np.random.default_rng(5), 5))
    until = time.monotonic() + 10.0
    while thread.is_alive():
        assert time.monotonic() < until, "it goes on taking the processor"
        time.sleep(0.05)


def test_one_that_does_not_read_what_it_wrote_is_left_out():
    experts = panel(strangers.Stubborn)
    model = grown(experts, 320)
    model = grown(experts, 320, model)
    assert experts.troubles["stubborn"] == "open: RuntimeError: I do not read what I wrote"
    assert model.guests["stubborn"].labels == 320


def test_what_it_is_handed_cannot_be_written_into():
    experts = panel(strangers.Scribbling)
    model = grown(experts, 320)
    values = customers(np.random.default_rng(5), 5)
    scores = judge(Scorer(OURS, model, experts), values)
    assert scores.features.any()
    assert "read-only" in experts.troubles["scribbling"]


def test_one_that_is_silent_is_no_trouble():
    experts = panel(strangers.Silent)
    model = grown(experts, 640)
    assert experts.troubles == {}
    assert model.mixture.weights["silent"] == pytest.approx(0.05)


def test_one_that_behaves_again_is_said_to(caplog):
    class Moody(Tally):
        wrong = True

        def say(self, names, features):
            if self.wrong:
                raise ValueError("not today")
            return super().say(names, features)

    experts, values = panel(Moody), customers(np.random.default_rng(5), 5)
    judge(Scorer(OURS, with_tally(), experts), values)
    assert experts.troubles == {"tally": "say: ValueError: not today"}
    Moody.wrong = False
    with caplog.at_level(logging.INFO):
        judge(Scorer(OURS, with_tally(), experts), values)
    assert experts.troubles == {}
    assert [record.message for record in caplog.records] == ["scoring.expert_left_out", "scoring.expert_heard_again"]


# --- who vouches for what it learned ---------------------------------------------------------------------------------


class Bomb:
    """What unpickling it does shows that it was unpickled."""

    went_off = False

    def __reduce__(self):
        return setattr, (Bomb, "went_off", True)


class Pickled(Tally):
    name = "tally"

    def __init__(self, seed, state=None):
        super().__init__(seed)
        if state is not None:
            pickle.loads(state)  # noqa: S301 - what the test is about


@pytest.mark.parametrize("seal", ["", "nobody:0", None])
def test_nothing_is_unpickled_that_nobody_vouches_for(seal):
    model = with_tally()
    before = model.guests["tally"]
    bomb = msgspec.structs.replace(before, state=pickle.dumps(Bomb()), seal=before.seal if seal is None else seal)
    model = msgspec.structs.replace(model, guests={"tally": bomb})
    experts = panel(Pickled)
    judge(Scorer(OURS, model, experts), customers(np.random.default_rng(5), 5))
    after = taught(model, _labels(128), OURS, panel=experts)
    assert not Bomb.went_off
    assert "signed" in experts.troubles["tally"]
    assert after.guests == model.guests  # a person decides what becomes of it
    pickle.loads(bomb.state)  # noqa: S301 - it would have gone off
    assert Bomb.went_off
    Bomb.went_off = False


@pytest.mark.parametrize("spoil", [lambda state: state[:-1], lambda state: b"", lambda state: state + b" "])
def test_a_state_that_was_cut_off_or_changed_leaves_it_out(spoil):
    guest = with_tally().guests["tally"]
    model = msgspec.structs.replace(
        with_tally(), guests={"tally": msgspec.structs.replace(guest, state=spoil(guest.state))}
    )
    experts = panel(Tally)
    scores = judge(Scorer(OURS, model, experts), customers(np.random.default_rng(5), 5))
    assert np.isnan(scores.predictions["tally"]).all()
    assert "not what was signed" in experts.troubles["tally"]


def test_with_another_key_or_none_it_is_left_out_and_says_what_to_do():
    values = customers(np.random.default_rng(5), 5)
    for key, told in (("z" * 32, "add the old secret behind the new one"), (None, "PULSEHUB_SECRET_KEYS is not set")):
        experts = panel(Tally, key=key)
        scores = judge(Scorer(OURS, with_tally(), experts), values)
        assert np.isnan(scores.predictions["tally"]).all()
        assert np.isfinite(scores.health).all()
        assert told in experts.troubles["tally"]
        assert taught(with_tally(), _labels(128), OURS, panel=experts).guests == with_tally().guests


def test_without_a_key_it_is_not_taught_and_says_so():
    experts = panel(Tally, key=None)
    assert grown(experts, 320).guests == {}
    assert "PULSEHUB_SECRET_KEYS is not set" in experts.troubles["tally"]


def test_nothing_reads_a_pickle_but_the_expert_itself():
    root = Path(__file__).parents[2]
    for room in ("hub", "scoring", "sinks", "plugins"):
        for path in (root / room).rglob("*.py"):
            assert "pickle" not in [
                word for line in path.read_text().splitlines() if "import" in line for word in line.split()
            ], path


def _labels(n):
    chance = np.random.default_rng(n)
    values = customers(chance, n)
    return lessons(Scorer(OURS, None), values, chance.random(n) < 0.3)


def test_where_there_are_segments_too_drivers_sum_and_weights_are_theirs():
    card = {"name": "big", "when": {"plan": "big"}, "dimensions": OURS.model_dump()["scorecard"]["dimensions"]}
    segmented, values = config(cards=[card]), customers(np.random.default_rng(5), 60)
    scorer = Scorer(segmented, with_tally(), panel(Tally))
    nothing, cards = np.full(60, np.nan), np.array([0, -1] * 30, np.int8)
    scores = scorer.score(values, nothing, np.full(60, -1, np.int8), None, cards)
    assert np.abs(scores.base + scores.points.sum(axis=1) - scores.health).max() < 1e-9
    assert np.abs(scores.points[:, scores.names.index("expert:tally")]).max() > 0.1
    assert scores.health == pytest.approx(judge(Scorer(OURS, with_tally(), panel(Tally)), values).health, abs=1e-9)


def test_the_thread_of_a_panel_that_is_gone_ends():
    before = set(threading.enumerate())
    ours = panel(Tally)
    assert ours.call("tally", lambda: 1, 1) == 1
    (thread,) = [one for one in threading.enumerate() if one not in before and one.name == "expert tally"]
    del ours
    gc.collect()
    thread.join(10.0)
    assert not thread.is_alive()
