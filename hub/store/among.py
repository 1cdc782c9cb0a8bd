"""Read the rows of many keys, a few hundred at a time: a database takes only so many parameters."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

from sqlalchemy import Connection, Row, Select
from sqlalchemy.sql.elements import ColumnElement

_CHUNK: Final = 500


def among(
    connection: Connection,
    statement: Select[Any],
    column: ColumnElement[Any],
    keys: Collection[str],
) -> Iterator[Row[Any]]:
    """Rows of `statement` whose `column` is one of `keys`; in no order across chunks."""
    wanted = sorted(keys)
    for start in range(0, len(wanted), _CHUNK):
        yield from connection.execute(statement.where(column.in_(wanted[start : start + _CHUNK])))
