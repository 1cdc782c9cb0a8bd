"""The scoring room of one worker on an installation that is there: what it holds, and what an event costs it.

`python -m bench.scale_room ASKED`, a process that does nothing else; `ASKED` and what it prints are JSON.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from typing import Final

import msgspec
import numpy as np
from sqlalchemy import Connection

import hub.worker  # noqa: F401 - all that a running hub has imported
from bench.bare import Hand
from bench.memory import resident
from bench.scale_built import HOT
from bench.traffic import Told, account_of, befallen, entries, popular
from hub.store.database import Database
from hub.streams.batches import MOST
from hub.streams.room import Record
from scoring.clock import Clock
from scoring.explaining.explain import explain
from scoring.loading import load
from scoring.rescore import Rescore
from scoring.scorers import Scorers

SAME: Final = 1_000  # customers of the traffic that is the same at every size
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_HOURS: Final = 2 * 3_600.0  # after which everybody is due to be looked at again
_LOOKS: Final = 5
_PAGES: Final = 4  # halves of the events until the same traffic has been to nearly all pages it will ever touch
_TENTH: Final = 0.1  # of all events are the hot customer's


class Asked(msgspec.Struct):
    """Which installation, and how much of it.

    Attributes:
        database: its URL.
        partitions: of its topics.
        share: it holds every so many-th partition.
        accounts: how many there are.
        events: of each kind of traffic that is measured; none where it holds a share only.
    """

    database: str
    partitions: int
    share: int
    accounts: int
    events: int


class Cost(msgspec.Struct):
    """Of one event of some traffic.

    Attributes:
        cpu: µs of processor, of this process.
        server: the same, of the database's process that serves it; 0 where there is none.
        wall: µs by the clock.
        touched: customers whose row was stored.
        moved: rows of the ledger.
    """

    cpu: float
    server: float
    wall: float
    touched: float
    moved: float


class Found(msgspec.Struct):
    """What was measured.

    Attributes:
        held: customers in memory.
        bare: bytes of the process before it knew anybody.
        resident: bytes with all it holds.
        peak: bytes at most, until then.
        seconds: by the clock, until it held them.
        cpu: the same, of the processor.
        costs: by kind of traffic.
        idle: ms of processor of a look at the clock when nobody is due.
        due: the same when everybody is; a thousand are then scored.
        hot: ms by the clock of `explain` of the customer with a tenth of all events.
        other: ms of another one.
    """

    held: int
    bare: float
    resident: float
    peak: float
    seconds: float
    cpu: float
    costs: dict[str, Cost] = {}
    idle: float = 0.0
    due: float = 0.0
    hot: float = 0.0
    other: float = 0.0


class Worker(Hand):
    """Drives the room with batches of our own making."""

    def __init__(self, database: Database, room: Rescore, asked: Asked) -> None:
        super().__init__(room, asked.partitions)
        self.database = database
        self._ends = dict.fromkeys(range(asked.partitions), 0)
        self._pid: int | None = None
        if database.url.get_backend_name() != "sqlite":
            self._pid = database.write(lambda c: c.exec_driver_sql("select pg_backend_pid()").scalar()).result()

    def cost(self, told: Sequence[Told]) -> Cost:
        """Apply them in batches as large as an agent that is behind takes."""
        self._ends |= self.next
        records = []
        for entry in entries(told, len(self._ends)):
            offset = self._ends[entry.partition]
            self._ends[entry.partition] = offset + 1
            records.append(Record(entry.partition, offset, entry.timestamp, entry.key, entry.value or b""))
        touched = moved = 0
        gc.collect()
        cpu, server, wall = time.process_time(), self._served(), time.perf_counter()
        for first in range(0, len(records), MOST):
            some = records[first : first + MOST]
            moved += len(self.database.write(lambda connection, some=some: self.apply(connection, some)).result())  # type: ignore[misc]
            self.accept()
            touched += len({record.key for record in some})
        events = len(records)
        return Cost(
            cpu=(time.process_time() - cpu) * 1e6 / events,
            server=(self._served() - server) * 1e6 / events,
            wall=(time.perf_counter() - wall) * 1e6 / events,
            touched=touched / events,
            moved=moved / events,
        )

    def _served(self) -> float:
        """Processor seconds of the server's process that this one's writer talks to, where it can be seen."""
        try:
            fields = Path(f"/proc/{self._pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / _TICKS


def measure(asked: Asked) -> Found:
    """In a process that does nothing else."""
    now = [0.0]
    config = load()
    with Database(asked.database) as database:
        room = Rescore(database, config, Clock("wall", lambda: time.time() + now[0]), asked.partitions)
        bare = resident(database)
        if asked.share > 1:
            with _timed() as took, database.read() as connection:
                room.assign(connection, range(0, asked.partitions, asked.share))
            return _holding(database, room, bare, took)
        worker = Worker(database, room, asked)
        with _timed() as took:
            database.write(worker.begin).result()
        found = _holding(database, room, bare, took)
        gc.freeze()
        found.costs = _costs(worker, asked)
        found.idle = _tick(database, room)
        now[0] = _HOURS
        found.due = _tick(database, room)
        found.hot, found.other = (_explained(database, account_of(number)) for number in (HOT, HOT + 1))
        return found


def _costs(worker: Worker, asked: Asked) -> dict[str, Cost]:
    """By kind of traffic: some to get acquainted (a name that is new brings links and people), then there and back.

    What is the same at every size comes first, alone: at a thousand, the others' events would be of the same customers.
    It gets acquainted for longer, for what it costs is that of an installation at work: whoever writes to a page for
    the first time since a checkpoint writes all of it ahead, and of a million customers there are many pages.
    """
    found: dict[str, list[Cost]] = {}
    for together, acquainted in ((("same",), _PAGES), (("zipf", "even", "hot"), 1)):
        for turn in range(acquainted + 2):
            told = _traffics(asked.accounts, asked.events // 2, turn)
            for name in reversed(together) if turn > acquainted else together:
                cost = worker.cost(told[name])
                if turn >= acquainted:
                    found.setdefault(name, []).append(cost)
    return {name: _mean(some) for name, some in found.items()}


def _mean(some: Sequence[Cost]) -> Cost:
    return Cost(*map(mean, zip(*map(msgspec.structs.astuple, some), strict=True)))


def _traffics(accounts: int, events: int, turn: int) -> dict[str, list[Told]]:
    chance = np.random.default_rng(11 + turn)
    apart = accounts // SAME
    evenly = chance.integers(0, accounts, events)
    kinds = {
        "same": [who * apart for who in popular(events, SAME, chance)],
        "zipf": popular(events, accounts, chance),
        "even": evenly.tolist(),
        "hot": np.where(chance.random(events) < _TENTH, HOT, evenly).tolist(),
    }
    return {name: befallen(whose, chance, f"{name}-{turn}-{time.time_ns()}") for name, whose in kinds.items()}


def _holding(database: Database, room: Rescore, bare: float, took: list[float]) -> Found:
    peak = _peak()
    return Found(len(room._accounts), bare, resident(database), peak, *took)  # noqa: SLF001 - nobody else asks


def _tick(database: Database, room: Rescore) -> float:
    took = []
    for _ in range(_LOOKS):

        def job(connection: Connection) -> float:
            began = time.thread_time()
            room.tick(connection)
            return time.thread_time() - began

        took.append(database.write(job).result() * 1_000)
    return sorted(took)[_LOOKS // 2]


def _explained(database: Database, account: str) -> float:
    config = load()
    scorers, took = Scorers(config), []
    for _ in range(_LOOKS):
        began = time.perf_counter()
        with database.read() as connection:
            explain(connection, account, config, scorers)
        took.append((time.perf_counter() - began) * 1_000)
    return sorted(took)[_LOOKS // 2]


@contextmanager
def _timed() -> Iterator[list[float]]:
    """Seconds by the clock and of the processor, filled in at the end."""
    took: list[float] = []
    wall, cpu = time.perf_counter(), time.process_time()
    yield took
    took += [time.perf_counter() - wall, time.process_time() - cpu]


def _peak() -> float:
    said = Path("/proc/self/status").read_text(encoding="ascii")
    return float(said.partition("VmHWM:")[2].split()[0]) * 1_024


if __name__ == "__main__":
    sys.stdout.write(msgspec.json.encode(measure(msgspec.json.decode(sys.argv[1], type=Asked))).decode())
