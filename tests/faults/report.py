"""How far it is, and what came of it: lines for a terminal, a table for docs/reliability.md.

`python -m tests.faults.report .servers/faults-*.json` prints the table.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from tests.faults.rounds import Row

REPOSITORY = Path(__file__).parents[2]
EVERY = 30.0  # seconds between lines of progress where nobody watches
HEAD = (
    f"{'fault':<34} {'strikes':>7} {'events':>7} {'ack.':>7} {'deaths':>6} {'recovery, s':>12} {'moved, s':>12}"
    f" {'late':>4} {'mail×2':>6} {'took':>6}  result"
)
TABLE = """\
| fault | strikes | events | deaths | recovery, s | moved, s | older shown | mailed twice | result |
|---|---|---|---|---|---|---|---|---|"""


def begin(engine: str, seed: int) -> dict[str, object]:
    """What a result is of."""
    return {
        "engine": engine,
        "seed": seed,
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": os.environ.get("FAULTS_COMMIT") or _commit(),
        "cores": os.cpu_count(),
    }


class Progress:
    """One line that changes; where nobody watches, one now and then."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._watched = sys.stderr.isatty()
        self._said = time.monotonic()

    def __call__(self, how: str) -> None:
        if self._watched:
            print(f"\r\x1b[K{self._name}: {how}"[:160], end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self._said > EVERY:
            self._said = time.monotonic()
            print(f"{self._name}: {how}", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._watched:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def line(row: Row) -> str:
    """A line of the table, for a terminal."""
    return (
        f"{row.fault:<34} {row.strikes:>7} {row.events:>7} {row.acknowledged:>7} {row.deaths:>6}"
        f" {summary(row.recovered):>12} {summary(row.moved):>12} {row.late:>4} {row.mailed_again:>6} {row.took:>6.0f}"
        f"  {_result(row)}"
    )


def table(rows: Sequence[Row]) -> str:
    """The same as Markdown, with sums."""
    lines = [
        f"| {row.fault} | {row.strikes} | {row.events:,} | {row.deaths} | {summary(row.recovered)}"
        f" | {summary(row.moved)} | {row.late} | {row.mailed_again} | {_result(row)} |"
        for row in rows
    ]
    wrong = sum(bool(row.wrong) for row in rows)
    sums = (
        f"| **{len(rows)} faults** | {sum(row.strikes for row in rows)} | {sum(row.events for row in rows):,}"
        f" | {sum(row.deaths for row in rows)} | {summary([s for row in rows for s in row.recovered])}"
        f" | {summary([s for row in rows for s in row.moved])} | {sum(row.late for row in rows)}"
        f" | {sum(row.mailed_again for row in rows)} | {f'{wrong} wrong' if wrong else 'all hold'} |"
    )
    return "\n".join([TABLE, *lines, sums])


def summary(numbers: Sequence[float]) -> str:
    """Median and largest, in seconds."""
    return f"{median(numbers):.1f} / {max(numbers):.1f}" if numbers else "–"


def _result(row: Row) -> str:
    return f"{len(row.wrong)} violation{'s' * (len(row.wrong) > 1)}" if row.wrong else "holds"


def _commit() -> str:
    asked = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(asked, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def main() -> None:
    for name in sys.argv[1:]:
        found = json.loads(Path(name).read_text())
        rows = [Row(**row) for row in found["rows"]]
        print(f"{found['engine']}: begun {found['begun']}, commit {found['commit']}, seed {found['seed']}\n")
        print(table(rows), end="\n\n")


if __name__ == "__main__":
    main()
