"""Sixty kills of a worker under load; `python -m tests.kills --kills 300` does more of them."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.slow
def test_sixty_kills_lose_nothing_and_count_nothing_twice():
    done = subprocess.run(
        [sys.executable, "-m", "tests.kills", "--kills", "60", "--seed", "20"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "60 kills" in done.stdout
