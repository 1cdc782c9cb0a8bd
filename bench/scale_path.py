"""The whole way of an event on servers, and who pays for it: worker, database, broker.

`python -m bench.scale_path ASKED` is the worker: the real engine with the one room `scoring.rescore`, until its
standard input is closed. It says when it holds its accounts.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
import psycopg

from bench.traffic import befallen, entries, popular
from hub.store.database import Database
from hub.streams.opening import open_log
from hub.streams.streams import Streams
from hub.streams.topics import HEALTH
from scoring.ledger import Ledger
from scoring.loading import load
from scoring.rescore import Rescore

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PIECE: Final = 2_000
_PATIENCE: Final = 600.0
_APPLIED: Final = "select coalesce(sum(next), 0) from offsets where room = 'scoring.rescore'"
_WRITTEN: Final = "select pg_current_wal_lsn() - '0/0'::pg_lsn"
_MOVED: Final = "select count(*) from ledger"


class Asked(msgspec.Struct):
    """Which installation."""

    broker: str
    database: str
    partitions: int


class Paid(NamedTuple):
    """What an event costs.

    Attributes:
        worker: µs of its processor.
        database: the same of all of its processes.
        broker: the same; it was also handed the event.
        wall: µs by the clock, from the first append to the last commit.
        moved: rows of the ledger.
        wal: bytes that the database wrote ahead.
    """

    worker: float
    database: float
    broker: float
    wall: float
    moved: float
    wal: float


def path(asked: Asked, accounts: int, events: int, broker: int) -> Paid:
    """Append events of all customers (Zipf) to a worker that waits for them; once to get acquainted, then it counts.

    Args:
        asked: the installation.
        accounts: how many it has.
        events: how many to append.
        broker: the broker's process.
    """
    words = [sys.executable, "-m", "bench.scale_path", msgspec.json.encode(asked).decode()]
    with (
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker,
        psycopg.connect(asked.database, autocommit=True) as looking,
        Database(asked.database) as database,
    ):
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n", "the worker ended before it had loaded its accounts"
        (backend,) = looking.execute("select pg_backend_pid()").fetchone() or (0,)
        log = open_log(asked.broker, asked.partitions, database)
        before = _spent(worker.pid, _parent(backend), broker)
        began, moved, written = time.monotonic(), 0, 0
        for turn in range(2):
            chance = np.random.default_rng(31 + turn)
            told = befallen(popular(events, accounts, chance), chance, f"path-{turn}-{time.time_ns()}")
            waiting = entries(told, asked.partitions)
            (applied,) = looking.execute(_APPLIED).fetchone() or (0,)
            (moved,) = looking.execute(_MOVED).fetchone() or (0,)
            (written,) = looking.execute(_WRITTEN).fetchone() or (0,)
            before, began = _spent(worker.pid, _parent(backend), broker), time.monotonic()
            for done in [log.append(waiting[at : at + _PIECE]) for at in range(0, events, _PIECE)]:
                done.result()
            _until(looking, int(applied) + events, worker)
        wall, after = time.monotonic() - began, _spent(worker.pid, _parent(backend), broker)
        (now,) = looking.execute(_MOVED).fetchone() or (0,)
        (end,) = looking.execute(_WRITTEN).fetchone() or (0,)
        log.close()
        worker.communicate()
    spent = [(last - first) * 1e6 / events for first, last in zip(before, after, strict=True)]
    return Paid(*spent, wall * 1e6 / events, (now - moved) / events, float(end - written) / events)


def _until(looking: psycopg.Connection, applied: int, worker: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE
    while (looking.execute(_APPLIED).fetchone() or (0,))[0] < applied:
        assert worker.poll() is None, "the worker ended"
        assert time.monotonic() < until, "the events were not applied in time"
        time.sleep(0.05)


def _spent(worker: int, database: int, broker: int) -> tuple[float, float, float]:
    """Processor seconds of the worker, of the database with all of its processes, of the broker."""
    served = [database, *(child for child in _pids() if _parent(child) == database)]
    return _cpu(worker), sum(_cpu(pid) for pid in served), _cpu(broker)


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _cpu(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS if fields else 0.0


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:  # it has ended
        return []


async def _work(asked: Asked) -> None:
    with Database(asked.database) as database:
        stream = open_log(asked.broker, asked.partitions, database)
        room = Rescore(database, load(), "wall", stream.partitions)
        streams = Streams(database, stream)
        streams.add(room, app="scoring", outboxes={HEALTH: Ledger()})
        async with streams:
            while not streams.ready():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)
            print("ready", flush=True)
            await asyncio.to_thread(sys.stdin.read)
            assert not streams.failed, streams.failed
        stream.close()


if __name__ == "__main__":
    asyncio.run(_work(msgspec.json.decode(sys.argv[1], type=Asked)))
