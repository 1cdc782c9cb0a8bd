"""`python -m bench [NAME ...] [--json]`: every bench of one process, or those that are named."""

from __future__ import annotations

import argparse
import inspect
import json
import logging
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final

from bench.result import Result

NAMES: Final = ("path", "ingest", "latency", "start", "memory", "pages", "sentiment", "learning")


ASKED: Final = ("peers", "scale", "webhook", "evaluate")
"""Only when they are named: `peers` and `scale` start servers and take long; `peers` installs what others made."""
_WIDEST: Final = 40  # letters of a unit; what is longer is a sentence
Measure = Callable[..., list[Result]]


def measured(name: str, **options: int | str) -> list[Result]:
    """What the bench of this name finds; its module is imported when it is asked for.

    Of `options` (`events`, `accounts`, `rounds`, `broker`, `database`) it gets those it knows.
    """
    run = import_module(f"bench.{name}").run
    known = inspect.signature(run).parameters
    found: list[Result] = run(**{option: value for option, value in options.items() if option in known})
    return found


def main(words: Sequence[str] | None = None, measure: Measure = measured) -> int:
    """Run and print; 0 whether or not the goals hold: a bench tells, it does not judge."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(NAMES)} (all of these unless named), {', '.join(ASKED)}",
    )
    parser.add_argument("--json", action="store_true", help="one JSON list on standard output, and nothing else there")
    parser.add_argument("--events", type=int, help="how many, of a bench that counts them")
    parser.add_argument("--accounts", type=int, help="how many")
    parser.add_argument("--repeat", type=int, dest="rounds", help="rounds, of a bench that tells the median of some")
    parser.add_argument("--broker", help="URL of an engine's stream, of a bench that runs on any")
    parser.add_argument("--database", help="URL of its database")
    asked = parser.parse_args(words)
    if unknown := [name for name in asked.names if name not in (*NAMES, *ASKED)]:
        parser.error(f"there is no bench {unknown[0]}; there are {', '.join((*NAMES, *ASKED))}")
    names = ("events", "accounts", "rounds", "broker", "database")
    options = {name: value for name in names if (value := getattr(asked, name)) is not None}
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    results: list[Result] = []
    for name in asked.names or NAMES:
        began = time.monotonic()
        print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
        results += measure(name, **options)
        print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    if asked.json:
        print(json.dumps([result._asdict() for result in results], indent=2))
    else:
        print(table(results))
    return 0


def table(results: list[Result]) -> str:
    """For people."""
    rows = [("", "", "", "goal", "")]
    rows += [(r.name, f"{r.value:,}", r.unit, r.goal, _mark(r)) for r in results]
    wide = [max(len(row[place]) for row in rows if len(row[place]) <= _WIDEST) for place in range(4)]
    return "\n".join(
        f"{name:<{wide[0]}}  {value:>{wide[1]}}  {unit:<{wide[2]}}  {goal:<{wide[3]}}  {mark}".rstrip()
        for name, value, unit, goal, mark in rows
    )


def _mark(result: Result) -> str:
    return "" if not result.goal else "holds" if result.holds else "DOES NOT HOLD"


if __name__ == "__main__":
    sys.exit(main())
