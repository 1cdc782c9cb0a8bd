"""The stream of an embedded installation: topics with partitions and offsets in one SQLite file.

A durable commit costs a flush of the disk, so one thread takes all that is waiting and commits it once. Several
processes may append to one file: offsets are given inside the transaction, and a process may die at any moment.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, TypeVar

from yarl import URL

from hub.sdk.errors import ConfigError
from hub.store.checkpoints import Checkpoints
from hub.streams.batches import Batched
from hub.streams.log import Entry, LogError
from hub.streams.sqlite import trimming
from hub.streams.sqlite.logfile import (
    PARTITIONS,
    TOPICS,
    Extra,
    LogReader,
    connect,
    create,
    encode_extras,
    encode_records,
    partitions_of,
    path_of,
    position,
    refuse_others,
)
from hub.streams.topics import TopicSpec

T = TypeVar("T")
Listener = Callable[[Iterable[str]], None]

_MOST_ENTRIES: Final = 20_000  # of one commit; bounds how long the first waits for the last
_SEGMENT: Final = 256  # records; a reader that wants a few decodes them all
_LOOK: Final = 0.02  # seconds between looks for what other processes appended


class _Append(NamedTuple):
    entries: Sequence[Entry]
    counts: Mapping[str, int]
    future: Future[Any]
    located: bool = False  # whether the future holds the offset of the (one) entry


class _Job(NamedTuple):
    run: Callable[[sqlite3.Connection], Any]
    future: Future[Any]


class SqliteLog(LogReader):
    """A log open for reading and appending; safe from any thread, and beside other processes.

    Args:
        path: the file; made when it is not there.
        partitions: of each topic, if the file is new; an older file keeps what it was made with.

    Raises:
        ConfigError: the file cannot be opened or made, is no log, or has another format.
    """

    def __init__(self, path: Path, partitions: int = 8) -> None:
        if not 1 <= partitions <= PARTITIONS:
            raise ConfigError(f"a log has 1 to {PARTITIONS} partitions, not {partitions}")
        refuse_others(path)
        self._writing = connect(path)
        try:
            create(self._writing, partitions)
            partitions_of(self._writing, path)
        except sqlite3.Error as error:
            raise ConfigError(f"cannot use the log {path}: {error}") from None
        super().__init__(path)
        self._checkpoints = Checkpoints(path)
        self._works: queue.SimpleQueue[_Append | _Job | None] = queue.SimpleQueue()
        self._listeners: list[Listener] = []
        self._closed = threading.Event()
        self._closing = threading.Lock()
        self._writer = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._watcher = threading.Thread(target=self._watch, name="log-watcher", daemon=True)
        self._writer.start()
        self._watcher.start()

    @classmethod
    def at(cls, url: str, partitions: int = 8) -> Self:
        """The log at `sqlite:///relative.db` or `sqlite:////absolute.db`; its folder is made.

        Raises:
            ConfigError: the URL names another kind of stream, or no file.
        """
        path = path_of(url)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"cannot make the folder of the log {path}: {error.strerror}") from None
        return cls(path, partitions)

    def app(self, name: str) -> tuple[str, Sequence[Any]]:
        """See `hub.streams.log.Log`."""
        return f"pulsehub.{name}", [URL.build(scheme="sqlite", path=f"/{self.path}")]

    def named(self, topic: str) -> str:
        """As we call it."""
        return topic

    def transport(self, app: Any, batched: Mapping[str, Batched]) -> Any:
        """See `hub.streams.log.Log`."""
        from hub.streams.sqlite.transport import Transport  # noqa: PLC0415 - which needs us

        return Transport(self.app(app.conf.id)[1], app, log=self, batched=batched)

    def declare(self, spec: TopicSpec, partitions: int | None = None) -> None:
        """Make the topic if it is not there. What is there keeps its partitions and takes the new retention."""
        number = partitions or self.partitions
        if not 1 <= number <= PARTITIONS:
            raise ConfigError(f"topic {spec.name} cannot have {number} partitions")
        self._do(lambda connection: _declare(connection, spec, number)).result()
        self._topics = {}

    def begin(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Give the first records of these partitions of an empty topic such offsets instead of 0."""
        rows = [(offset, offset, self.topic(topic).id, partition) for partition, offset in offsets.items()]
        self._do(lambda connection: _begin(connection, rows)).result()

    def append(self, entries: Sequence[Entry], counts: Mapping[str, int] | None = None) -> Future[None]:
        """Add records and add to the counters, both or neither; the future is done when they are on disk.

        It raises `LogError` when the disk is full or the file cannot be written: nothing was added then.

        Raises:
            KeyError: nobody has declared the topic.
            ValueError: the topic has no such partition, or key or value are not bytes.
        """
        for entry in entries:
            self._check(entry)
        future: Future[None] = Future()
        self._put(_Append(entries, counts or {}, future))
        return future

    def append_one(self, entry: Entry) -> Future[int]:
        """As `append`; the future holds the offset it was given."""
        self._check(entry)
        future: Future[int] = Future()
        self._put(_Append((entry,), {}, future, located=True))
        return future

    def commit(self, consumers: str, offsets: Mapping[tuple[str, int], int]) -> Future[None]:
        """Remember from where a group of ordinary Faust consumers goes on."""
        rows = [(consumers, self.topic(name).id, number, next_) for (name, number), next_ in offsets.items()]
        return self._do(lambda connection: _keep_committed(connection, rows))

    def trim(self, now: float, needed: Mapping[str, Mapping[int, int]]) -> int:
        """Let go of what no reader needs: past its retention, or superseded where the topic is compact.

        Args:
            now: unix seconds.
            needed: by topic and partition, the lowest offset a reader has yet to read; nothing from it on is
                touched. Topics that are not named have no readers to wait for.

        Returns:
            How many records went. Done in small transactions, so appends hardly wait.
        """
        gone = 0
        for topic in self.topics().values():
            wanted = needed.get(topic.name)
            for partition in range(topic.partitions):
                limit = None if wanted is None else wanted.get(partition, 0)
                gone += trimming.trim(lambda job: self._do(job).result(), topic, partition, limit, now)
        return gone

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with the topics appended to: at once for this process, within about 20 ms for others.

        What others appended is not known by topic: it is called with none then. It is called on the log's threads,
        must not wait, and may be called for nothing. Returns what ends it.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def close(self) -> None:
        """Write what was handed in, then let go of the file."""
        with self._closing:
            if self._closed.is_set():
                return
            self._closed.set()
            self._works.put(None)
        self._writer.join()
        self._watcher.join()
        self._checkpoints.close()
        self._writing.close()
        super().close()

    def _check(self, entry: Entry) -> None:
        if not 0 <= entry.partition < self.topic(entry.topic).partitions:
            raise ValueError(f"topic {entry.topic} has no partition {entry.partition}")
        if type(entry.key) not in _BYTES or type(entry.value) not in _BYTES:
            raise ValueError("key and value of a record are bytes")

    def _do(self, job: Callable[[sqlite3.Connection], T]) -> Future[T]:
        future: Future[T] = Future()
        self._put(_Job(job, future))
        return future

    def _put(self, work: _Append | _Job) -> None:
        with self._closing:
            if not self._closed.is_set():
                self._works.put(work)
                return
        raise LogError(f"the log {self.path} is closed")

    def _run(self) -> None:
        while works := self._gather():
            for kind, group in groupby(works, key=type):
                if kind is _Append:
                    self._append([work for work in group if isinstance(work, _Append)])
                else:
                    for work in group:
                        if isinstance(work, _Job):
                            self._work(work)
            self._checkpoints.between(self._writing)

    def _gather(self) -> list[_Append | _Job]:
        """Wait for work, then take all that is there, up to a bound; nothing once the log is closed."""
        works: list[_Append | _Job] = []
        left = _MOST_ENTRIES
        while left > 0 and (not works or not self._works.empty()):
            work = self._works.get()
            if work is None:
                if works:
                    self._works.put(None)
                break
            works.append(work)
            left -= len(work.entries) if isinstance(work, _Append) else 1
        return works

    def _work(self, job: _Job) -> None:
        self._transact([job.future], lambda connection: [job.run(connection)])

    def _append(self, appends: Sequence[_Append]) -> None:
        def write(connection: sqlite3.Connection) -> list[int | None]:
            groups: dict[tuple[str, int], list[Entry]] = defaultdict(list)
            counts: dict[str, int] = defaultdict(int)
            places = [0] * len(appends)
            for number, work in enumerate(appends):
                for entry in work.entries:
                    group = groups[entry.topic, entry.partition]
                    places[number] = len(group)
                    group.append(entry)
                for name, value in work.counts.items():
                    counts[name] += value
            firsts = {at: _extend(connection, self.topic(at[0]).id, at[1], group) for at, group in groups.items()}
            connection.executemany(
                "insert into counters values (?, ?) on conflict do update set value = value + excluded.value",
                counts.items(),
            )
            return [
                firsts[work.entries[0].topic, work.entries[0].partition] + place if work.located else None
                for work, place in zip(appends, places, strict=True)
            ]

        if self._transact([work.future for work in appends], write):
            self._tell({entry.topic for work in appends for entry in work.entries})

    def _transact(self, futures: Sequence[Future[Any]], run: Callable[[sqlite3.Connection], Sequence[Any]]) -> bool:
        """Run and commit; give each future its result, or all of them what went wrong."""
        connection = self._writing
        waiting = [future.set_running_or_notify_cancel() for future in futures]
        try:
            connection.execute("begin immediate")
            results = run(connection)
            connection.execute("commit")
        except Exception as error:  # noqa: BLE001 - whoever waits for it is told, whatever it is
            if connection.in_transaction:
                connection.execute("rollback")
            if isinstance(error, sqlite3.Error):
                error = LogError(f"cannot write the log {self.path}: {error}")
            for future, waits in zip(futures, waiting, strict=True):
                if waits:
                    future.set_exception(error)
            return False
        for future, waits, result in zip(futures, waiting, results, strict=True):
            if waits:
                future.set_result(result)
        return True

    def _watch(self) -> None:
        own = LogReader(self.path)
        seen = own.version()
        while not self._closed.wait(_LOOK):
            version = own.version()
            if version != seen:
                seen = version
                self._tell(())
        own.close()

    def _tell(self, topics: Iterable[str]) -> None:
        for listener in list(self._listeners):
            listener(topics)


_BYTES: Final = (bytes, type(None))


def _declare(connection: sqlite3.Connection, spec: TopicSpec, partitions: int) -> None:
    found = connection.execute("select id from topics where name = ?", (spec.name,)).fetchone()
    if found:
        connection.execute(
            "update topics set retention = ?, compact = ? where id = ?",
            (spec.retention, spec.compact, found[0]),
        )
        return
    number = connection.execute("select coalesce(max(id), 0) + 1 from topics").fetchone()[0]
    if number > TOPICS:
        raise ConfigError(f"a log holds {TOPICS} topics; {spec.name} is one too many")
    connection.execute(
        "insert into topics values (?, ?, ?, ?, ?)",
        (number, spec.name, partitions, spec.retention, spec.compact),
    )
    connection.executemany(
        "insert into partitions (topic, partition) values (?, ?)",
        [(number, partition) for partition in range(partitions)],
    )


def _begin(connection: sqlite3.Connection, rows: Sequence[tuple[int, int, int, int]]) -> None:
    connection.executemany(
        "update partitions set start = ?, next = ? where topic = ? and partition = ? and next = 0", rows
    )


def _keep_committed(connection: sqlite3.Connection, rows: Sequence[tuple[str, int, int, int]]) -> None:
    connection.executemany(
        "insert into committed values (?, ?, ?, ?) on conflict do update set next = excluded.next",
        rows,
    )


def _extend(connection: sqlite3.Connection, topic: int, partition: int, entries: Sequence[Entry]) -> int:
    """Put entries behind the end of a partition; returns the offset of the first."""
    (start,) = connection.execute(
        "select next from partitions where topic = ? and partition = ?",
        (topic, partition),
    ).fetchone()
    for first in range(0, len(entries), _SEGMENT):
        part = entries[first : first + _SEGMENT]
        offset = start + first
        records = [
            (partition, number, entry.timestamp, entry.key, entry.value or b"", entry.producer, entry.sequence)
            for number, entry in enumerate(part, offset)
        ]
        extras = {
            number: Extra(tuple(entry.headers), entry.value is None)
            for number, entry in enumerate(part, offset)
            if entry.headers or entry.value is None
        }
        connection.execute(
            "insert into segments values (?, ?, ?, ?, ?)",
            (
                position(topic, partition, offset),
                offset + len(part),
                max(entry.timestamp for entry in part),
                encode_records(records),
                encode_extras(extras) if extras else None,
            ),
        )
    connection.execute(
        "update partitions set next = ? where topic = ? and partition = ?",
        (start + len(entries), topic, partition),
    )
    return int(start)
