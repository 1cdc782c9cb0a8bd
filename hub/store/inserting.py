"""Many rows into PostgreSQL by one statement: an array for each column, or COPY where all of many are new.

µs a row of 0.5 KB within its transaction, its commit left out, on the machine of `docs/performance.md`:

| rows in a call | one by one, pipelined | arrays | binary COPY |
|---|---|---|---|
| 1 | 191 | 173 | 170 |
| 20 | 68 | 27 | 23 |
| 100 | 51 | 11 | 10 |
| 300 | 43 | 8 | 7 |
| 4,000 | 50 | 13 | 9 |

COPY knows no conflicts: rows of an upsert would have to go through a temporary table, and the commit that empties it
takes another millisecond.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import psycopg
from psycopg.types.string import StrBinaryDumper
from sqlalchemy import BigInteger, Connection, Dialect, Double, Insert, Integer, LargeBinary, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from hub.store.arrays import array

Row = tuple[Any, ...]
_COPIED: Final = 100  # rows from which COPY is quicker by more than it varies
_ARRAYS: Final = "/*arrays*/"
_TYPES: Final[tuple[tuple[type[TypeEngine[Any]], str], ...]] = (
    (BigInteger, "int8"),
    (Integer, "int4"),
    (Double, "float8"),
    (LargeBinary, "bytea"),
)


class Way(NamedTuple):
    """How rows of one statement go. `copy` is empty where they may be there already."""

    types: tuple[str, ...]
    insert: str
    copy: str


def insert_all(connection: Connection, statement: Insert, rows: Sequence[Row]) -> int:
    """Run an insert once per tuple; returns how many rows it touched. Each key stands in `rows` once.

    Raises:
        DBAPIError: as any statement would; a lost connection is a new one afterwards.
    """
    ways: dict[Insert, Way] = connection.info.setdefault("ways", {})
    way = ways.get(statement) or ways.setdefault(statement, laid_out(connection.dialect, statement))
    if way.copy and len(rows) >= _COPIED:
        return _copy(connection, way, rows)
    columns = zip(*rows, strict=True)
    values = tuple(array(column, kind) for column, kind in zip(columns, way.types, strict=True))
    return connection.exec_driver_sql(way.insert, values).rowcount


def laid_out(dialect: Dialect, statement: Insert) -> Way:
    """How rows of a statement go; define it once, not per call. Its parameters are columns and nothing else.

    Raises:
        KeyError: one is no column.
    """
    into = statement.table
    names: list[str] = list(statement.compile(dialect=dialect).positiontup or ())
    types = tuple(_type(into.c[name].type) for name in names)
    taken = select(text("*")).select_from(text(f"unnest({_ARRAYS})"))
    copy = ""
    if statement._post_values_clause is None:  # noqa: SLF001 - says whether there is an ON CONFLICT
        statement = insert(into)
        quoted = ", ".join(dialect.identifier_preparer.quote(name) for name in names)
        copy = f"copy {into.name} ({quoted}) from stdin (format binary)"
    taking = str(statement.from_select(names, taken, include_defaults=False).compile(dialect=dialect))
    return Way(types, taking.replace(_ARRAYS, ", ".join(f"%s::{kind}[]" for kind in types)), copy)


def _type(kind: TypeEngine[Any]) -> str:
    return next((name for known, name in _TYPES if isinstance(kind, known)), "text")


def _copy(connection: Connection, way: Way, rows: Sequence[Row]) -> int:
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)  # noqa: S101 - for the type checker
    try:
        with raw.cursor() as cursor:
            cursor.adapters.register_dumper(str, StrBinaryDumper)  # in C; ours of the connection looks for NULs
            with cursor.copy(way.copy.encode()) as copy:
                copy.set_types(way.types)
                for row in _storable(rows):
                    copy.write_row(row)
            return cursor.rowcount
    except psycopg.Error as error:
        lost = raw.closed or raw.broken
        if lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            way.copy, None, error, psycopg.Error, connection_invalidated=lost, dialect=connection.dialect
        ) from error


def _storable(rows: Sequence[Row]) -> Sequence[Row]:
    """Texts without NUL characters, which PostgreSQL cannot hold: hardly any has one."""
    if "\0" not in "".join([value for row in rows for value in row if type(value) is str]):
        return rows
    return [tuple(value.replace("\0", "") if type(value) is str else value for value in row) for row in rows]
