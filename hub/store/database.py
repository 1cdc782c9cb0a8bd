"""One database, one writer: jobs that arrive together are committed together.

A durable commit costs a flush of the disk. So a single thread takes all the jobs that are waiting, runs them in one
transaction, commits once, and then tells them all. If one raises, nothing is committed and each is run again alone: it
undoes only itself. (Savepoints would do that too, but make SQLite copy every page a large job touches: 2 µs an event.)

What differs from engine to engine is in `hub.store.sqlite` and `hub.store.postgres`.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Protocol, Self, TypeVar

from sqlalchemy import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from hub import metrics
from hub.sdk.errors import ConfigError, HubError, RetryLaterError
from hub.store import schema, versions
from hub.store.bulk import insert_rows, run_rows

__all__ = ["ContendedError", "Database", "insert_rows", "run_rows"]

T = TypeVar("T")
_Work = tuple[Callable[[Connection], Any], Future[Any]]
_MOST_JOBS: Final = 64  # of one commit; bounds how long the first waits for the last
_ATTEMPTS: Final = 5  # of a job that others are in the way of
_JITTER: Final = 0.01  # seconds at most before the second attempt, twice that before each further one


class ContendedError(RetryLaterError):
    """Another transaction was quicker; nothing of this one happened, and it may be run again at once.

    A job may raise it too: the writer then runs it again, as if the database had said so.
    """


class Kind(Protocol):
    """What one engine does its own way.

    Attributes:
        name: the database as people know it, without secrets.
        reading: connections that see one consistent moment.
        writing: connections whose transactions may write.
    """

    name: str
    reading: Engine
    writing: Engine

    def look(self) -> versions.Found:
        """See what is there, changing nothing; raises as `refusal` says where nothing can be seen."""

    def lock(self, connection: Connection) -> None:
        """Keep everybody else from changing tables until this transaction ends."""

    def alone(self) -> AbstractContextManager[object]:
        """Keep other processes from preparing the same installation meanwhile."""

    def opened(self) -> None:
        """Its tables are as they should be."""

    def settle(self, connection: Connection) -> None:
        """Wait, before a commit, for statements of its transaction that nobody has waited for yet; raises theirs."""

    def between(self, connection: Connection) -> None:
        """Do, on the writer's connection, what belongs between two transactions."""

    def contended(self, error: Exception) -> bool:
        """Whether another transaction was in the way of this one."""

    def refusal(self, error: SQLAlchemyError) -> HubError:
        """What to raise where it cannot be used: `ConfigError`, or `RetryLaterError` where only time is needed."""

    def close(self) -> None:
        """Let go of everything."""


class Database:
    """The truth. Reads from any thread, writes through one.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://user:password@host:5432/database`.

    Raises:
        ConfigError: it cannot be used, is somebody else's, or was written by a newer program.
        RetryLaterError: it does not answer; a start that is tried again may find it.
    """

    def __init__(self, url: str) -> None:
        self.url = _parsed(url)
        self._kind = _kind(self.url)
        self.engine = self._kind.reading
        self._jobs: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        try:
            found = self._kind.look()
            versions.refuse(found, self._kind.name)
            if found.schema is None or found.schema < schema.VERSION:
                versions.ensure(self._kind.writing, self._kind.lock, self._kind.name)
            writer = self._kind.writing.connect()
        except SQLAlchemyError as error:
            self._kind.close()
            raise self._kind.refusal(error) from None
        except HubError:
            self._kind.close()
            raise
        self._kind.opened()
        metrics.QUEUE.set_function(self._jobs.qsize)
        self._thread = threading.Thread(target=self._run, args=[writer], name="database-writer", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """The database as people know it; its password is not in it."""
        return self._kind.name

    def write(self, job: Callable[[Connection], T]) -> Future[T]:
        """Run `job` inside a transaction, soon; the future is done when it is on disk, or holds what it raised.

        A job does nothing but read and write rows, for it may be run more than once: when another one of its commit
        raises, when others are in its way (after a few attempts the future holds `ContendedError`), when the
        connection was found lost.
        """
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # whoever stops waiting for it does not undo it, nor stop the writer
        self._jobs.put((job, future))
        return future

    def alone(self) -> AbstractContextManager[object]:
        """Let processes that start together take turns at what only the first of them should do."""
        return self._kind.alone()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one consistent moment; do not write through it."""
        with self._kind.reading.connect() as connection:
            yield connection

    def close(self) -> None:
        """Finish what was handed in, then stop the writer."""
        self._jobs.put(None)
        self._thread.join()
        self._kind.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, writer: Connection) -> None:
        with writer as connection:  # one that is lost is a new one at its next transaction
            while (first := self._jobs.get()) is not None:
                works, last = [first], False
                while len(works) < _MOST_JOBS and not self._jobs.empty():
                    work = self._jobs.get()
                    if work is None:
                        last = True
                        break
                    works.append(work)
                self._commit(connection, works)
                self._kind.between(connection)
                if last:
                    return

    def _commit(self, connection: Connection, works: list[_Work]) -> None:
        results: list[Any] = []
        ended = False
        try:
            with metrics.COMMIT.time(), connection.begin():
                for job, _ in works:
                    results.append(job(connection))
                self._kind.settle(connection)
                ended = True
        except Exception as error:  # noqa: BLE001 - it belongs to whoever handed the job in
            self._failed(connection, works, error, ended=ended)
            return
        metrics.JOBS.observe(len(works))
        for (_, future), result in zip(works, results, strict=True):
            future.set_result(result)

    def _failed(self, connection: Connection, works: list[_Work], error: Exception, *, ended: bool) -> None:
        """Nothing was committed, unless it `ended`: then nobody knows, and what raised is everybody's answer."""
        if ended and not self._contended(error):
            for _, future in works:
                future.set_exception(error)
        elif len(works) > 1 or self._contended(error) or connection.invalidated:
            for work in works:
                self._alone(connection, *work)
        else:
            works[0][1].set_exception(error)

    def _alone(self, connection: Connection, job: Callable[[Connection], Any], future: Future[Any]) -> None:
        """Each job answers for itself; a connection that was lost is a new one by now, if there is one to be had."""
        for attempt in range(_ATTEMPTS):
            time.sleep(random.uniform(0, _JITTER * 2**attempt) if attempt else 0)  # noqa: S311 - no secret
            try:
                with connection.begin():
                    result = job(connection)
                    self._kind.settle(connection)
            except Exception as error:  # noqa: BLE001 - it belongs to whoever handed the job in
                if not self._contended(error):
                    future.set_exception(error)
                    return
                metrics.AGAIN.inc()
                reason = error
            else:
                future.set_result(result)
                return
        future.set_exception(ContendedError(f"given up after {_ATTEMPTS} attempts: {reason}"))

    def _contended(self, error: Exception) -> bool:
        return isinstance(error, ContendedError) or self._kind.contended(error)


def look(url: str) -> tuple[str, versions.Found]:
    """What the database is called, and which schema it has; nothing is changed.

    Raises:
        ConfigError: it cannot be looked at.
        RetryLaterError: it does not answer.
    """
    kind = _kind(_parsed(url))
    try:
        return kind.name, kind.look()
    finally:
        kind.close()


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        raise ConfigError(
            "PULSEHUB_DATABASE_URL is no URL: use sqlite:///... or postgresql://user@host/database"
        ) from None


def _kind(url: URL) -> Kind:
    match url.get_backend_name():
        case "sqlite":
            from hub.store.sqlite import Sqlite  # noqa: PLC0415 - only the one in use is loaded

            return Sqlite(url)
        case "postgresql" | "postgres":
            from hub.store.postgres import Postgres  # noqa: PLC0415 - a file needs neither psycopg nor libpq

            return Postgres(url)
        case other:
            raise ConfigError(f"{other} is not a database this version runs on: use sqlite:///... or postgresql://...")
