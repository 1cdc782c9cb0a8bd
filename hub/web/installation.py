"""The installation in numbers: asked of database and log when somebody scrapes, kept for a moment, never by us.

What has to be counted, row by row, is counted once for all processes and serves the longer the more there is
(`hub.store.expendable.hot`): a scrape of many processes must not read a large portfolio once for each.

What does not answer is left out, and `pulsehub_database_up` or `pulsehub_log_up` says so: the scrape itself succeeds.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from hub import metrics
from hub.store.database import Database
from hub.store.expendable.hot import Hot
from hub.store.heartbeats import alive
from hub.store.questions import operation, way
from hub.streams.log import LogError

FRESH: Final = 2.0  # seconds an answer is given again, so that several who scrape ask once
COUNTED: Final = 60.0  # seconds that what was counted may be old, where counting takes six; else ten times as long
_BOOKS: Final = (
    (metrics.RECEIVED, "received"),
    (metrics.APPLIED, "applied"),
    (metrics.DUPLICATES, "duplicates"),
    (metrics.DEAD, "dead_lettered"),
    (metrics.FORWARDED, "forwarded"),
    (metrics.PENDING, "pending"),
)


class Counted(msgspec.Struct, frozen=True):
    """What nobody knows without reading as many rows as there are. Travels between processes as JSON.

    Attributes:
        bands: band -> customers.
        places: destinations, without their attempts.
        since: destination -> since when its oldest record has been due, unix seconds.
        letters: connection -> open dead letters.
        stages: stage, state, dead letters kept.
    """

    bands: dict[str, int]
    places: list[way.Destination]
    since: dict[str, float]
    letters: dict[str, int]
    stages: list[tuple[str, str, float]]


def _nothing() -> Mapping[str, float]:
    return {}


def _none() -> tuple[()]:
    return ()


class Installation(Collector):
    """Asks; any thread.

    Args:
        database: the truth.
        books: `received`, `applied`, ... (`hub.streams.accounting`).
        lag: records each room has not taken.
        behind: the same in seconds (`hub.streams.behind`).
        rates: records a second, by topic.
        halted: one item for each room that stands still.
        now: unix seconds.
        wall: whether customers live in our time; else ages of what is about them mean nothing.
        folder: whose disk may fill; None where there is none.
        hot: where what was counted is shared; None: with nobody.
    """

    def __init__(
        self,
        database: Database,
        *,
        books: Callable[[], Mapping[str, int]],
        lag: Callable[[], Mapping[str, int]],
        behind: Callable[[], Mapping[str, float]] = _nothing,
        rates: Callable[[], Mapping[str, float]] = _nothing,
        halted: Callable[[], Sequence[Any]] = _none,
        now: Callable[[], float] = time.time,
        wall: bool = True,
        folder: Path | None = None,
        hot: Hot | None = None,
    ) -> None:
        self._database = database
        self._books, self._lag, self._behind, self._rates, self._halted = books, lag, behind, rates, halted
        self._now = now
        self._wall = wall
        self._folder = folder
        self._hot = hot or Hot()
        self._lock = threading.Lock()
        self._asked_at = float("-inf")
        self._told: list[Metric] = []

    def describe(self) -> Iterator[Metric]:
        """Names are known without asking anybody: `hub.metrics.ASKED`."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Everything worth a graph or an alarm."""
        with self._lock:
            if time.monotonic() - self._asked_at >= FRESH:
                self._told = self._ask()
                self._asked_at = time.monotonic()
            told = self._told
        yield from told

    def _ask(self) -> list[Metric]:
        database = log = True
        found: list[Metric] = []
        for question in (self._streams, self._rooms, self._stored):
            try:
                found += question()
            except SQLAlchemyError:
                database = False
            except LogError:
                log = False
        found += [metrics.DATABASE.told(float(database)), metrics.LOG.told(float(log))]
        if self._folder and self._folder.is_dir():
            found.append(metrics.DISK.told(float(shutil.disk_usage(self._folder).free)))
        return found

    def _streams(self) -> list[Metric]:
        books = self._books()
        parts = sum(books.get(name, 0) for name in ("applied", "duplicates", "dead_lettered", "pending"))
        return [
            *(one.told(float(books.get(name, 0))) for one, name in _BOOKS),
            metrics.UNBALANCED.told(float(books.get("received", 0) - parts)),
            metrics.LAG.told(self._lag()),
            metrics.BEHIND.told(self._behind()),
            metrics.RATE.told(self._rates()),
        ]

    def _rooms(self) -> list[Metric]:
        return [metrics.HALTED.told(float(len(self._halted())))]

    def _stored(self) -> list[Metric]:
        now = self._now()
        with self._database.read() as connection:
            version, learned = operation.version(connection), operation.learned(connection)
            drifted = operation.drifted(connection)
            there = alive(connection)
            led = operation.held(connection, {one.id for one in there})
        counted: Counted = self._hot.get("counted", COUNTED, self._count, Counted)
        processes: dict[str, float] = {}
        for one in there:
            processes[one.role] = processes.get(one.role, 0.0) + 1.0
        places, since = counted.places, counted.since if self._wall else {}
        found = [
            metrics.LETTERS.told(counted.letters),
            metrics.STAGES.told({(stage, state): number for stage, state, number in counted.stages}),
            metrics.LED.told(led),
            metrics.ACCOUNTS.told(counted.bands),
            metrics.STATES.told({(one.sink, state): n for one in places for state, n in one.states.items()}),
            metrics.WAITING.told({one.sink: max(0.0, now - since.get(one.sink, now)) for one in places}),
            metrics.PAUSED.told({one.sink: float(one.paused) for one in places}),
            metrics.OPEN.told({one.sink: float(one.open_until > now) for one in places}),
            metrics.LEARNED.told(float(learned)),
            metrics.DRIFTED.told(float(drifted)),
            metrics.PROCESSES.told(processes),
        ]
        if version:
            found += [metrics.MODEL.told(float(version.number)), metrics.MODEL_AGE.told(max(0.0, now - version.at))]
        return found

    def _count(self) -> Counted:
        with self._database.read() as connection:
            return Counted(
                bands=operation.bands(connection),
                places=way.standing(connection),
                since=operation.waiting(connection),
                letters=way.letters_by_connection(connection),
                stages=[(stage, state, n) for (stage, state), n in operation.letters(connection).items()],
            )
