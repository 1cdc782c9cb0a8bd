"""A short part of the fault harness; `make faults` is the long one, and docs/reliability.md has what it found."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import history, report
from tests.faults.check import places_of
from tests.faults.faults import Fault, Several
from tests.faults.history import Move
from tests.faults.rounds import Row

REPOSITORY = Path(__file__).parents[2]


def short(engine):
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--short", "--engine", engine, "--seed", "20"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no of 1 wrong" in done.stdout


@pytest.mark.slow
def test_an_embedded_company_that_is_killed_again_and_again_loses_nothing():
    short("embedded")


def move(who, was, to, was_epoch, epoch):
    return Move(0.0, who, "room", "events", 0, was, to, was_epoch, epoch)


def test_a_history_in_which_each_epoch_is_of_one_process_is_right():
    assert not [*history.wrong([move("a", 0, 0, 0, 1), move("a", 0, 5, 1, 1), move("b", 5, 5, 1, 2)])]


def test_a_partition_applied_by_two_is_seen():
    (said,) = history.wrong([move("a", 0, 0, 0, 1), move("b", 0, 5, 1, 1)])
    assert "epoch 1 of a was used by b" in said


def test_a_claim_that_comes_back_after_another_is_seen():
    first, second = move("a", 0, 0, 0, 9), move("b", 0, 0, 9, 4)
    assert not [*history.wrong([first, second])]
    assert [*history.wrong([first, second, move("a", 0, 0, 4, 9)])]


def test_a_partition_that_goes_back_is_seen():
    (said,) = history.wrong([move("a", 0, 5, 1, 1), move("a", 5, 4, 1, 1)])
    assert "went back from 5 to 4" in said


def test_an_older_value_after_a_newer_one_is_seen_and_one_that_comes_again_is_not():
    first, second, third = {"n": 1}, {"n": 2}, {"n": 3}
    assert places_of([first, second, first, third], [first, second, first, third]) == [0, 1, 2, 3]
    assert places_of([first, second, third], [second, first, third]) == [1, 0, 2]


def test_a_value_that_a_health_never_was_is_seen():
    assert places_of([{"n": 1}, {"n": 2}], [{"n": 1}, {"n": 7}, {"n": 2}]) == [0, -1, 1]


def test_the_table_adds_up_and_says_what_does_not_hold():
    rows = [
        Row("one", 1, strikes=2, events=1_500, deaths=4, recovered=[1.0, 3.0]),
        Row("other", 1, strikes=1, events=500, recovered=[2.0], late=1, wrong=["lost"]),
    ]
    *_, second, sums = report.table(rows).splitlines()
    assert second == "| other | 1 | 500 | 0 | 2.0 / 2.0 | – | 1 | 0 | 1 violation |"
    assert sums == "| **2 faults** | 3 | 2,000 | 4 | 2.0 / 3.0 | – | 1 | 0 | 1 wrong |"


def test_faults_that_are_mixed_come_each_once_before_any_comes_again():
    class Said(Fault):
        def strike(self, company, servers, chance):
            return str(self.name)

    one, two, three = Said(), Said(), Said()
    one.name, two.name, three.name = "1", "2", "3"
    mixed, chance = Several("mixture", [one, two, three], shuffled=True), random.Random(1)
    done = [mixed.strike(None, None, chance) for _ in range(6)]
    assert sorted(done[:3]) == sorted(done[3:]) == ["1", "2", "3"]
