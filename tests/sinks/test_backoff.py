from __future__ import annotations

import math
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from sinks.backoff import BASE, CAP, LONGEST_ASKED, span, wait


@given(st.integers(1, 10_000), st.integers())
def test_a_wait_lies_between_nothing_and_the_span_of_its_attempt(attempt: int, seed: int) -> None:
    assert 0.0 <= wait(attempt, None, Random(seed)) <= min(CAP, BASE * 2.0 ** min(attempt, 60))


@given(st.integers(1, 10_000))
def test_spans_never_shrink_and_never_pass_the_cap(attempt: int) -> None:
    assert span(attempt) <= span(attempt + 1) <= CAP


def test_waits_are_spread_over_their_whole_span() -> None:
    rng = Random(7)
    waits = [wait(5, None, rng) for _ in range(2_000)]
    assert min(waits) < 0.02 * span(5)
    assert max(waits) > 0.98 * span(5)
    assert abs(sum(waits) / len(waits) - span(5) / 2) < 0.03 * span(5)


@given(st.integers(1, 50), st.floats(0, LONGEST_ASKED))
def test_what_the_destination_asked_for_wins(attempt: int, asked: float) -> None:
    assert wait(attempt, asked, Random(0)) == asked


@given(st.sampled_from([math.nan, math.inf, -math.inf, -1.0]))
def test_a_wish_that_makes_no_sense_is_not_granted(asked: float) -> None:
    assert 0.0 <= wait(1, asked, Random(0)) <= span(1)


def test_a_wish_of_a_year_is_asked_again_tomorrow() -> None:
    assert wait(1, 31_536_000.0, Random(0)) == LONGEST_ASKED
