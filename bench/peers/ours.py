"""Runs of Pulsehub: one worker or several on one backlog, each a process of its own.

Beside the peers, one worker finds its backlog there, and is timed from its first record, as they are. Several do not
begin as one: the first would get all partitions and be far ahead before it gave some up. So they are given their
partitions while there is nothing to do, then the backlog comes at once, and the clock starts with the first commit
after all of it is there and all of them have begun. That leaves out the dear beginning, when every account is new: it
is compared with one worker timed the same way, and with nobody else.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from typing import Final, Self

import msgspec
import psycopg

from bench.peers.backlog import Backlog, arrived, assigned, fill, published
from bench.peers.check import OURS
from bench.peers.engines import PARTITIONS, PATIENCE, EngineError, Ran, answer
from bench.peers.job import Job, Took
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


def run(told: Sequence[Told], backlog: Backlog, parts: Parts, name: str) -> Ran:
    """One worker beside the peers, under a name nobody has used.

    Raises:
        EngineError: the worker ended, or all was not done in time.
    """
    ours = Workers(1, parts, name)
    fill(parts.broker, ours.events, told, PARTITIONS)
    with ours:
        ended = ours.finish(backlog.records)[-1][0]
        (took,) = ours.stop()
        return ours.ran(backlog, backlog.distinct / (ended - took.began), took.cpu)


def together(workers: int, told: Sequence[Told], backlog: Backlog, parts: Parts, name: str) -> Ran:
    """So many workers at once; to be compared among themselves.

    Raises:
        EngineError: a worker ended, or all was not done in time, or too soon.
    """
    with Workers(workers, parts, name) as ours:
        fill(parts.broker, ours.events, told, PARTITIONS)
        filled = time.monotonic()
        seen = ours.finish(backlog.records)
        took = ours.stop()
        rate = _rate(seen, max(filled, *(one.began for one in took))) * backlog.distinct / backlog.records
        return ours.ran(backlog, rate, sum(one.cpu for one in took))


def _rate(seen: Sequence[tuple[float, int]], began: float) -> float:
    """Records a second from the first commit after `began`: what a batch that was under way had done does not count.

    Raises:
        EngineError: there was no more than one.
    """
    before = max((applied for at, applied in seen if at <= began), default=0)
    start, first = next(((at, applied) for at, applied in seen if applied > before), seen[-1])
    end, last = seen[-1]
    if last == first:
        raise EngineError("all was done too soon after all workers had begun: give them more events")
    return (last - first) / (end - start)


class Workers:
    """So many workers of a new installation, with their partitions divided and nothing to do yet.

    Attributes:
        broker: its URL.
        database: its URL.
        events: the topic to fill.
        health: the topic they publish to.
    """

    def __init__(self, workers: int, parts: Parts, name: str) -> None:
        self.broker, self.database = f"kafka://{parts.broker}/{name}", parts.fresh(name)
        self._parts, self._workers, self._name = parts, workers, name
        self._children: list[subprocess.Popen[bytes]] = []
        with Database(self.database) as database:
            stream = open_log(self.broker, PARTITIONS, database)
            for spec in ALL:
                stream.declare(spec)
            self.events, self.health = stream.named(EVENTS.name), stream.named(HEALTH.name)
            self._group = stream.app("scoring")[0]
            stream.close()

    def __enter__(self) -> Self:
        job = Job("", self.broker, self.database, self.events, self.health, self._group, PARTITIONS, 0, "")
        self._children = [_worker(job) for _ in range(self._workers)]
        try:
            assigned(self._parts.broker, self._group, self._workers, _ASSIGNED)
        except TimeoutError:
            raise self._failed("the partitions were not divided in time") from None
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children:
            child.kill()
            child.wait()

    def finish(self, records: int) -> list[tuple[float, int]]:
        """How many were applied at which moments of the monotonic clock, until so many are, and all is published.

        Raises:
            EngineError: it came to nothing.
        """
        deadline, seen = time.monotonic() + PATIENCE, []
        with psycopg.connect(self.database, autocommit=True) as connection:
            while time.monotonic() < deadline and all(child.poll() is None for child in self._children):
                (applied,) = connection.execute(_APPLIED).fetchone() or (0,)
                if applied >= records:
                    (rows,) = connection.execute(_MOVED).fetchone() or (0,)
                    try:
                        arrived(self._parts.broker, self.health, PARTITIONS, rows)
                    except TimeoutError:
                        raise self._failed("not all health was published in time") from None
                    return [*seen, (time.monotonic(), int(applied))]
                seen.append((time.monotonic(), int(applied)))
                time.sleep(_EVERY)
        raise self._failed("not all was done in time, or a worker ended before")

    def stop(self) -> list[Took]:
        """End them; what it took each. Raises EngineError."""
        return [answer("bench.peers.worker", child, *child.communicate()) for child in self._children]

    def ran(self, backlog: Backlog, rate: float, cpu: float) -> Ran:
        """What is told of a run, once it is over; the database goes."""
        said = published(self._parts.broker, self.health, PARTITIONS)
        faults = backlog.expected.faults(self.database, OURS, said)
        self._parts.drop(self._name)
        return Ran(rate, backlog.distinct / cpu, faults)

    def _failed(self, why: str) -> EngineError:
        for child in self._children:
            child.terminate()
        said = b"".join(child.communicate()[1][-2_000:] for child in self._children)
        return EngineError(f"{why}: {said.decode()}")


def _worker(job: Job) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [PYTHON, "-W", "ignore", "-m", "bench.peers.worker", msgspec.json.encode(job).decode()],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
