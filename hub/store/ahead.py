"""Statements sent to PostgreSQL ahead: nobody waits for an answer before somebody needs it.

A step reads and writes a dozen tables. Whoever waits for each lets the server idle while the next rows are laid out,
and idles while the server stores them. What is sent ahead is run in the order in which it was sent; what became of it
is told where an answer is read, before any other statement, and at the end of the transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final

import psycopg
from psycopg import generators
from psycopg.pq import PipelineStatus
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

_AHEAD: Final = "ahead"  # in `Connection.info`, during a transaction: what leaves the pipeline


def listen(engine: Engine) -> None:
    """Let transactions of this engine send ahead."""
    event.listen(engine, "begin", _begin)
    event.listen(engine, "before_cursor_execute", _before)
    event.listen(engine, "commit", _end)
    event.listen(engine, "rollback", _give_up)


def may(connection: Connection) -> bool:
    """Whether this connection is in such a transaction."""
    return _AHEAD in connection.info


def send(connection: Connection, statement: str, values: tuple[Any, ...]) -> psycopg.Cursor[Any]:
    """Send a statement without waiting for what becomes of it.

    Raises:
        DBAPIError: of this one or of one sent before; a lost connection is a new one afterwards.
    """
    raw = _driver(connection)
    with _told(connection, raw):
        if raw.info.pipeline_status == PipelineStatus.OFF:
            connection.info[_AHEAD].enter_context(raw.pipeline())
        cursor = raw.cursor(row_factory=namedtuple_row).execute(statement, values)
        raw.wait(generators.send(raw.pgconn))  # all of it: what is large stays with us in part else, and nobody begins
        return cursor


def ask(connection: Connection, statement: str, values: tuple[Any, ...]) -> Sequence[Any]:
    """Rows of a question, with their columns as attributes; what was sent before it need not be waited for apart.

    Raises:
        DBAPIError: of this one or of one sent before.
    """
    return asked(connection, statement, values)()


def asked(connection: Connection, statement: str, values: tuple[Any, ...] = ()) -> Callable[[], Sequence[Any]]:
    """The same, sent now; whoever calls what is returned waits for the rows.

    Raises:
        DBAPIError: as `ask`, here or when it is called.
    """
    if not may(connection):
        rows = connection.exec_driver_sql(statement, values).all()
        return lambda: rows
    cursor = send(connection, statement, values)

    def heard() -> Sequence[Any]:
        with _told(connection, _driver(connection)):
            return cursor.fetchall()

    return heard


def settle(connection: Connection) -> None:
    """Wait for everything that was sent.

    Raises:
        DBAPIError: of the first that failed; the server has run none after it.
    """
    if may(connection):
        with _told(connection, _driver(connection)):
            connection.info[_AHEAD].close()


def _begin(connection: Connection) -> None:
    connection.info[_AHEAD] = ExitStack()


def _before(connection: Connection, *_: Any) -> None:
    settle(connection)


def _end(connection: Connection) -> None:
    try:
        settle(connection)
    except DBAPIError:
        if not connection.invalidated:
            _driver(connection).rollback()  # SQLAlchemy takes a commit that fails for ended
        raise
    connection.info.pop(_AHEAD, None)


def _give_up(connection: Connection) -> None:
    """What failed has been told: the transaction is undone."""
    if not (connection.closed or connection.invalidated):
        with suppress(psycopg.Error):
            connection.info.pop(_AHEAD, ExitStack()).close()


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)  # noqa: S101 - for the type checker
    return raw


@contextmanager
def _told(connection: Connection, raw: psycopg.Connection[Any]) -> Iterator[None]:
    """Raise what the driver says as SQLAlchemy does."""
    try:
        yield
    except psycopg.Error as error:
        if lost := raw.closed or raw.broken:
            connection.invalidate(error)
        raise DBAPIError.instance(
            None, None, error, psycopg.Error, connection_invalidated=lost, dialect=connection.dialect
        ) from error
