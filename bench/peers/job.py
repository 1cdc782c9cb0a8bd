"""What an engine's process is told, and what it says when it is done."""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path
from typing import NoReturn

import msgspec

from hub.collector import calm


class Job(msgspec.Struct, frozen=True):
    """One run of one engine.

    Attributes:
        mode: which of its ways, where an engine has several.
        broker: `host:port`.
        database: `postgresql://...`, with the tables of `bench.peers.store` and nothing in them.
        events: the topic to read from its beginning.
        health: the topic to publish to; empty.
        group: a consumer group nobody has used.
        partitions: of both topics.
        records: how many there are to read, repeated ones included.
        folder: to keep local state in; empty.
    """

    mode: str
    broker: str
    database: str
    events: str
    health: str
    group: str
    partitions: int
    records: int
    folder: str


class Took(msgspec.Struct, frozen=True):
    """From the first record to the last commit.

    Attributes:
        began: seconds of the machine's monotonic clock, which all its processes share.
        ended: of the same clock.
        cpu: processor seconds of the process between the two, all its threads.
    """

    began: float
    ended: float
    cpu: float


class Stopwatch:
    """Counts records; starts with the first."""

    def __init__(self, records: int) -> None:
        self._left = records
        self._began: tuple[float, float] | None = None

    def start(self) -> None:
        """A record is in our hands; only the first counts."""
        self._began = self._began or _now()

    def done(self, records: int) -> bool:
        """So many more are taken care of; whether those were the last."""
        self._left -= records
        return self._left <= 0

    def took(self) -> Took:
        """What it took until now; nothing, if no record ever came."""
        now = _now()
        began = self._began or now
        return Took(began[0], now[0], now[1] - began[1])

    def finish(self) -> NoReturn:
        """Say what it took until now, and end the process."""
        say(self.took())


def say(took: Took) -> NoReturn:
    """Tell it, and end at once: engines end in their own ways, some of them in seconds."""
    os.write(1, msgspec.json.encode(took) + b"\n")
    os._exit(0)


def job() -> Job:
    """What this process was told, in the first word after its name; its collector is set as a worker's of ours is."""
    calm()
    return msgspec.json.decode(sys.argv[1], type=Job)


def folder(job: Job, name: str) -> Path:
    """A folder of its own for local state."""
    path = Path(job.folder) / name
    path.mkdir(parents=True)
    return path


def _now() -> tuple[float, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.monotonic(), used.ru_utime + used.ru_stime
