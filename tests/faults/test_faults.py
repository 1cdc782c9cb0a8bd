"""A short part of the fault harness; `make faults` is the long one, and docs/reliability.md has what it found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import history
from tests.faults.check import places_of
from tests.faults.history import Move

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
@pytest.mark.skipif(not os.environ.get("PULSEHUB_TEST_BROKER"), reason="no Kafka: make servers starts one")
def test_a_company_that_is_broken_again_and_again_loses_nothing():
    short("large")


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


def test_a_partition_that_goes_back_is_seen():
    (said,) = history.wrong([move("a", 0, 5, 1, 1), move("a", 5, 4, 1, 1)])
    assert "went back from 5 to 4" in said


def test_an_older_value_after_a_newer_one_is_seen_and_one_that_comes_again_is_not():
    first, second, third = {"n": 1}, {"n": 2}, {"n": 3}
    assert places_of([first, second, first, third], [first, second, first, third]) == [0, 1, 2, 3]
    assert places_of([first, second, third], [second, first, third]) == [1, 0, 2]
