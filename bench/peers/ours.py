"""Runs of Pulsehub: one worker or several on one backlog, each a process of its own.

Several do not begin as one: the first would get all partitions and be far ahead before it gave some up. So they are
given their partitions while there is nothing to do, then the backlog comes at once, and the clock starts when all of
it is there and all of them have begun; what was applied before does not count. One worker is measured like several.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import psycopg

from bench.peers.backlog import Backlog, arrived, assigned, fill, published
from bench.peers.check import OURS
from bench.peers.engines import PARTITIONS, PATIENCE, EngineError, Ran, answer
from bench.peers.job import Job
from bench.peers.venv import PYTHON, ROOT
from bench.servers import Parts
from bench.traffic import Told
from hub.store.database import Database
from hub.streams.opening import open_log
from hub.streams.topics import ALL, EVENTS, HEALTH

_ASSIGNED: Final = 60.0  # seconds for workers to start and to divide the partitions
_EVERY: Final = 0.02  # seconds between two looks whether all is done
_APPLIED: Final = "select coalesce(sum(next), 0) from offsets where room = 'scoring.rescore'"
_MOVED: Final = "select count(*) from ledger"


def run(workers: int, told: Sequence[Told], backlog: Backlog, parts: Parts, name: str) -> Ran:
    """One run under a name nobody has used.

    Raises:
        EngineError: a worker ended, or all was not done in time.
    """
    url, broker = parts.fresh(name), f"kafka://{parts.broker}/{name}"
    with Database(url) as database:
        stream = open_log(broker, PARTITIONS, database)
        for spec in ALL:
            stream.declare(spec)
        events, health, group = stream.named(EVENTS.name), stream.named(HEALTH.name), stream.app("scoring")[0]
        stream.close()
    with tempfile.TemporaryDirectory(prefix="pulsehub-bench-") as folder:
        job = Job("", broker, url, events, health, group, PARTITIONS, backlog.records, folder)
        children = [_worker(job) for _ in range(workers)]
        try:
            assigned(parts.broker, group, workers, _ASSIGNED)
            fill(parts.broker, events, told, PARTITIONS)
            filled = time.monotonic()
            seen = _watch(children, url, backlog.records, lambda rows: arrived(parts.broker, health, PARTITIONS, rows))
        except (EngineError, TimeoutError) as error:
            for child in children:
                child.terminate()
            said = b"".join(child.communicate()[1][-2_000:] for child in children)
            raise EngineError(f"{error}: {said.decode()}") from None
        took = [answer("bench.peers.worker", child, *child.communicate()) for child in children]
    faults = backlog.expected.faults(url, OURS, published(parts.broker, health, PARTITIONS))
    parts.drop(name)
    began = max(filled, *(one.began for one in took))
    left = backlog.records - max((applied for at, applied in seen if at <= began), default=0)
    if not left:
        raise EngineError("all was done before all workers had begun: give them more events")
    share = backlog.distinct / backlog.records
    return Ran(
        share * left / (seen[-1][0] - began),
        backlog.distinct / sum(one.cpu for one in took),
        faults,
    )


def _worker(job: Job) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [PYTHON, "-W", "ignore", "-m", "bench.peers.worker", msgspec.json.encode(job).decode()],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _watch(
    children: Sequence[subprocess.Popen[bytes]], url: str, records: int, arrived: Callable[[int], None]
) -> list[tuple[float, int]]:
    """How many were applied at which moments of the monotonic clock, until all are, and what they moved has `arrived`.

    Raises:
        EngineError: it came to nothing.
    """
    deadline = time.monotonic() + PATIENCE
    seen = []
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < deadline and all(child.poll() is None for child in children):
            (applied,) = connection.execute(_APPLIED).fetchone() or (0,)
            if applied == records:
                (rows,) = connection.execute(_MOVED).fetchone() or (0,)
                arrived(rows)
                return [*seen, (time.monotonic(), int(applied))]
            seen.append((time.monotonic(), int(applied)))
            time.sleep(_EVERY)
    raise EngineError("not all was done in time, or a worker ended before")
