"""Many rows into PostgreSQL by one statement: an array for each column.

From a hundred rows on, one by one costs four to five times as much, even where nobody waits for each. Binary COPY costs
a tenth less, but knows no conflicts, and nothing else can be under way on its connection: what is sent ahead
(`hub.store.ahead`) is worth more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, Connection, Dialect, Double, Insert, Integer, LargeBinary, insert, select, text
from sqlalchemy.types import TypeEngine

from hub.store import ahead
from hub.store.arrays import array

Row = tuple[Any, ...]
_MOST: Final = 1_000  # rows of one statement: more are no quicker, and the server can begin with the first
_ARRAYS: Final = "/*arrays*/"
_TYPES: Final[tuple[tuple[type[TypeEngine[Any]], str], ...]] = (
    (BigInteger, "int8"),
    (Integer, "int4"),
    (Double, "float8"),
    (LargeBinary, "bytea"),
)


class Way(NamedTuple):
    """How rows of one statement go: an array for each column, and of what type."""

    types: tuple[str, ...]
    insert: str


def insert_all(connection: Connection, statement: Insert, rows: Sequence[Row]) -> int:
    """Run an insert once per tuple; returns how many rows it touched. Each key stands in `rows` once.

    Raises:
        DBAPIError: as any statement would.
    """
    return sum(connection.exec_driver_sql(*some).rowcount for some in _statements(connection, statement, rows))


def insert_ahead(connection: Connection, statement: Insert, rows: Sequence[Row]) -> None:
    """The same without waiting, where that may be: `hub.store.ahead` says when it is told.

    Raises:
        DBAPIError: of these rows, or of what was sent before them.
    """
    if not ahead.may(connection):
        insert_all(connection, statement, rows)
        return
    for some in _statements(connection, statement, rows):
        ahead.send(connection, *some)


def _statements(connection: Connection, statement: Insert, rows: Sequence[Row]) -> Iterator[tuple[str, Row]]:
    ways: dict[Insert, Way] = connection.info.setdefault("ways", {})
    way = ways.get(statement) or ways.setdefault(statement, laid_out(connection.dialect, statement))
    for start in range(0, len(rows), _MOST):
        columns = zip(*rows[start : start + _MOST], strict=True)
        yield way.insert, tuple(array(column, kind) for column, kind in zip(columns, way.types, strict=True))


def laid_out(dialect: Dialect, statement: Insert) -> Way:
    """How rows of a statement go; define it once, not per call. Its parameters are columns and nothing else.

    Raises:
        KeyError: one is no column.
    """
    into = statement.table
    names: list[str] = list(statement.compile(dialect=dialect).positiontup or ())
    types = tuple(_type(into.c[name].type) for name in names)
    taken = select(text("*")).select_from(text(f"unnest({_ARRAYS})"))
    if statement._post_values_clause is None:  # noqa: SLF001 - says whether there is an ON CONFLICT
        statement = insert(into)  # what it says of values goes
    taking = str(statement.from_select(names, taken, include_defaults=False).compile(dialect=dialect))
    return Way(types, taking.replace(_ARRAYS, ", ".join(f"%s::{kind}[]" for kind in types)))


def _type(kind: TypeEngine[Any]) -> str:
    return next((name for known, name in _TYPES if isinstance(kind, known)), "text")
