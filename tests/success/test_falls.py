from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import hub
from hub.success.falls import DAY, Rules, Told, decide

NOW = 1_772_359_200.0
RULES = Rules()
NOBODY = Told()
FELL = Told(at=NOW, health=41.0, open=True)


def _health(score: float, band: hub.Band, was: hub.Band | None = "watch", at: float = NOW, **more: Any) -> hub.Health:
    drivers = more.get("drivers", [hub.Driver("x", "3 urgent tickets open", -29.0)])
    return hub.Health(
        account="acc_1",
        at=at,
        health=score,
        band=band,
        risk=0.3,
        base=70.0,
        drivers=drivers,
        was=None if was is None else 55.0,
        was_band=was,
    )


def test_a_fall_is_told() -> None:
    verdict = decide(_health(41, "at_risk"), NOBODY, NOW, RULES)
    assert verdict.kind == "band_fell"
    assert verdict.told == FELL


def test_who_is_at_risk_and_stays_so_is_not_told_again() -> None:
    for score in (39, 20, 3):
        assert decide(_health(score, "at_risk", "at_risk"), FELL, NOW, RULES).kind is None


def test_a_recovery_is_told_to_those_who_were_told_of_the_fall() -> None:
    verdict = decide(_health(60, "watch", "at_risk"), FELL, NOW, RULES)
    assert verdict.kind == "band_recovered"
    assert not verdict.told.open
    assert decide(_health(60, "watch", "at_risk"), NOBODY, NOW, RULES).kind is None


def test_a_second_fall_within_the_quiet_period_is_held_and_told_when_it_ends() -> None:
    recovered = Told(at=NOW, health=41.0)
    held = decide(_health(40, "at_risk", at=NOW + DAY), recovered, NOW + DAY, RULES)
    assert held.kind is None
    later = _health(40, "at_risk", "at_risk", at=NOW + 7 * DAY)
    told = decide(later, held.told, NOW + 7 * DAY, RULES)
    assert (told.kind, told.since) == ("band_fell", NOW + DAY)


def test_a_held_fall_that_recovers_is_never_told() -> None:
    held = Told(at=NOW, health=41.0, held_since=NOW + DAY)
    risen = decide(_health(60, "watch", "at_risk", at=NOW + 2 * DAY), held, NOW + 2 * DAY, RULES)
    assert risen.kind is None
    later = _health(41, "at_risk", "at_risk", at=NOW + 8 * DAY)
    assert decide(later, risen.told, NOW + 8 * DAY, RULES).kind is None


def test_a_much_worse_fall_is_told_within_the_quiet_period() -> None:
    recovered = Told(at=NOW, health=41.0)
    assert decide(_health(31, "at_risk", at=NOW + DAY), recovered, NOW + DAY, RULES).kind == "band_fell"
    assert decide(_health(31.1, "at_risk", at=NOW + DAY), recovered, NOW + DAY, RULES).kind is None


def test_at_first_sight_it_is_told_only_if_something_speaks_for_it() -> None:
    assert decide(_health(41, "at_risk", None), NOBODY, NOW, RULES).kind == "band_fell"
    assert decide(_health(41, "at_risk", None, drivers=[]), NOBODY, NOW, RULES).kind is None


def test_history_is_never_told() -> None:
    verdict = decide(_health(41, "at_risk"), NOBODY, NOW + 3 * DAY, RULES)
    assert verdict.kind is None
    assert verdict.told == NOBODY


def test_a_recovery_in_history_is_remembered_but_not_told() -> None:
    verdict = decide(_health(60, "watch", "at_risk"), FELL, NOW + 3 * DAY, RULES)
    assert verdict.kind is None
    assert not verdict.told.open


_bands: st.SearchStrategy[hub.Band] = st.sampled_from(["thriving", "steady", "watch", "at_risk"])


@given(st.lists(st.tuples(_bands, st.floats(0, 100), st.floats(0, 3 * DAY)), max_size=60))
def test_however_health_moves_people_are_not_flooded_and_what_they_last_heard_is_so(
    moves: list[tuple[hub.Band, float, float]],
) -> None:
    told, was, at = Told(), None, NOW
    falls: list[tuple[float, float]] = []
    heard: list[str] = []
    for band, score, after in moves:
        at += after
        kind, _, told = decide(_health(score, band, was, at=at), told, at, RULES)
        was = band
        if kind:
            heard.append(kind)
        if kind == "band_fell":
            assert band == "at_risk"
            falls.append((at, score))
        assert told.open == (bool(heard) and heard[-1] == "band_fell")
        if band != "at_risk":
            assert not told.open
        elif not told.open:  # held: it was told less than the quiet period ago
            assert told.at is not None
            assert at - told.at < RULES.quiet
    assert all(one != other for one, other in pairwise(heard))
    for (before, high), (later, low) in pairwise(falls):
        assert later - before >= RULES.quiet or low <= high - RULES.worse


def test_who_has_left_is_no_news_and_is_told_of_anew_when_it_comes_back_at_risk() -> None:
    told = Told(at=NOW, health=30.0, open=True)
    gone = decide(_health(12.0, "left", "at_risk"), told, NOW, Rules())
    assert gone.kind is None
    assert not gone.told.open
    back = decide(_health(15.0, "at_risk", "left"), gone.told, NOW, Rules())
    assert back.kind == "band_fell"
