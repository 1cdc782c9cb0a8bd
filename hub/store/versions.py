"""Which schema a database has, who may work on it, and how it becomes today's.

`meta.schema` is the number people see; `meta.speaks` the oldest program that may still work on it. Within a release
line a schema only grows, so a program of yesterday runs beside the one of today until it is replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, Self

from sqlalchemy import Connection, Engine, insert, inspect, select

from hub.sdk.errors import ConfigError
from hub.store import schema

FIRST = 1  # the schema of release 0.1.0, which did not say who may work on it


class Found(NamedTuple):
    """What was there. `schema` is None where no table is ours; `speaks` is the schema's own number unless it says."""

    empty: bool = False
    schema: int | None = None
    speaks: int = 0

    @classmethod
    def of(cls, tables: Collection[str], meta: Mapping[str, str]) -> Self:
        """From the names of tables and what `meta` holds."""
        if "schema" not in meta:
            return cls(empty=not tables or set(tables) == {schema.meta.name})
        number = int(meta["schema"])
        return cls(schema=number, speaks=int(meta.get("speaks", number)))


def refuse(found: Found, name: str) -> None:
    """Keep our hands off what is not ours, and off what only a newer program understands.

    Raises:
        ConfigError: it is either; the message says what to do.
    """
    if found.schema is None and not found.empty:
        raise ConfigError(
            f"{name} is a database, but not one of ours: give us another PULSEHUB_DATA or PULSEHUB_DATABASE_URL"
        )
    if found.speaks > schema.VERSION:
        raise ConfigError(
            f"{name} has schema {found.schema}, which programs speak from {found.speaks} on, and this one speaks "
            f"{schema.VERSION}: start the version that wrote it, or begin with an empty PULSEHUB_DATA"
        )


def ensure(engine: Engine, lock: Callable[[Connection], None], name: str) -> None:
    """Make the tables what this program needs; one process at a time does it, the others find it done."""
    with engine.connect() as connection, connection.begin():
        lock(connection)
        found = _look(connection)
        refuse(found, name)
        if found.schema is None:
            _create(connection)


def _look(connection: Connection) -> Found:
    tables = inspect(connection).get_table_names()
    meta = schema.meta
    rows = connection.execute(select(meta.c.key, meta.c.value)).all() if meta.name in tables else ()
    return Found.of(tables, dict(rows))


def _create(connection: Connection) -> None:
    """All of today's tables at once, as the steps would have made them (a test holds the two equal)."""
    schema.metadata.create_all(connection)
    said = {"schema": schema.VERSION, "speaks": schema.SPEAKS}
    connection.execute(insert(schema.meta), [{"key": key, "value": str(value)} for key, value in said.items()])
