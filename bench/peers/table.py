"""All rows of bench `peers`: who runs, in which order, and what is told of them."""

from __future__ import annotations

import os
import platform
import sys
from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

import psycopg

from bench import webhook
from bench.peers import engines, latency, ours, venv
from bench.peers.backlog import Backlog, backlog, fill, make
from bench.peers.check import Expected
from bench.peers.engines import EngineError, Ran
from bench.result import Result, at_least, median, told
from bench.servers import Parts, servers
from bench.traffic import Told
from tests.servers.broker import jars

OURS: Final = "pulsehub"
ONE: Final = "pulsehub.one"
TWO: Final = "pulsehub.two"
_GOALS: Final = (
    ("peers.faust.ratio", ("faust",), 20.0),
    ("peers.quix.ratio", ("quix",), 5.0),
    ("peers.bytewax.ratio", ("bytewax.map", "bytewax.batch"), 2.0),
    ("peers.bare.ratio", ("bare.room",), 0.9),
)
"""Figure, the rows of which the best counts, how many times as fast ours should be."""
_TWO_GOAL: Final = 1.5
_NAMED: Final = ("faust-streaming", "aiokafka", "quixstreams", "bytewax", "confluent-kafka", "psycopg", "numpy")
Rounds = dict[str, dict[int, Ran]]  # by name, and by the round it ran in


def measure(events: int, accounts: int, rounds: int) -> list[Result]:
    """Start the servers, let all take turns, and tell."""
    venv.ensure()
    with servers() as parts:
        ran = take_turns(parts, events, accounts, rounds)
        return [*figures(ran), *_waits(parts, ran, accounts), machine(parts)]


def take_turns(parts: Parts, events: int, accounts: int, rounds: int) -> Rounds:
    """Every engine once a round, in an order that turns; one that cannot run is named, and left out."""
    logs: dict[int, tuple[Backlog, list[Told]]] = {}

    def log_of(size: int) -> tuple[Backlog, list[Told]]:
        if size not in logs:
            told = backlog(size, accounts)
            make(parts.broker, f"backlog-{size}", engines.PARTITIONS)
            fill(parts.broker, f"backlog-{size}", told, engines.PARTITIONS)
            logs[size] = Backlog(f"backlog-{size}", len(told), size, Expected(told)), told
        return logs[size]

    ran: Rounds = defaultdict(dict)
    names = [*(engine.name for engine in engines.PEERS), OURS, ONE, TWO]
    by_name = {engine.name: engine for engine in engines.PEERS}
    for turn in range(rounds):
        for name in names if turn % 2 == 0 else reversed(names):
            engine = by_name.get(name)
            one, told = log_of(min(events, engine.most) if engine else events)
            try:
                if engine:
                    ran[name][turn] = engines.run(engine, one, parts, f"round{turn}-{name}")
                elif name == OURS:
                    ran[name][turn] = ours.run(told, one, parts, f"round{turn}-{name}")
                else:
                    workers = 1 if name == ONE else 2
                    ran[name][turn] = ours.together(workers, told, one, parts, f"round{turn}-{name}")
            except EngineError as error:
                print(f"{name}: {error}", file=sys.stderr)
                continue
            for fault in ran[name][turn].faults:
                print(f"{name} ended wrong: {fault}", file=sys.stderr)
    return ran


def figures(ran: Rounds) -> list[Result]:
    """Ratios with their goals, then each engine's rates and whether it ended right."""
    found: list[Result] = []
    for figure, rivals, goal in _GOALS:
        found += _ratio(figure, ran, OURS, rivals, unit="times as fast", goal=goal)
    found += _ratio("peers.two.ratio", ran, TWO, (ONE,), unit="of one worker", goal=_TWO_GOAL)
    for name, by_round in ran.items():
        if not (some := list(by_round.values())):
            continue
        found += [
            told(f"peers.{name}", median([one.rate for one in some]), "events/s"),
            told(f"peers.{name}.cpu", median([one.rate_cpu for one in some]), "events/cpu s"),
            at_least(f"peers.{name}.right", sum(not one.faults for one in some) / len(some), "of runs", 1.0),
        ]
    return found


def _ratio(figure: str, ran: Rounds, mine: str, rivals: Sequence[str], *, unit: str, goal: float) -> list[Result]:
    """How we compare with the best of these in the same round, for the next one may be in a slower minute."""
    ratios = [
        one.rate / max(theirs)
        for turn, one in ran.get(mine, {}).items()
        if (theirs := [ran[rival][turn].rate for rival in rivals if turn in ran.get(rival, {})])
    ]
    if not ratios:
        return []
    return [
        at_least(figure, median(ratios), unit, goal),
        told(f"{figure}.least", min(ratios), "of all rounds"),
        told(f"{figure}.most", max(ratios), "of all rounds"),
    ]


def _waits(parts: Parts, ran: Rounds, accounts: int) -> list[Result]:
    """How long health waits at half of what one worker carries, and all the way from a webhook."""
    if not ran[OURS]:
        return []
    try:
        paced = latency.measure(parts, median([one.rate for one in ran[OURS].values()]) / 2, accounts)
    except EngineError as error:
        print(f"latency: {error}", file=sys.stderr)
        paced = []
    try:
        whole = webhook.run(f"kafka://{parts.broker}/webhook", parts.fresh("webhook"))
    except (AssertionError, OSError, RuntimeError) as error:
        print(f"webhook: {error}", file=sys.stderr)
        whole = []
    return [*paced, *(result._replace(name=f"peers.{result.name}") for result in whole)]


def machine(parts: Parts) -> Result:
    """What it ran on, in words; the figure is the number of cores."""
    with psycopg.connect(parts.database) as connection:
        (postgres,) = connection.execute("show server_version").fetchone() or ("?",)
    kafka = next((jar.stem.partition("-")[2] for jar in jars().glob("kafka_*.jar")), "?")
    here = {found.name.lower(): found.version for found in distributions(path=[str(venv.packages())])}
    versions = [f"{name} {here.get(name, '?')}" for name in _NAMED]
    said = [_processor(), platform.system(), f"Python {platform.python_version()}", f"Kafka {kafka}"]
    return told(
        "peers.machine", float(os.cpu_count() or 1), f"cores; {'; '.join([*said, f'PostgreSQL {postgres}', *versions])}"
    )


def _processor() -> str:
    """Its name; Linux tells it."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.is_file() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
