"""Read the rows of many keys: PostgreSQL takes an array, SQLite a few hundred at a time, for it counts parameters."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, LargeBinary, Select, literal_column
from sqlalchemy.sql.elements import ColumnElement

_CHUNK: Final = {"sqlite": 500, "postgresql": 10_000}
_KEYS: Final = "/*keys*/"


class Among:
    """A question about many keys. Define it once, where it is asked often: laying it out costs more than asking.

    The statement is SQLAlchemy's and the keys go to the driver as they are: SQLAlchemy takes 5 µs to lay out a key,
    more than SQLite takes to look it up. PostgreSQL takes them as one array for each column, and so sees one statement
    however many there are.

    Args:
        statement: what is asked of each.
        columns: what a key must equal: a column, or several, and a key is a tuple then.
    """

    def __init__(self, statement: Select[Any], *columns: ColumnElement[Any]) -> None:
        self._statement = statement
        self._columns = columns
        self._several = len(columns) > 1
        self._mark = f"({','.join('?' * len(columns))})" if self._several else "?"
        self._written: dict[str, tuple[str, str]] = {}

    def rows(self, connection: Connection, keys: Collection[Any]) -> Iterator[Any]:
        """Rows of the statement whose columns are one of `keys` (texts or bytes); in no order across chunks.

        They have the columns as attributes, whatever reads them.
        """
        wanted = sorted(keys)
        if not wanted:
            return
        before, behind = self._written.get(connection.dialect.name) or self._write(connection)
        chunk = _CHUNK[connection.dialect.name]
        for start in range(0, len(wanted), chunk):
            some = wanted[start : start + chunk]
            if connection.dialect.name == "postgresql":
                from hub.store.ahead import ask  # noqa: PLC0415 - a file needs no psycopg

                yield from ask(connection, f"{before}{behind}", self._arrays(some))
            else:
                marks = ",".join([self._mark] * len(some))
                values = tuple(chain.from_iterable(some)) if self._several else tuple(some)
                yield from connection.exec_driver_sql(f"{before}{marks}{behind}", values)

    def _arrays(self, keys: Sequence[Any]) -> tuple[Any, ...]:
        from hub.store.arrays import array  # noqa: PLC0415 - a file needs no psycopg

        columns = zip(*keys, strict=True) if self._several else (keys,)
        return tuple(array(some, _type(column)) for column, some in zip(self._columns, columns, strict=True))

    def _write(self, connection: Connection) -> tuple[str, str]:
        dialect = connection.dialect
        names, arrays = ", ".join(str(column) for column in self._columns), ""
        if dialect.name == "postgresql":
            arrays = ", ".join(f"%s::{_type(column)}[]" for column in self._columns)
            held = f"({names}) IN (SELECT * FROM unnest({_KEYS}))" if self._several else f"{names} = ANY({_KEYS})"
        else:
            held = f"({names}) IN ({'VALUES ' if self._several else ''}{_KEYS})"
        asked = self._statement.where(literal_column(held))
        compiled = asked.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        before, _, behind = str(compiled).rpartition(_KEYS)
        self._written[dialect.name] = f"{before}{arrays}", behind
        return self._written[dialect.name]


def _type(column: ColumnElement[Any]) -> str:
    return "bytea" if isinstance(column.type, LargeBinary) else "text"


def among(
    connection: Connection,
    statement: Select[Any],
    column: ColumnElement[Any],
    keys: Collection[Any],
) -> Iterator[Any]:
    """The same for a statement that is asked once in a while."""
    return Among(statement, column).rows(connection, keys)
