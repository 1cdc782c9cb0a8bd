"""The database as a file: SQLite, with one writer, made durable."""

from __future__ import annotations

import sqlite3
import time
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from hub.sdk.errors import ConfigError, HubError
from hub.store import schema
from hub.store.checkpoints import BACKSTOP, KEPT, Checkpoints
from hub.store.versions import Found

_PATIENCE: Final = 30  # seconds to wait for another one's lock


class Sqlite:
    """What `hub.store.database` asks of a file.

    Args:
        url: `sqlite:///relative.db` or `sqlite:////absolute.db`.

    Raises:
        ConfigError: the URL names no file.
    """

    def __init__(self, url: URL) -> None:
        if url.database in {None, "", ":memory:"}:
            raise ConfigError(f"{url} names no file; use sqlite:///relative.db or sqlite:////absolute.db")
        self.name = url.database or ""
        self.reading: Engine = create_engine(
            url, poolclass=QueuePool, pool_size=8, max_overflow=32, hide_parameters=True
        )
        self.writing: Engine = self.reading.execution_options(writer=True)
        event.listen(self.reading, "connect", _connected)
        event.listen(self.reading, "begin", _begin)
        self._checkpoints: Checkpoints | None = None

    def look(self) -> Found:
        """Look before anything is written, even a pragma: what is not ours, or of another version, stays as it is.

        Raises:
            ConfigError: it is no database, or cannot be read.
        """
        path = Path(self.name)
        if not path.is_file():
            return Found(empty=True)
        try:
            with closing(
                sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_PATIENCE)
            ) as connection:
                names = {name for (name,) in connection.execute("select name from sqlite_schema where type = 'table'")}
                rows = connection.execute("select key, value from meta") if schema.meta.name in names else ()
                return Found.of(names, dict(rows))
        except sqlite3.Error as error:
            raise ConfigError(f"cannot use the database {self.name}: {error}") from None

    def lock(self, connection: Connection) -> None:
        """Nobody else changes tables until this transaction ends: a file has one writer."""

    def alone(self) -> AbstractContextManager[object]:
        """Whoever runs a data folder is alone anyway."""
        return nullcontext()

    def opened(self) -> None:
        """Its tables are as they should be: begin to keep the write-ahead log short."""
        self._checkpoints = Checkpoints(Path(self.name))

    def settle(self, connection: Connection) -> None:
        """Nothing: each statement is done when it returns."""

    def between(self, connection: Connection) -> None:
        """Move what little the write-ahead log still holds, when it is time to."""
        if self._checkpoints:
            self._checkpoints.between(cast("sqlite3.Connection", connection.connection.driver_connection))

    def contended(self, error: Exception) -> bool:  # noqa: ARG002 - every engine is asked
        """Whether another transaction was in the way: a file has one writer, so none ever is."""
        return False

    def refusal(self, error: SQLAlchemyError) -> HubError:
        """What to raise where it cannot be used: why."""
        return ConfigError(f"cannot use the database {self.name}: {getattr(error, 'orig', None) or error}")

    def close(self) -> None:
        """Leave nothing behind but the file."""
        if self._checkpoints:
            self._checkpoints.close()
        self.reading.dispose()


def _connected(raw: Any, _record: Any) -> None:
    raw.isolation_level = None  # we say BEGIN ourselves, see _begin
    raw.execute(f"pragma busy_timeout={_PATIENCE * 1000}")
    _ahead_of_writes(raw)
    for pragma in (
        f"journal_size_limit={KEPT}",
        "synchronous=full",
        f"wal_autocheckpoint={BACKSTOP}",
        "cache_size=-65536",
        "foreign_keys=on",
    ):
        raw.execute(f"pragma {pragma}")


def _ahead_of_writes(raw: Any) -> None:
    """Let the file have a write-ahead log. While another one writes to a file without, SQLite refuses at once."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            raw.execute("pragma journal_mode=wal")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writer") else "BEGIN")
