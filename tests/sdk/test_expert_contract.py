"""The kit is a judge of experts too: a good one passes, each way of being a bad one is caught."""

import json
import math
import random
import time

import numpy as np
import pytest

from hub.testing import ExpertContract
from tests.scoring.strangers import Tally


class Plain:
    """A logistic regression by gradient steps, by name, with its numbers in JSON."""

    name = "plain"

    def __init__(self, seed, state=None):
        self.level, self.weights = (0.0, {}) if state is None else json.loads(state)

    def learn(self, names, features, lost, weight):
        for row, end in zip(self._clean(features), lost.tolist(), strict=True):
            step = 0.05 * weight * (end - 1 / (1 + math.exp(-self._odds(names, row))))
            self.level += step
            for name, value in zip(names, row, strict=True):
                self.weights[name] = self.weights.get(name, 0.0) + step * value

    def say(self, names, features):
        return [self._odds(names, row) for row in self._clean(features)]

    def state(self):
        return json.dumps([self.level, self.weights]).encode()

    def _clean(self, features):
        return np.clip(np.where(np.isfinite(features), features, 0.0), -4.0, 4.0).tolist()

    def _odds(self, names, row):
        said = self.level + math.fsum(
            self.weights.get(name, 0.0) * value for name, value in zip(names, row, strict=True)
        )
        return min(7.0, max(-7.0, said))


class TestPlain(ExpertContract):
    expert = Plain


class Chancy(Plain):
    """Says what it likes."""

    def say(self, names, features):
        return [one + random.random() for one in super().say(names, features)]


class Forgetful(Plain):
    def state(self):
        return json.dumps([self.level, {}]).encode()


class Textual(Plain):
    def state(self):
        return super().state().decode()


class Curious(Plain):
    """Learns from being asked."""

    def say(self, names, features):
        self.level += 0.01 * len(features)
        return super().say(names, features)


class Crowded(Plain):
    """Judges a customer by who else is asked about."""

    def say(self, names, features):
        said = np.array(super().say(names, features))
        return said - said.mean() if len(said) else said


class Positional(Plain):
    def _odds(self, names, row):
        return super()._odds([f"c{place}" for place in range(len(row))], row)

    def learn(self, names, features, lost, weight):
        super().learn([f"c{place}" for place in range(len(names))], features, lost, weight)


class Rigid(Plain):
    """Wants the columns that it has seen first."""

    def learn(self, names, features, lost, weight):
        assert not self.weights or set(names) == set(self.weights)
        super().learn(names, features, lost, weight)


class Averaging(Plain):
    """Divides by how many there are."""

    def learn(self, names, features, lost, weight):
        self.level += 0.0 * float(lost.sum()) / len(lost)
        super().learn(names, features, lost, weight)
        assert len(lost)


class Poisoned(Plain):
    def _clean(self, features):
        return np.nan_to_num(features, nan=math.nan, posinf=math.nan, neginf=math.nan).tolist()

    def _odds(self, names, row):
        said = self.level + sum(self.weights.get(name, 0.0) * value for name, value in zip(names, row, strict=True))
        return said if math.isnan(said) else min(7.0, max(-7.0, said))


class Boundless(Plain):
    def _odds(self, names, row):
        said = super()._odds(names, row)
        return math.inf if said > 1.0 else said


class Scribbling(Plain):
    def learn(self, names, features, lost, weight):
        features *= 1.0
        super().learn(names, features, lost, weight)


class Hoarding(Plain):
    """Keeps every label."""

    def __init__(self, seed, state=None):
        super().__init__(seed, None)
        self.seen = [] if state is None else json.loads(state)

    def learn(self, names, features, lost, weight):
        super().learn(names, features, lost, weight)
        self.seen += np.nan_to_num(features).tolist()

    def state(self):
        return json.dumps(self.seen).encode()


class Slow(Plain):
    def say(self, names, features):
        until = time.process_time() + 0.002 * len(features)
        while time.process_time() < until:
            pass
        return super().say(names, features)


class Dull(Plain):
    """Says the same of everybody."""

    def say(self, names, features):
        return [0.0] * len(features)


class Loud(Plain):
    name = "Acme Expert!"


class Terse(Plain):
    def say(self, names, features):
        return super().say(names, features)[:1]


@pytest.mark.parametrize(
    ("bad", "test"),
    [
        (Chancy, "test_the_same_seed_and_labels_come_to_the_same"),
        (Forgetful, "test_it_goes_on_from_its_state_as_if_it_had_never_stopped"),
        (Textual, "test_it_goes_on_from_its_state_as_if_it_had_never_stopped"),
        (Curious, "test_to_be_asked_changes_nothing"),
        (Crowded, "test_one_by_one_or_together_customers_are_judged_the_same"),
        (Positional, "test_columns_go_by_their_names"),
        (Rigid, "test_measures_it_never_saw_and_measures_that_are_gone_stop_nothing"),
        (Averaging, "test_nobody_is_no_trouble"),
        (Scribbling, "test_it_writes_into_nothing_that_it_is_handed"),
        (Hoarding, "test_its_state_stays_small_whatever_it_is_taught"),
        (Slow, "test_it_keeps_nobody_waiting"),
        (Dull, "test_it_learns_what_is_plain_to_see"),
        (Loud, "test_its_name_can_be_weighed_and_judged"),
        (Terse, "test_before_any_label_it_answers_or_is_silent"),
        (Boundless, "test_it_learns_what_is_plain_to_see"),
    ],
)
def test_an_expert_that_breaks_a_promise_is_caught(bad, test):
    with pytest.raises((AssertionError, ValueError, ZeroDivisionError)):
        getattr(_judge(bad), test)()


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_one_that_a_single_column_poisons_is_caught(wrong):
    with pytest.raises(AssertionError, match="silent on everybody"):
        _judge(Poisoned).test_absurd_and_constant_columns_poison_nothing(wrong)


def test_one_that_falls_over_where_all_end_alike_is_caught():
    class Even(Plain):
        def learn(self, names, features, lost, weight):
            assert 0 < lost.sum() < len(lost)

    with pytest.raises(AssertionError):
        _judge(Even).test_where_all_end_alike_it_stays_sane(True)


def test_one_that_learns_little_passes_if_it_says_so():
    class Modest(ExpertContract):
        expert = Tally
        skill = 0.45

    Modest().test_it_learns_what_is_plain_to_see()


def _judge(bad):
    contract = ExpertContract()
    contract.expert = bad
    return contract
