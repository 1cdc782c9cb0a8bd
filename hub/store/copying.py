"""Many rows into PostgreSQL by binary COPY: straight into a table, or beside it where rows may be there already.

COPY knows no conflicts. So rows of an upsert go into a temporary table, of which each connection has one for each table
it writes so; it is empty again after every commit. From there one statement takes them over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import psycopg
from psycopg.types.string import StrBinaryDumper
from sqlalchemy import (
    BigInteger,
    Connection,
    Double,
    Engine,
    Insert,
    Integer,
    LargeBinary,
    event,
    select,
    table,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

Row = tuple[Any, ...]
_TYPES: Final[tuple[tuple[type[TypeEngine[Any]], str], ...]] = (
    (BigInteger, "int8"),
    (Integer, "int4"),
    (Double, "float8"),
    (LargeBinary, "bytea"),
)


class _Way(NamedTuple):
    """How rows of one statement go: all but `types` and `copy` are empty where they go straight into the table."""

    types: tuple[str, ...]
    copy: str
    beside: str = ""
    create: str = ""
    take: str = ""


@dataclass(slots=True)
class _Beside:
    """The temporary tables of one connection."""

    kept: set[str] = field(default_factory=set)
    new: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    ways: dict[Insert, _Way] = field(default_factory=dict)

    def ended(self, *, kept: bool) -> None:
        """The transaction has: what it made is there for good, or never was; and all are empty."""
        if kept:
            self.kept |= self.new
        self.new.clear()
        self.used.clear()


def follow(engine: Engine) -> None:
    """Know what becomes of the temporary tables of this engine's connections."""
    event.listen(engine, "commit", _committed)
    event.listen(engine, "rollback", _rolled_back)


def copy_rows(connection: Connection, statement: Insert, rows: Sequence[Row]) -> int:
    """Run an insert once per tuple; returns how many rows it touched. Each key stands in `rows` once.

    Raises:
        DBAPIError: as any statement would; a lost connection is a new one afterwards.
    """
    beside: _Beside = connection.info.setdefault("beside", _Beside())
    way = beside.ways.get(statement) or beside.ways.setdefault(statement, _way(connection, statement))
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)  # noqa: S101 - for the type checker
    try:
        with raw.cursor() as cursor:
            cursor.adapters.register_dumper(str, StrBinaryDumper)  # in C; ours of the connection looks for NULs
            if way.beside in beside.used:
                cursor.execute(f"delete from {way.beside}".encode())
            elif way.beside and way.beside not in beside.kept | beside.new:
                cursor.execute(way.create.encode())
                beside.new.add(way.beside)
            with cursor.copy(way.copy.encode()) as copy:
                copy.set_types(way.types)
                for row in _storable(rows):
                    copy.write_row(row)
            if way.beside:
                beside.used.add(way.beside)
                cursor.execute(way.take.encode())
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


def _way(connection: Connection, statement: Insert) -> _Way:
    compiled = statement.compile(dialect=connection.dialect)
    names: list[str] = list(compiled.positiontup or ())
    columns = [statement.table.c[name] for name in names]
    quoted = ", ".join(connection.dialect.identifier_preparer.quote(name) for name in names)
    types = tuple(next((said for kind, said in _TYPES if isinstance(c.type, kind)), "text") for c in columns)
    name = statement.table.name
    if statement._post_values_clause is None:  # noqa: SLF001 - says whether there is an ON CONFLICT
        return _Way(types, f"copy {name} ({quoted}) from stdin (format binary)")
    beside = f"beside_{name}"
    taken = select(text(quoted)).select_from(table(beside))
    taking = statement.from_select(names, taken, include_defaults=False)
    return _Way(
        types,
        f"copy {beside} ({quoted}) from stdin (format binary)",
        beside,
        f"create temporary table {beside} (like {name}) on commit delete rows",
        str(taking.compile(dialect=connection.dialect)),
    )


def _committed(connection: Connection) -> None:
    _ended(connection, kept=True)


def _rolled_back(connection: Connection) -> None:
    _ended(connection, kept=False)


def _ended(connection: Connection, *, kept: bool) -> None:
    if not connection.invalidated and (beside := connection.info.get("beside")) is not None:
        beside.ended(kept=kept)
