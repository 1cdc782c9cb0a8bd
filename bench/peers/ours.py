"""Runs of Pulsehub: one worker or several on one backlog, each a process of its own."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import Final

import msgspec
import psycopg

from bench.peers.backlog import Backlog, published
from bench.peers.check import OURS
from bench.peers.engines import PARTITIONS, PATIENCE, EngineError, Ran, answer
from bench.peers.job import Job
from bench.peers.venv import PYTHON, ROOT
from bench.servers import Parts
from bench.traffic import Told, fill
from hub.store.database import Database
from hub.streams.opening import open_log
from hub.streams.topics import HEALTH

_EVERY: Final = 0.02  # seconds between two looks whether all is done
_APPLIED: Final = "select coalesce(sum(next), 0) from offsets where room = 'scoring.rescore'"
_UNSENT: Final = "select count(*) from outlets where published < next - 1"


def run(workers: int, told: Sequence[Told], backlog: Backlog, parts: Parts, name: str) -> Ran:
    """One run under a name nobody has used.

    Raises:
        EngineError: a worker ended, or all was not done in time.
    """
    url, broker = parts.fresh(name), f"kafka://{parts.broker}/{name}"
    with Database(url) as database:
        stream = open_log(broker, PARTITIONS, database)
        fill(stream, told)
        health = stream.named(HEALTH.name)
        stream.close()
    with tempfile.TemporaryDirectory(prefix="pulsehub-bench-") as folder:
        job = Job("", broker, url, "", "", name, PARTITIONS, backlog.records, folder)
        children = [_worker(job) for _ in range(workers)]
        try:
            ended = _done(children, url, backlog.records)
            took = [answer("bench.peers.worker", child, *child.communicate()) for child in children]
        finally:
            for child in children:
                child.kill()
    faults = backlog.expected.faults(url, OURS, published(parts.broker, health, PARTITIONS))
    parts.drop(name)
    wall = ended - min(one.began for one in took)
    return Ran(backlog.distinct / wall, backlog.distinct / sum(one.cpu for one in took), faults)


def _worker(job: Job) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [PYTHON, "-W", "ignore", "-m", "bench.peers.worker", msgspec.json.encode(job).decode()],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _done(children: Sequence[subprocess.Popen[bytes]], url: str, records: int) -> float:
    """When all was committed and published, by the monotonic clock. Raises EngineError."""
    deadline = time.monotonic() + PATIENCE
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < deadline and all(child.poll() is None for child in children):
            applied, unsent = (connection.execute(asked).fetchone() for asked in (_APPLIED, _UNSENT))
            if applied == (records,) and unsent == (0,):
                return time.monotonic()
            time.sleep(_EVERY)
    raise EngineError("not all was done in time, or a worker ended before")
