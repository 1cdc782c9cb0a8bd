"""What ratings teach, by River's own estimators, and what reading makes of it without River."""

from __future__ import annotations

import math
import random
import subprocess
import sys

import numpy as np
import pytest
from river import datasets
from river.checks import clf, common

from scoring.sentiment.grams import SPACE, places
from scoring.sentiment.learned import BOUND, LEAST, MOST, Learned, State, decode, encode, packed, unpacked
from scoring.sentiment.reading import read
from scoring.sentiment.said import said
from scoring.sentiment.teaching import HEARD, SCALE, Teacher, heard, pipeline, regression
from scoring.sentiment.tokens import tokens
from tests.sentiment.figures import sentences

SIDE = {"positive": True, "negative": False}
GOOD = ("pukka", "the flange purrs", "mighty fine widget", "sorted innit", "a right belter")
BAD = ("pants", "the flange grinds", "widget went pear shaped", "proper naff", "a right shambles")


def slang(count, seed=0):
    """Ratings in words that no lexicon has."""
    chance = random.Random(seed)
    for _ in range(count):
        positive = chance.random() < 0.5
        yield f"{chance.choice(GOOD if positive else BAD)} said ticket {chance.randrange(90)}", positive


def taught(labels, state=None):
    teacher = Teacher(state or State())
    for text, positive in labels:
        teacher.learn(text, positive=positive, at=1.0)
    return teacher.state()


def test_a_new_installation_reads_by_the_words_alone():
    text = "Nobody answers and the export is broken."
    assert read(text, Learned(State())) == read(text)
    assert pipeline().predict_proba_one(said("nothing of any kind"))[True] == 0.5


WHATEVER_IT_READS = (
    common.check_repr,
    common.check_str,
    common.check_tags,
    common.check_clone_same_class,
    common.check_clone_is_idempotent,
    common.check_clone_changes_memory_addresses,
    common.check_mutate_can_be_idempotent,
)
ON_DATA = (common.check_learn_one, common.check_pickling, common.check_predict_one_pure, clf.check_predict_proba_one)


@pytest.mark.parametrize(
    ("estimator", "data"),
    [(regression, list(datasets.Phishing().take(200))), (pipeline, list(slang(100)))],
    ids=["regression", "pipeline"],
)
def test_what_river_checks_of_its_own_estimators_holds_for_ours(estimator, data):
    for check in WHATEVER_IT_READS:
        check(estimator())
    for check in ON_DATA:
        check(estimator(), data)


def test_reading_without_river_is_river_to_the_last_digits():
    teacher = Teacher(State())
    for text, positive in slang(300):
        teacher.learn(text, positive=positive)
    state = teacher.state()
    learned, counts = Learned(state), state.labels / (state.labels + 50.0)
    for text in ("pukka, the best", "naff and broken", "never heard of it", "écran cassé"):
        alone = heard(said(text))[HEARD] / SCALE
        logit, _ = learned.logit(tokens(said(text)), alone)
        whole = alone * state.share + (logit - alone * state.share) / counts  # without a young state's caution
        assert 1.0 / (1.0 + math.exp(-whole)) == pytest.approx(teacher.predict(text), abs=1e-9)


def test_labels_teach_words_that_nobody_wrote_down():
    state = taught(slang(400))
    learned = Learned(state)
    assert read("the flange purrs").polarity == read("the flange grinds").polarity == 0.0
    assert read("the flange purrs", learned).polarity > 0.25
    assert read("the flange grinds", learned).polarity < -0.25
    right = sum((read(text, learned).polarity > 0) == positive for text, positive in slang(200, seed=1))
    assert right >= 190


def test_labels_teach_a_language_that_nobody_wrote_down():
    said_so = [("wszystko działa świetnie, polecam", True), ("nic nie działa, fatalna obsługa", False)] * 60
    learned = Learned(taught(said_so))
    assert read("działa świetnie", learned).polarity > 0.1
    assert read("fatalna obsługa", learned).polarity < -0.1


def test_few_labels_move_little_and_many_much():
    text = "the flange grinds"
    few, many = (Learned(taught(list(slang(400))[:count])) for count in (10, 400))
    assert abs(read(text, few).polarity) < 0.1
    assert abs(read(text, many).polarity) > 0.25


def test_the_same_labels_teach_the_same_however_they_are_cut_and_wherever_one_restarts():
    labels = list(slang(200))
    whole, state = taught(labels), State()
    for cut in (1, 7, 50, 142):
        state, labels = decode(encode(taught(labels[:cut], state))), labels[cut:]
    assert encode(state) == encode(whole)


def test_another_process_hashes_and_learns_the_same():
    code = (
        "from tests.sentiment.test_teaching import *; import hashlib;"
        "print(hashlib.sha256(encode(taught(slang(50))).encode()).hexdigest())"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True, text=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1


def test_memory_is_bounded_whatever_is_learned():
    chance = random.Random(0)
    words = ["".join(chance.choices("abcdefghijklmnop", k=8)) for _ in range(30_000)]
    teacher = Teacher(State())
    for at in range(0, 3_000, 10):
        teacher.learn(" ".join(words[at : at + 10]), positive=bool(at % 20))
    state = teacher.state()
    assert len(teacher._model.weights) <= SPACE + 1
    assert len(encode(state)) < 50_000
    assert len(unpacked(state)) == SPACE


def test_weights_stay_within_their_bounds():
    teacher = Teacher(State())
    for _ in range(3_000):
        teacher.learn("broken rubbish", positive=True)  # whoever rates so
    state = teacher.state()
    assert abs(unpacked(state)).max() <= BOUND
    assert LEAST <= state.share <= MOST


def test_a_text_without_words_and_a_rating_of_nothing_teach_nothing():
    assert taught([("", True), ("\x00 <p></p>", False), ("!!!", True)]) == State()


def test_what_was_learned_of_sentences_does_not_cost_what_the_words_knew():
    labels = [(one.text, SIDE[one.polarity]) for one in sentences("development") if one.polarity in SIDE]
    learned = Learned(taught(labels * 3))
    held = [one for one in sentences("held out") if one.polarity in SIDE]
    before, after = (
        sum((read(one.text, state).polarity > 0) == SIDE[one.polarity] for one in held) for state in (None, learned)
    )
    assert after >= before - 2


def test_a_state_that_cannot_be_is_refused_and_one_of_another_format_begun_anew():
    with pytest.raises(ValueError, match="not finite"):
        decode(encode(State(weights=packed(np.full(SPACE, np.nan)))))
    with pytest.raises(ValueError, match="7 weights"):
        decode(encode(State(weights=packed(np.ones(7)))))
    assert decode('{"format":99,"labels":7.0}') == State()


def test_places_are_few_and_the_same_for_the_same_words():
    found = places(tokens("The export is broken."))
    assert found.tolist() == sorted(set(found.tolist()))
    assert 0 <= found.min() <= found.max() < SPACE
    assert places(tokens("THE EXPORT, is: broken")).tolist() == found.tolist()
    assert len(places([])) <= 1
