"""One database, one writer: jobs that arrive together are committed together.

A durable commit costs a flush of the disk. So a single thread takes all the jobs that are waiting, runs them in one
transaction, commits once, and then tells them all. If one raises, nothing is committed and each is run again alone: it
undoes only itself. (Savepoints would do that too, but make SQLite copy every page a large job touches: 2 µs an event.)
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine, Insert, Update, create_engine, event, insert, make_url, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from hub.sdk.errors import ConfigError
from hub.store import schema
from hub.store.checkpoints import BACKSTOP, Checkpoints

T = TypeVar("T")
_Work = tuple[Callable[[Connection], Any], Future[Any]]
_MOST_JOBS = 64  # of one commit; bounds how long the first waits for the last


class Database:
    """The truth. Reads from any thread, writes through one.

    Args:
        url: as SQLAlchemy reads it: `sqlite:///relative.db`, `sqlite:////absolute.db`.

    Raises:
        ConfigError: the file cannot be used, is somebody else's, or was written by another version of the schema.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        if self.url.get_backend_name() != "sqlite":
            raise ConfigError(
                f"{self.url.get_backend_name()} is not a database this version runs on; use sqlite:///..."
            )
        if self.url.database in {None, "", ":memory:"}:
            raise ConfigError(f"{url} names no file; use sqlite:///relative.db or sqlite:////absolute.db")
        _refuse_others(Path(self.url.database or ""))
        self.engine = _sqlite(url)
        self._jobs: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        try:
            self._ensure_schema()
        except SQLAlchemyError as error:
            self.engine.dispose()
            reason = getattr(error, "orig", None) or error
            raise ConfigError(f"cannot use the database {self.url.database}: {reason}") from None
        self._checkpoints = Checkpoints(Path(self.url.database or ""))
        self._thread = threading.Thread(target=self._run, name="database-writer", daemon=True)
        self._thread.start()

    def write(self, job: Callable[[Connection], T]) -> Future[T]:
        """Run `job` inside a transaction, soon; the future is done when it is on disk, or holds what it raised.

        A job does nothing but read and write rows: when another one of its commit raises, it is run a second time.
        """
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # whoever stops waiting for it does not undo it, nor stop the writer
        self._jobs.put((job, future))
        return future

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one consistent moment; do not write through it."""
        with self.engine.connect() as connection:
            yield connection

    def close(self) -> None:
        """Finish what was handed in, then stop the writer."""
        self._jobs.put(None)
        self._thread.join()
        self._checkpoints.close()
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ensure_schema(self) -> None:
        with self.engine.connect().execution_options(writer=True) as connection, connection.begin():
            schema.metadata.create_all(connection)
            found = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "schema"))
            if found is None:
                connection.execute(insert(schema.meta).values(key="schema", value=str(schema.VERSION)))

    def _run(self) -> None:
        with self.engine.connect().execution_options(writer=True) as connection:
            while (first := self._jobs.get()) is not None:
                works, last = [first], False
                while len(works) < _MOST_JOBS and not self._jobs.empty():
                    work = self._jobs.get()
                    if work is None:
                        last = True
                        break
                    works.append(work)
                self._commit(connection, works)
                if last:
                    return

    def _commit(self, connection: Connection, works: list[_Work]) -> None:
        results: list[Any] = []
        try:
            with connection.begin():
                for job, _ in works:
                    results.append(job(connection))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever handed the job in
            if len(works) > 1 and len(results) < len(works):
                for work in works:  # nothing was committed; alone, each job answers for itself
                    self._commit(connection, [work])
                return
            for _, future in works:
                future.set_exception(error)
            return
        for (_, future), result in zip(works, results, strict=True):
            future.set_result(result)


def _refuse_others(path: Path) -> None:
    """Look before anything is written, even a pragma: what is not ours, or of another version, stays as it is."""
    if not path.is_file():
        return
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=30)) as connection:
            names = {name for (name,) in connection.execute("select name from sqlite_schema where type = 'table'")}
            asked = "select value from meta where key = 'schema'"
            found = connection.execute(asked).fetchone() if schema.meta.name in names else None
    except sqlite3.Error as error:
        raise ConfigError(f"cannot use the database {path}: {error}") from None
    if names and schema.meta.name not in names:
        raise ConfigError(f"{path} is a database, but not one of ours: give us another PULSEHUB_DATA")
    if found and found[0] != str(schema.VERSION):
        raise ConfigError(
            f"{path} has schema {found[0]} and this program speaks {schema.VERSION}: "
            "start the version that wrote it, or begin with an empty PULSEHUB_DATA",
        )


def _sqlite(url: str) -> Engine:
    engine = create_engine(url, poolclass=QueuePool, pool_size=8, max_overflow=32)

    @event.listens_for(engine, "connect")
    def _connected(raw: Any, _record: Any) -> None:
        raw.isolation_level = None  # we say BEGIN ourselves, see _begin
        for pragma in (
            "journal_mode=wal",
            "journal_size_limit=67108864",  # a burst may make the WAL long; it need not stay so
            "synchronous=full",
            f"wal_autocheckpoint={BACKSTOP}",
            "cache_size=-65536",
            "busy_timeout=30000",
            "foreign_keys=on",
        ):
            raw.execute(f"pragma {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writer") else "BEGIN")

    return engine


def insert_rows(connection: Connection, statement: Insert, rows: list[tuple[Any, ...]]) -> None:
    """Run a prepared insert once per tuple, in the order of the table's columns, at the driver's speed.

    Dictionaries through SQLAlchemy cost more than SQLite itself here; the statement is still SQLAlchemy's, so it
    reads the same on every database.
    """
    run_rows(connection, statement, rows)


def run_rows(connection: Connection, statement: Insert | Update, rows: list[tuple[Any, ...]]) -> int:
    """As `insert_rows`, for any statement: values in the order in which its parameters stand.

    The statement is remembered with the connection: define it once, not per call. Returns how many rows it touched.
    """
    return connection.exec_driver_sql(_compiled(connection, statement), rows).rowcount if rows else 0


def _compiled(connection: Connection, statement: Insert | Update) -> str:
    cache: dict[Insert | Update, str] = connection.info.setdefault("compiled", {})
    if statement not in cache:
        cache[statement] = str(statement.compile(dialect=connection.dialect))
    return cache[statement]
