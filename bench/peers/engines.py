"""The engines, and one run of one of them: its own process, a fresh database, a fresh topic to publish to."""

from __future__ import annotations

import subprocess
import tempfile
from typing import Final, NamedTuple

import msgspec
import psycopg

from bench.peers.backlog import Backlog, make, published
from bench.peers.check import LISTED, OURS, Tables
from bench.peers.job import Job, Took
from bench.peers.store import TABLES
from bench.peers.venv import PYTHON, ROOT
from bench.servers import Parts

PARTITIONS: Final = 8
PATIENCE: Final = 300.0  # seconds for one run


class Engine(NamedTuple):
    """A row of the table.

    Attributes:
        name: of the row, `faust.take`.
        module: what is run.
        mode: which of its ways.
        most: of how many events it is given; the slow ones get fewer, rates are compared.
        tables: what it writes: those of the listed work, or ours.
    """

    name: str
    module: str
    mode: str
    most: int
    tables: Tables = LISTED


FAUST: Final = Engine("faust", "bench.peers.faust", "event", 3_000)
TAKE: Final = Engine("faust.take", "bench.peers.faust", "take", 20_000)
QUIX: Final = Engine("quix", "bench.peers.quix", "", 10_000)
BYTEWAX_MAP: Final = Engine("bytewax.map", "bench.peers.bytewax", "map", 10_000)
BYTEWAX: Final = Engine("bytewax.batch", "bench.peers.bytewax", "batch", 10_000)
BARE: Final = Engine("bare", "bench.peers.bare", "", 10**9)
BARE_ROOM: Final = Engine("bare.room", "bench.peers.bare_room", "", 10**9, OURS)
PEERS: Final = (FAUST, TAKE, QUIX, BYTEWAX_MAP, BYTEWAX, BARE, BARE_ROOM)


class Ran(NamedTuple):
    """One run.

    Attributes:
        rate: distinct events a second, by the clock.
        rate_cpu: of a processor second of the engine's process.
        faults: what is wrong with where it ended.
    """

    rate: float
    rate_cpu: float
    faults: list[str]


class EngineError(Exception):
    """An engine's process ended without an answer; the message is the end of what it said."""


def run(engine: Engine, backlog: Backlog, parts: Parts, name: str) -> Ran:
    """One run under a name nobody has used.

    Raises:
        EngineError: it could not.
    """
    health, url = f"{name}.health", parts.fresh(name)
    make(parts.broker, health, PARTITIONS)
    if engine.tables is LISTED:  # ours are made by whoever opens the database first
        with psycopg.connect(url) as connection:
            connection.execute(TABLES)
    with tempfile.TemporaryDirectory(prefix="pulsehub-bench-") as folder:
        job = Job(engine.mode, parts.broker, url, backlog.topic, health, name, PARTITIONS, backlog.records, folder)
        took = process(engine.module, job)
    faults = backlog.expected.faults(url, engine.tables, published(parts.broker, health, PARTITIONS))
    parts.drop(name)
    return Ran(backlog.distinct / (took.ended - took.began), backlog.distinct / took.cpu, faults)


def process(module: str, job: Job) -> Took:
    """What an engine's process answers. Raises EngineError."""
    with subprocess.Popen(
        [PYTHON, "-W", "ignore", "-m", module, msgspec.json.encode(job).decode()],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        try:
            return answer(module, child, *child.communicate(timeout=PATIENCE))
        except subprocess.TimeoutExpired:
            raise EngineError(f"{module} was not done in {PATIENCE:.0f} s") from None
        finally:
            child.kill()


def answer(module: str, child: subprocess.Popen[bytes], said: bytes, complained: bytes) -> Took:
    """What a process told on its last line. Raises EngineError."""
    try:
        return msgspec.json.decode(said.splitlines()[-1], type=Took)
    except (IndexError, msgspec.MsgspecError):
        raise EngineError(f"{module} ended with {child.returncode}: {complained[-2_000:].decode()}") from None
