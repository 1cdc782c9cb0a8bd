"""Import a file: read, map, append, remember how far; constant memory, any size.

The books of an import are closed: every row read is accepted, a duplicate or rejected, and every rejected row stands in
a file with its line number and the reason, those the map itself rejects included.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from hub.ingest.importing import progress
from hub.ingest.importing.mapping import Mapping
from hub.ingest.importing.opening import Opened, identity_of
from hub.ingest.importing.plan import Plan
from hub.ingest.importing.progress import Counts, Mark
from hub.ingest.importing.rejects import Rejects
from hub.ingest.importing.rows import CsvRows, JsonRows, Place, Row, rows_of
from hub.ingest.intake import Intake, Parcel, Sealed, seal
from hub.sdk.errors import ConfigError, MalformedError, RejectedError
from hub.sdk.events import Event

_AT_ONCE: Final = 1000  # rows of one append
_PAUSE: Final = 0.05  # seconds between looks at the lag
_MOST_REASONS: Final = 100  # told apart in the summary; a map's reasons and ours are far fewer


class Progress(NamedTuple):
    """Where an import is.

    Attributes:
        counts: so far, earlier runs included.
        taken: bytes of the file as it lies on the disk.
        size: of the file.
        waiting: whether it waits for scoring to catch up.
    """

    counts: Counts
    taken: int
    size: int
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """What an import came to.

    Attributes:
        counts: of all its runs.
        finished: False if it was stopped; the next run goes on.
        resumed_at: the line it went on from; 0 if it began anew.
        rejects: the file of rejected rows, or None if there are none.
        broken: why the file could not be read to its end, or None.
    """

    counts: Counts
    finished: bool
    resumed_at: int
    rejects: Path | None
    broken: str | None = None


class Preview(NamedTuple):
    """What a row would come to."""

    line: int
    events: list[Event]
    reason: str | None


@dataclass(slots=True)
class _Part:
    """Some rows, mapped and checked at one moment; `place` is behind them."""

    at: datetime
    place: Place
    rows: list[int] = field(default_factory=list)  # how many events each row that is not rejected has
    events: list[Sealed] = field(default_factory=list)
    rejected: list[tuple[Row, str]] = field(default_factory=list)

    @property
    def read(self) -> int:
        return len(self.rows) + len(self.rejected)


class _Sent(NamedTuple):
    part: _Part
    parcel: Parcel
    appended: Future[None]


class _Report(NamedTuple):
    on_progress: Callable[[Progress], None]
    opened: Opened
    mark: Mark

    def say(self, *, waiting: bool = False) -> None:
        self.on_progress(Progress(self.mark.counts, self.opened.taken, self.opened.size, waiting))


class Importer:
    """Imports one file by one map.

    Args:
        plan: the map.
        path: the file.
        intake: appends.
        folder: of the installation's data; marks and rejected rows are kept in `imports/` there.
        lag: events that scoring has yet to take; asked after every append.
        max_lag: beyond it the import waits until half of it is gone.

    Raises:
        ConfigError: the file cannot be read, or the map does not fit it.
    """

    def __init__(
        self,
        plan: Plan,
        path: Path,
        intake: Intake,
        folder: Path,
        *,
        lag: Callable[[], int] = lambda: 0,
        max_lag: int = 50_000,
    ) -> None:
        self._plan = plan
        self._path = path
        self._intake = intake
        self._lag = lag
        self._max_lag = max_lag
        opened, rows = self._open(Place(0, 0))
        opened.close()
        self._mapping = Mapping(plan, rows.columns)
        name = f"{plan.connection}-{identity_of(path)}-{plan.digest}"
        self._mark = folder / "imports" / f"{name}.json"
        self._rejects = folder / "imports" / f"{name}.rejected.csv"

    def preview(self, many: int) -> list[Preview]:
        """The first rows and what would become of them; nothing is written."""
        opened, rows = self._open(Place(0, 0))
        try:
            return [self._preview(row) for row in islice(rows, many)]
        except MalformedError as error:
            raise ConfigError(str(error)) from None
        finally:
            opened.close()

    def _preview(self, row: Row) -> Preview:
        try:
            sealed = self._sealed(row, datetime.now(UTC))
        except RejectedError as error:
            return Preview(row.line, [], str(error))
        return Preview(row.line, [one.event for one in sealed], None)

    def read(self, on_progress: Callable[[Progress], None] = lambda _progress: None) -> Iterator[list[Event]]:
        """All events of the file, mapped and checked, some at a time; nothing is written.

        Raises:
            MalformedError: the file breaks off, or cannot be read further.
        """
        opened, rows = self._open(Place(0, 0))
        counts = Counts()
        try:
            for part in self._parts(rows):
                counts.accepted += len(part.rows)
                counts.events += len(part.events)
                _count_rows(counts, part)
                on_progress(Progress(counts, opened.taken, opened.size))
                yield [one.event for one in part.events]
        finally:
            opened.close()

    def run(
        self,
        on_progress: Callable[[Progress], None] = lambda _progress: None,
        stop: threading.Event | None = None,
    ) -> Summary:
        """Import from where the last run stopped, or from the beginning; returns when all is durably on the log.

        Args:
            on_progress: called after every append, and while waiting.
            stop: set it to end after the append in hand.
        """
        self._mark.parent.mkdir(parents=True, exist_ok=True)
        mark = progress.load(self._mark)
        resumed_at = mark.line
        opened, rows = self._open(Place(mark.offset, mark.line))
        try:
            with Rejects(self._rejects, mark.rejects) as rejects:
                report = _Report(on_progress, opened, mark)
                broken, finished = self._run(rows, mark, rejects, report, stop or threading.Event())
        finally:
            opened.close()
        if finished:
            self._mark.unlink(missing_ok=True)
        return Summary(mark.counts, finished, resumed_at, self._rejects if mark.counts.rejected else None, broken)

    def _run(
        self,
        rows: CsvRows | JsonRows,
        mark: Mark,
        rejects: Rejects,
        report: _Report,
        stop: threading.Event,
    ) -> tuple[str | None, bool]:
        """Read and map a part while the one before is on its way; `(why it is broken, whether all of it was read)`."""
        parts = self._parts(rows)
        sent: _Sent | None = None
        broken: str | None = None
        while True:
            try:
                part = next(parts, None)
            except MalformedError as error:
                part, broken = None, str(error)
            if sent is not None:
                self._settle(sent, mark, rejects)
                report.say()
            if part is None:
                return broken, broken is None
            self._wait(stop, report)
            if stop.is_set():
                return None, False
            rejects.write(part.rejected)
            parcel = self._intake.pack(part.events, datetime.now(UTC).timestamp())
            sent = _Sent(part, parcel, self._intake.append(parcel))

    def _parts(self, rows: CsvRows | JsonRows) -> Iterator[_Part]:
        """Rows by the thousand, mapped and checked."""
        part = _Part(datetime.now(UTC), rows.place)
        reading = iter(rows)
        while True:
            try:
                row = next(reading, None)
            except MalformedError:
                yield part
                raise
            if row is not None:
                self._take(row, part)
            part.place = rows.place
            if row is None or part.read >= _AT_ONCE:
                yield part
                part = _Part(datetime.now(UTC), rows.place)
            if row is None:
                return

    def _take(self, row: Row, part: _Part) -> None:
        try:
            events = self._sealed(row, part.at)
        except RejectedError as error:
            part.rejected.append((row, str(error)))
            return
        part.rows.append(len(events))
        part.events.extend(events)

    def _sealed(self, row: Row, now: datetime) -> list[Sealed]:
        if row.problem is not None:
            raise RejectedError(row.problem)
        return [seal(event, self._plan.connection, now) for event in self._mapping.events(row.cells)]

    def _settle(self, sent: _Sent, mark: Mark, rejects: Rejects) -> None:
        """Wait until a part is on disk, then say so."""
        sent.appended.result()
        _count(mark.counts, sent.part, sent.parcel)
        mark.offset, mark.line = sent.part.place
        mark.rejects = rejects.size
        progress.save(self._mark, mark)

    def _wait(self, stop: threading.Event, report: _Report) -> None:
        """Let scoring catch up, so that the log does not grow without bound."""
        if self._lag() <= self._max_lag:
            return
        while self._lag() > self._max_lag // 2 and not stop.is_set():
            report.say(waiting=True)
            stop.wait(_PAUSE)

    def _open(self, place: Place) -> tuple[Opened, CsvRows | JsonRows]:
        opened = Opened(self._path)
        try:
            return opened, rows_of(opened, self._plan, place)
        except (ConfigError, MalformedError) as error:
            opened.close()
            raise ConfigError(str(error)) from None


def _count(counts: Counts, part: _Part, parcel: Parcel) -> None:
    fresh = iter(parcel.fresh)
    for many in part.rows:
        is_new = [next(fresh) for _ in range(many)]
        if any(is_new):
            counts.accepted += 1
        else:
            counts.duplicates += 1
    counts.events += parcel.accepted
    _count_rows(counts, part)


def _count_rows(counts: Counts, part: _Part) -> None:
    counts.read += part.read
    counts.rejected += len(part.rejected)
    for _, reason in part.rejected:
        known = reason in counts.reasons or len(counts.reasons) < _MOST_REASONS
        name = reason if known else "other"
        counts.reasons[name] = counts.reasons.get(name, 0) + 1
