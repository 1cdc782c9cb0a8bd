"""`latency`: from an event handed to the log until the health it moved is on the log.

Measured: a thread (`bench.feed`) appends at a steady pace, through the log that the engine of 10,000 accounts reads
and publishes to, as the door's thread does in `pulsehub up`; each record bears the moment it was handed in, so its own
way to the disk counts. A listener notes when each append to topic `health` is durable. A message names the events that
moved it (the newest eight): an event's latency is from its stamp to that moment. Events that moved nothing are not
seen: they lie in the same batches as those that did. The pace is 5,000 events/s, and then half of what the engine
drains at full speed just before (appended as fast as it goes), in the same process, with the same accounts. The first
second is left out. `.cpu` is what the whole process uses meanwhile, feeder included: near one core, it is full.

Left out: the door (`bench.ingest`), and the rooms that read `health`.
"""

from __future__ import annotations

import asyncio
import bisect
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.feed import feed
from bench.path import drained
from bench.result import Result, below, quantile, told
from bench.traffic import everybody, fill, traffic
from hub.collector import calm
from hub.store.database import Database
from hub.streams.sqlite.log import SqliteLog
from hub.streams.streams import Streams
from hub.streams.topics import EVENTS, HEALTH
from scoring.ledger import Ledger
from scoring.loading import load
from scoring.rescore import Rescore

ACCOUNTS = 10_000
SECONDS = 8.0
PACE = 5_000.0
_WARM = 1.0  # seconds
_ALL = 10**9


class Paced(NamedTuple):
    """What became of events at a steady pace.

    Attributes:
        waits: milliseconds of each event that moved a health, of those handed in after the first second.
        cores: processor seconds a second, of the whole process.
    """

    waits: list[float]
    cores: float


class _Named(msgspec.Struct):
    id: str = ""
    causes: list[str] = msgspec.field(default_factory=list)


def run(accounts: int = ACCOUNTS, seconds: float = SECONDS, pace: float = PACE) -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="pulsehub-bench-") as name:
        return asyncio.run(_run(Path(name), accounts, seconds, pace))


async def _run(folder: Path, accounts: int, seconds: float, pace: float) -> list[Result]:
    log = SqliteLog(folder / "streams.db")
    with Database(f"sqlite:///{folder / 'hub.db'}") as database:
        streams = Streams(database, log)
        room = Rescore(database, load(), "wall", log.partitions)
        streams.add(room, app="scoring", outboxes={HEALTH: Ledger()})
        fill(log, everybody(accounts) + traffic(accounts, accounts, seed=2))
        async with streams:
            await drained(streams)
            more = traffic(4 * accounts, accounts, seed=3)
            began = time.perf_counter()
            await asyncio.to_thread(fill, log, more)
            await drained(streams)
            full = len(more) / (time.perf_counter() - began)
            slow = await _paced(log, streams, pace, seconds, accounts)
            half = await _paced(log, streams, full / 2, seconds, accounts)
        log.close()
    return [
        below("latency", quantile(half.waits, 0.99), "ms", 250),
        told("latency.p50", quantile(half.waits, 0.5), "ms"),
        told("latency.pace", full / 2, "events/s"),
        told("latency.cpu", half.cores, "cores"),
        below("latency.5000", quantile(slow.waits, 0.99), "ms", 100),
        told("latency.5000_p50", quantile(slow.waits, 0.5), "ms"),
        told("latency.5000_cpu", slow.cores, "cores"),
    ]


async def _paced(log: SqliteLog, streams: Streams, pace: float, seconds: float, accounts: int) -> Paced:
    """Feed, wait until all is done, and find out when it was."""
    moments: list[float] = []
    ends: list[list[int]] = [[] for _ in range(log.partitions)]

    def heard(topics: Iterable[str]) -> None:
        if HEALTH.name in topics:
            moments.append(time.time())
            for partition, end in log.ends(HEALTH.name).items():
                ends[partition].append(end)

    before = {topic.name: log.ends(topic.name) for topic in (EVENTS, HEALTH)}
    more = await asyncio.to_thread(traffic, int(pace * seconds), accounts, seed=int(pace))
    calm()  # as a hub does once it has loaded
    unlisten = log.listen(heard)
    used = time.process_time()
    await asyncio.to_thread(feed, log, more, pace)
    await drained(streams)
    used = time.process_time() - used
    unlisten()
    given = {_named(record.value).id: record.timestamp for record in log.read(EVENTS.name, before[EVENTS.name], _ALL)}
    began = min(given.values()) + _WARM
    found = []
    for record in log.read(HEALTH.name, before[HEALTH.name], _ALL):
        at = moments[bisect.bisect_right(ends[record.partition], record.offset)]
        found += [(at - given[one]) * 1_000 for one in _named(record.value).causes if given.get(one, 0.0) > began]
    return Paced(found, used / seconds)


_named = msgspec.json.Decoder(_Named).decode
