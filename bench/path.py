"""`path`: events through the whole scoring path, and what the engine costs of it.

Measured: from the first batch to the last message of topic `health` on disk. A log file that is already full is read;
each event is decoded, checked, deduplicated by its id, folded, scored with its drivers, archived; state, ledger and
offsets are committed, full sync, and health is published to the log. The engine is the real one (Faust, our transport,
the transactional agent, the publisher) with the one room `scoring.rescore`. The bare loop (`bench.bare`) does the same
work on a copy of the same file. They take turns; figures are medians, the ratio is the median of the rounds' ratios.

Left out: the door, the rooms that read `health`, and loading what an older installation holds: both begin empty.
"""

from __future__ import annotations

import asyncio
import gc
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from bench.bare import drive
from bench.result import Result, at_least, median, told
from bench.traffic import fill, traffic
from hub.collector import calm
from hub.store import schema
from hub.store.database import Database
from hub.streams.room import Record, Step
from hub.streams.sqlite.log import SqliteLog
from hub.streams.streams import Streams
from hub.streams.topics import ALL, HEALTH
from scoring.ledger import Ledger
from scoring.loading import load
from scoring.rescore import Rescore

EVENTS = 60_000
ACCOUNTS = 10_000
ROUNDS = 4


class Took(NamedTuple):
    """Seconds of one run, by the clock and of the processor."""

    wall: float
    cpu: float


class Watched(Rescore):
    """The room, noting when its first batch came."""

    began = Took(0.0, 0.0)

    def step(self, connection: Connection, batch: Sequence[Record]) -> Step:
        if not self.began.wall:
            self.began = _now()
        return super().step(connection, batch)


def run(events: int = EVENTS, accounts: int = ACCOUNTS, rounds: int = ROUNDS) -> list[Result]:
    engine: list[Took] = []
    bare: list[Took] = []
    with tempfile.TemporaryDirectory(prefix="pulsehub-bench-") as name:
        folder = Path(name)
        with _log(folder / "full.db") as log:
            fill(log, traffic(events, accounts))
        for turn in range(rounds):
            contenders = [(engine, through_engine), (bare, through_bare)]
            for took, through in contenders if turn % 2 else reversed(contenders):
                took.append(_once(folder, through, events))
    ratios = [b.wall / e.wall for e, b in zip(engine, bare, strict=True)]
    return [
        at_least("path", median(ratios), "of a bare loop", 0.9),
        told("path.cpu", median([b.cpu / e.cpu for e, b in zip(engine, bare, strict=True)]), "of a bare loop"),
        told("path.events", median([events / took.wall for took in engine]), "events/s"),
        told("path.events_per_cpu_second", median([events / took.cpu for took in engine]), "events/s"),
        told("path.bare", median([events / took.wall for took in bare]), "events/s"),
    ]


def through_engine(database: Database, log: SqliteLog) -> Took:
    """One run of the real thing."""

    async def main() -> Took:
        streams = Streams(database, log)
        room = Watched(database, load(), "wall", log.partitions)
        streams.add(room, app="scoring", outboxes={HEALTH: Ledger()})
        async with streams:
            await drained(streams)
            return _since(room.began)

    return asyncio.run(main())


async def drained(streams: Streams) -> None:
    """Wait until every event is scored and every message is on disk."""
    while not streams.idle():  # noqa: ASYNC110 - nobody tells; and what looks is not what is measured
        await asyncio.sleep(0.01)


def through_bare(database: Database, log: SqliteLog) -> Took:
    """One run without the engine."""
    room = Watched(database, load(), "wall", log.partitions)
    drive(database, log, room)
    return _since(room.began)


def _once(folder: Path, through: Callable[[Database, SqliteLog], Took], events: int) -> Took:
    for full in folder.glob("full.db*"):  # beside the file there may be what was written ahead
        shutil.copyfile(full, folder / full.name.replace("full", "streams"))
    calm()  # as a hub does once it has loaded
    try:
        with _log(folder / "streams.db") as log, Database(f"sqlite:///{folder / 'hub.db'}") as database:
            took = through(database, log)
            with database.read() as connection:
                applied = connection.scalar(select(func.count()).select_from(schema.archive))
                moved = connection.scalar(select(func.count()).select_from(schema.ledger))
            assert applied == events, f"{applied} of {events} events were applied"
            assert moved == sum(log.ends(HEALTH.name).values()), "not all health was published"
            return took
    finally:
        gc.unfreeze()
        for left in [*folder.glob("hub.db*"), *folder.glob("streams.db*")]:
            left.unlink()


class _log(SqliteLog):  # noqa: N801 - reads as a call
    """A log with all topics, closed at the end of a `with`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        for spec in ALL:
            self.declare(spec)

    def __enter__(self) -> SqliteLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _now() -> Took:
    return Took(time.perf_counter(), time.process_time())


def _since(began: Took) -> Took:
    now = _now()
    return Took(now.wall - began.wall, now.cpu - began.cpu)
