"""What every expert promises, as a test class to inherit."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final

import numpy as np
import pytest

from hub.sdk.experts import MOST_STATE, Expert

MEASURES: Final = ("logins", "silence", "tickets", "mrr", "nps")
PORTION: Final = 64
UNKNOWN: Final = 0.1
MOST_TIME: Final = 0.001
"""Processor seconds for a label, and for a customer."""
Floats = np.ndarray[Any, np.dtype[np.float64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]


class ExpertContract:
    """The promises every expert keeps.

    >>> class TestForest(ExpertContract):  # doctest: +SKIP
    ...     expert = Forest

    Attributes:
        expert: its class.
        labels: how many it takes to learn what is plain to see.
        skill: the AUC that it must reach by then, in a world in which whoever is silent leaves.
    """

    expert: ClassVar[type[Expert]]
    labels: ClassVar[int] = 1_000
    skill: ClassVar[float] = 0.7

    # --- what it is ----------------------------------------------------------------------------------------------

    def test_its_name_can_be_weighed_and_judged(self) -> None:
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,39}", self.expert.name)

    def test_before_any_label_it_answers_or_is_silent(self) -> None:
        names, features, _ = world(50)
        self.answer(self.expert(1), names, features)

    def test_it_learns_what_is_plain_to_see(self) -> None:
        one, (names, features, lost) = self.taught(self.labels), world(1_000, seed=9)
        said = self.answer(one, names, features)
        known = ~np.isnan(said)
        assert known.any(), "it is silent on everybody"
        found = auc(said[known], lost[known])
        assert found >= self.skill, f"AUC {found:.2f} after {self.labels} labels, of {self.skill}"

    # --- the same again ------------------------------------------------------------------------------------------

    def test_the_same_seed_and_labels_come_to_the_same(self) -> None:
        names, features, _ = world(50, seed=3)
        first, second = (self.answer(self.taught(256), names, features) for _ in range(2))
        np.testing.assert_array_equal(first, second)

    def test_it_goes_on_from_its_state_as_if_it_had_never_stopped(self) -> None:
        names, features, _ = world(50, seed=3)
        stayed = self.taught(0)
        travelled = self.taught(0)
        for portion in portions(640):
            stayed.learn(*portion, 1.0)
            travelled.learn(*portion, 1.0)
            state = travelled.state()
            assert isinstance(state, bytes), f"state() gave {type(state).__name__}"
            travelled = self.expert(1, state)
        found = self.answer(travelled, names, features)
        np.testing.assert_allclose(found, self.answer(stayed, names, features), rtol=1e-9, atol=1e-9)

    def test_to_be_asked_changes_nothing(self) -> None:
        names, features, _ = world(200, seed=3)
        asked, left_alone = self.taught(256), self.taught(256)
        for _ in range(3):
            self.answer(asked, names, features)
        for portion in portions(128, seed=5):
            asked.learn(*portion, 1.0)
            left_alone.learn(*portion, 1.0)
        np.testing.assert_array_equal(self.answer(asked, names, features), self.answer(left_alone, names, features))

    def test_one_by_one_or_together_customers_are_judged_the_same(self) -> None:
        one, (names, features, _) = self.taught(256), world(20, seed=3)
        alone = [self.answer(one, names, features[[place]])[0] for place in range(20)]
        np.testing.assert_allclose(self.answer(one, names, features), alone, rtol=1e-9, atol=1e-9)

    # --- measures come and go ------------------------------------------------------------------------------------

    def test_columns_go_by_their_names(self) -> None:
        one, (names, features, _) = self.taught(256), world(50, seed=3)
        turned = [len(names) - 1 - place for place in range(len(names))]
        found = self.answer(one, [names[place] for place in turned], features[:, turned])
        np.testing.assert_allclose(found, self.answer(one, names, features), rtol=1e-9, atol=1e-9)

    def test_measures_it_never_saw_and_measures_that_are_gone_stop_nothing(self) -> None:
        one = self.taught(256)
        for measures in (("brand_new", *MEASURES), MEASURES[1:], ("only", "new", "ones"), ()):
            names, features, lost = world(100, seed=3, measures=measures)
            self.answer(one, names, features)
            one.learn(names, features, lost, 1.0)
            self.answer(one, names, features)

    # --- bad input -----------------------------------------------------------------------------------------------

    def test_nobody_is_no_trouble(self) -> None:
        for one in (self.expert(1), self.taught(128)):
            names, features, lost = world(0)
            one.learn(names, features, lost, 1.0)
            assert self.answer(one, names, features).shape == (0,)

    @pytest.mark.parametrize("ends", [True, False])
    def test_where_all_end_alike_it_stays_sane(self, ends: bool) -> None:  # noqa: FBT001 - a parameter of the test
        one, (names, features, lost) = self.expert(1), world(640)
        for start in range(0, 640, PORTION):
            some = slice(start, start + PORTION)
            one.learn(names, features[some], np.full_like(lost[some], ends), 1.0)
        self.answer(one, names, features)

    @pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, 60.0, -60.0, 0.0])
    def test_absurd_and_constant_columns_poison_nothing(self, wrong: float) -> None:
        one, (names, features, lost) = self.taught(256), world(PORTION, seed=4)
        spoilt = features.copy()
        spoilt[:, 0] = wrong
        one.learn(names, spoilt, lost, 1.0)
        self.answer(one, names, spoilt)
        said = self.answer(one, names, features)
        assert not np.isnan(said).all(), "since then it is silent on everybody"

    def test_it_writes_into_nothing_that_it_is_handed(self) -> None:
        names, features, lost = world(PORTION)
        features.flags.writeable = lost.flags.writeable = False
        one = self.expert(1)
        one.learn(names, features, lost, 0.1)
        one.say(names, features)

    # --- its bounds ----------------------------------------------------------------------------------------------

    def test_its_state_stays_small_whatever_it_is_taught(self) -> None:
        """Sixty measures, three thousand labels, and every so often a new measure."""
        one, kept = self.expert(1), tuple(f"measure_{place}" for place in range(60))
        for number in range(0, 3_000, 150):
            names, features, lost = world(150, seed=number, measures=(*kept, f"new_{number}"))
            for start in range(0, 150, PORTION):
                some = slice(start, start + PORTION)
                one.learn(names, features[some], lost[some], 0.2)
        size = len(one.state())
        assert size <= MOST_STATE, f"{size:,} bytes, of {MOST_STATE:,}"

    def test_it_keeps_nobody_waiting(self) -> None:
        one, (names, features, lost) = self.taught(PORTION), world(1_000, seed=6, measures=MEASURES * 6)
        began = time.process_time()
        for start in range(0, 1_000, PORTION):
            some = slice(start, start + PORTION)
            one.learn(names, features[some], lost[some], 1.0)
        learned = time.process_time()
        one.say(names, features)
        said = time.process_time()
        assert (learned - began) / 1_000 < MOST_TIME, f"{(learned - began) * 1_000:.0f} µs a label"
        assert (said - learned) / 1_000 < MOST_TIME, f"{(said - learned) * 1_000:.0f} µs a customer"

    # --- what the tests stand on ---------------------------------------------------------------------------------

    def taught(self, labels: int) -> Expert:
        """One that has learned so many labels of a world in which the silent leave."""
        one = self.expert(1)
        for portion in portions(labels):
            one.learn(*portion, 1.0)
        return one

    def answer(self, one: Expert, names: Sequence[str], features: Floats) -> Floats:
        """What it says of these customers, which must be a number each, or silence."""
        said = np.asarray(one.say(names, features), np.float64)
        assert said.shape == (len(features),), f"{said.shape} numbers for {len(features)} customers"
        assert not np.isinf(said).any(), "infinite log odds"
        return said


def world(n: int, seed: int = 0, measures: Sequence[str] = MEASURES) -> tuple[tuple[str, ...], Floats, Mask]:
    """Customers of a world in which the silent leave (the second measure): names, features, whether they were lost."""
    chance = np.random.default_rng(seed)
    values = chance.gamma(2.0, 0.7, (n, len(measures)))
    unknown = chance.random(values.shape) < UNKNOWN
    signal = (
        3.0 * (np.where(unknown, 1.4, values)[:, min(1, len(measures) - 1)] - 1.4) if len(measures) else np.zeros(n)
    )
    lost = chance.random(n) < 1.0 / (1.0 + np.exp(0.8 - signal))
    features = np.concatenate([np.where(unknown, 0.0, values), unknown], axis=1).astype(np.float64)
    return (*measures, *(f"{name}?" for name in measures)), features, lost


def portions(labels: int, seed: int = 0) -> Iterator[tuple[tuple[str, ...], Floats, Mask]]:
    """Labels of that world as the learner hands them over."""
    names, features, lost = world(labels, seed)
    for start in range(0, labels, PORTION):
        yield names, features[start : start + PORTION], lost[start : start + PORTION]


def auc(said: Floats, lost: Mask) -> float:
    """How often one who left was given more risk than one who stayed; ties count half."""
    above = said[lost][:, None] - said[~lost][None, :]
    return float((above > 0).mean() + (above == 0).mean() / 2.0)
