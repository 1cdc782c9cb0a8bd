"""`start`: from the command to an installation that answers.

Measured: `pulsehub up` in a process of its own, from its birth until `/readyz` answers 200 (database, its writer and
every stream are up), over an installation of 10,000 accounts and over an empty folder. Wall time, medians; beside it
the processor time used until then, which a busy machine does not stretch.

Left out: a cold disk cache (the files have just been written) and compiling `.pyc` files the very first time.
"""

from __future__ import annotations

from pathlib import Path

from bench.child import UP, Child
from bench.installation import installation
from bench.result import Result, at_most, median, told

ACCOUNTS = 10_000
ROUNDS = 5


def run(accounts: int = ACCOUNTS, rounds: int = ROUNDS) -> list[Result]:
    with installation(accounts) as folder:
        full = [_once(folder) for _ in range(rounds)]
    with installation(0) as folder:
        empty = [_once(folder) for _ in range(rounds)]
    return [
        at_most("start", median([wall for wall, _ in full]), "s", 2.0),
        told("start.cpu", median([cpu for _, cpu in full]), "s"),
        at_most("start.empty", median([wall for wall, _ in empty]), "s", 2.0),
        told("start.empty_cpu", median([cpu for _, cpu in empty]), "s"),
    ]


def _once(folder: Path) -> tuple[float, float]:
    with Child(UP, folder) as child:
        return child.ready(), child.cpu()
