"""Many rows at the driver's speed: tuples in, in the order of a statement's parameters.

Dictionaries through SQLAlchemy cost more than SQLite itself here; the statement is still SQLAlchemy's, so it reads the
same on every database.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Insert, Update


def insert_rows(connection: Connection, statement: Insert, rows: list[tuple[Any, ...]]) -> None:
    """Run a prepared insert once per tuple. An upsert's rows hold each key once.

    PostgreSQL's is sent ahead (`hub.store.ahead`): what is wrong with it is raised by a later statement, or when the
    transaction ends.
    """
    if rows and connection.dialect.name == "postgresql":
        from hub.store.inserting import insert_ahead  # noqa: PLC0415 - a file needs neither psycopg nor libpq

        insert_ahead(connection, statement, rows)
    else:
        run_rows(connection, statement, rows)


def run_rows(connection: Connection, statement: Insert | Update, rows: list[tuple[Any, ...]]) -> int:
    """As `insert_rows`, for any statement, and waits; returns how many rows it touched.

    The statement is remembered with the connection: define it once, not per call.
    """
    if not rows:
        return 0
    if isinstance(statement, Insert) and connection.dialect.name == "postgresql":
        from hub.store.inserting import insert_all  # noqa: PLC0415 - a file needs neither psycopg nor libpq

        return insert_all(connection, statement, rows)
    return connection.exec_driver_sql(_compiled(connection, statement), rows).rowcount


def _compiled(connection: Connection, statement: Insert | Update) -> str:
    cache: dict[Insert | Update, str] = connection.info.setdefault("compiled", {})
    if statement not in cache:
        cache[statement] = str(statement.compile(dialect=connection.dialect))
    return cache[statement]
