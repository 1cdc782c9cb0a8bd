import doctest
import importlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.web import words
from hub.web.memo import Memo
from hub.web.trust import trust
from tests.web.companies import SimpleNamespace

DOCUMENTED = ["words", "listen", "forms", "page", "pages.letters", "svg.markup", "happenings"]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_examples_in_docstrings_run(name):
    found = doctest.testmod(importlib.import_module(f"hub.web.{name}"))
    assert found.attempted > 0
    assert found.failed == 0


@given(st.floats())
def test_no_number_is_shown_as_nan_or_infinity(value):
    for told in (words.whole(value), words.signed(value), words.share(value), words.money(value, "EUR", short=True)):
        assert "nan" not in told.lower()
        assert "inf" not in told.lower()


@given(st.floats(0, 4e9), st.floats(0, 4e9))
def test_any_two_times_can_be_told_apart_in_words(then, now):
    assert words.ago(then, now)
    assert words.since(then, now)
    assert words.day(then, now)


def measure(known):
    return SimpleNamespace(value=1.0 if known else None, as_of=1.0 if known else None)


def test_a_scorecard_alone_is_never_trusted_highly():
    assert trust([measure(True)] * 10, 0, 0).word == "medium"
    assert trust([measure(True)] * 10, 3, 0).because.endswith("scorecard alone: no outcome has taught the models yet")
    assert trust([measure(True)] * 10, 3, 500) == ("high", "10 of 10 measures known · models learned from 500 outcomes")


def test_little_known_is_little_trusted():
    assert trust([measure(False)] * 9 + [measure(True)], 3, 500).word == "low"
    assert trust([], 0, 0).word == "low"


def test_an_answer_serves_ten_times_as_long_as_it_took():
    time, asked = [0.0], []

    def answer():
        asked.append(1)
        time[0] += 0.05
        return len(asked)

    memo = Memo(lambda: time[0])
    assert [memo.ask("spread", answer), memo.ask("spread", answer)] == [1, 1]
    time[0] += 0.49
    assert memo.ask("spread", answer) == 1
    time[0] += 0.02
    assert memo.ask("spread", answer) == 2
    assert memo.ask("other", answer) == 3


def test_no_answer_serves_longer_than_a_second_however_dear_it_was():
    time = [0.0]

    def answer():
        time[0] += 5.0
        return time[0]

    memo = Memo(lambda: time[0])
    assert memo.ask("spread", answer) == 5.0
    time[0] += 0.9
    assert memo.ask("spread", answer) == 5.0
    time[0] += 0.2
    assert memo.ask("spread", answer) > 5.0


def test_amounts_without_a_currency_are_bare():
    assert words.money(12.0, None) == "12"
    assert words.money(math.nan, "EUR") == "–"
