"""How well sentences are read that were labelled by hand; docs/sentiment.md says what these figures are worth."""

from __future__ import annotations

from collections import Counter

import pytest

from scoring.sentiment.intent import INTENTS
from scoring.sentiment.lexicon import LANGUAGES
from scoring.sentiment.reading import read
from tests.sentiment.figures import PAGE, PARTS, figure, sentences, table, wilson

ALL = [one for part in PARTS for one in sentences(part)]


def test_there_are_enough_sentences_of_every_language_and_kind():
    labelled = [one for part in ("development", "held out") for one in sentences(part)]
    assert len(labelled) >= 240
    assert min(Counter(one.language for one in labelled).values()) >= 35
    assert {one.language for one in labelled} == set(LANGUAGES)
    assert min(Counter(one.tag for one in labelled).values()) >= 24
    assert {one.intent for one in ALL} == set(INTENTS)
    assert {one.polarity for one in ALL} == {"negative", "neutral", "positive"}
    assert {one.tag for one in ALL} == {"plain", "negation", "sarcasm", "politeness", "mixed"}


def test_no_sentence_is_in_two_parts():
    assert len({one.text for one in ALL}) == len(ALL)


@pytest.mark.parametrize("part", ["development", "held out"])
def test_nine_of_ten_are_read_right(part):
    found = figure(sentences(part))
    assert found.language >= 0.97 * found.count
    assert found.intent >= 0.9 * found.count
    assert found.polarity >= 0.9 * found.count


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_language_is_left_behind(language):
    found = figure([one for one in sentences("held out") if one.language == language])
    assert found.polarity >= 0.8 * found.count


def test_of_messages_nobody_tuned_on_three_of_five_are_read_right():
    found = figure(sentences("unseen"))
    assert found.language == found.count
    assert found.polarity >= 0.6 * found.count
    assert found.intent >= 0.55 * found.count
    assert found.wrong_side <= 0.15 * found.count


def test_whoever_says_how_he_feels_without_a_word_of_feeling_is_not_heard_but_it_is_not_held_to_be_sure():
    found, surely = figure(sentences("blind")), figure(sentences("blind"), sure=0.5)
    assert found.language == found.count
    assert found.polarity >= 0.3 * found.count
    assert surely.wrong_side <= 0.05 * found.count


def test_the_surer_the_righter():
    those = [one for part in ("held out", "unseen", "blind") for one in sentences(part)]
    right = []
    for low, high in ((0.0, 0.35), (0.35, 0.5), (0.5, 1.01)):
        some = [one for one in those if low <= read(one.text).confidence < high]
        right.append(figure(some).polarity / len(some))
    assert right == sorted(right)
    assert right[-1] >= 0.85


def test_the_page_tells_what_is_measured():
    assert table() in PAGE.read_text(encoding="utf-8")


def test_an_interval_holds_the_share_and_narrows():
    low, high = wilson(9, 10)
    assert (round(low, 3), round(high, 3)) == (0.596, 0.982)
    assert wilson(900, 1000)[0] > low
