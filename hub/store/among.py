"""Read the rows of many keys, a few hundred at a time: a database takes only so many parameters."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, literal_column
from sqlalchemy.sql.elements import ColumnElement

_CHUNK: Final = 500
_KEYS: Final = "/*keys*/"


class Among:
    """A question about many keys. Define it once, where it is asked often: laying it out costs more than asking.

    The statement is SQLAlchemy's and the keys go to the driver as they are: SQLAlchemy takes 5 µs to lay out a key,
    more than SQLite takes to look it up.

    Args:
        statement: what is asked of each.
        columns: what a key must equal: a column, or several, and a key is a tuple then.
    """

    def __init__(self, statement: Select[Any], *columns: ColumnElement[Any]) -> None:
        self._columns = columns
        if len(columns) == 1:
            self._asked = statement.where(columns[0].in_([literal_column(_KEYS)]))
        else:
            names = ", ".join(str(column) for column in columns)
            self._asked = statement.where(literal_column(f"({names}) IN (VALUES {_KEYS})"))
        self._written: dict[str, tuple[str, str]] = {}

    def rows(self, connection: Connection, keys: Collection[Any]) -> Iterator[Row[Any]]:
        """Rows of the statement whose columns are one of `keys` (texts or bytes); in no order across chunks."""
        wanted = sorted(keys)
        if not wanted:
            return
        before, behind = self._written.get(connection.dialect.name) or self._write(connection)
        one, several = "?", len(self._columns) > 1
        if several:
            one = f"({','.join('?' * len(self._columns))})"
        for start in range(0, len(wanted), _CHUNK):
            some = wanted[start : start + _CHUNK]
            marks = ",".join([one] * len(some))
            values = tuple(chain.from_iterable(some)) if several else tuple(some)
            yield from connection.exec_driver_sql(f"{before}{marks}{behind}", values)

    def _write(self, connection: Connection) -> tuple[str, str]:
        compiled = self._asked.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        before, _, behind = str(compiled).rpartition(_KEYS)
        self._written[connection.dialect.name] = before, behind
        return before, behind


def among(
    connection: Connection,
    statement: Select[Any],
    column: ColumnElement[Any],
    keys: Collection[Any],
) -> Iterator[Row[Any]]:
    """The same for a statement that is asked once in a while."""
    return Among(statement, column).rows(connection, keys)
