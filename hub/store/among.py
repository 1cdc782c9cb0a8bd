"""Read the rows of many keys, a few hundred at a time: a database takes only so many parameters."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, literal_column
from sqlalchemy.sql.elements import ColumnElement

_CHUNK: Final = 500
_KEYS: Final = ":keys:"


def among(
    connection: Connection,
    statement: Select[Any],
    column: ColumnElement[Any],
    keys: Collection[Any],
) -> Iterator[Row[Any]]:
    """Rows of `statement` whose `column` is one of `keys` (texts or bytes); in no order across chunks.

    The statement is SQLAlchemy's and the keys go to the driver as they are: SQLAlchemy takes 5 µs to lay out a key,
    more than SQLite takes to look it up.
    """
    wanted = sorted(keys)
    if not wanted:
        return
    asked = statement.where(column.in_([literal_column(_KEYS)]))
    written = str(asked.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
    before, _, behind = written.rpartition(_KEYS)
    for start in range(0, len(wanted), _CHUNK):
        some = tuple(wanted[start : start + _CHUNK])
        yield from connection.exec_driver_sql(f"{before}{','.join('?' * len(some))}{behind}", some)
