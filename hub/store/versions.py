"""Which schema a database has, who may work on it, and how it becomes today's.

`meta.schema` is the number people see; `meta.speaks` the oldest program that may still work on it. Within a release
line a schema only grows, so a program of yesterday runs beside the one of today until it is replaced.

The present line begins with release 0.2 (schema 2), the first of which several processes share an installation. Release
0.1 (schema 1) ran alone, on files, without leases; nothing of it can be working while a newer program starts, and it
must not come back afterwards: so step 2, though it only adds, speaks from 2 on, and 0.1 refuses what it made. From here
on `speaks` stays 2 until a line ends; tests/upgrade runs a program of a next step beside this one, and back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final, NamedTuple, Self

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    delete,
    insert,
    inspect,
    select,
)

from hub.sdk.errors import ConfigError
from hub.store import schema

_META: Final = schema.meta
_SAID: Final = {"schema": str(schema.VERSION), "speaks": str(schema.SPEAKS)}
_RECORD: Final = Table(  # as Alembic makes it
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


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
        tables = inspect(connection).get_table_names()
        rows = connection.execute(select(_META.c.key, _META.c.value)).all() if _META.name in tables else ()
        found = Found.of(tables, dict(rows))
        refuse(found, name)
        if found.schema is None:
            _create(connection)
        elif found.schema < schema.VERSION:
            _upgrade(connection, found.schema, recorded=_RECORD.name in tables)


def _create(connection: Connection) -> None:
    """All of today's tables at once, as the steps would have made them (a test holds the two equal)."""
    schema.metadata.create_all(connection, checkfirst=False)
    _RECORD.create(connection, checkfirst=False)
    connection.execute(insert(_RECORD).values(version_num=f"{schema.VERSION:04}"))
    _say(connection)


def _upgrade(connection: Connection, number: int, *, recorded: bool) -> None:
    from hub.store import migrations  # noqa: PLC0415 - Alembic takes a third of a second, and is seldom needed

    if not recorded:
        migrations.stamp(connection, number)
    migrations.upgrade(connection)
    _say(connection)


def _say(connection: Connection) -> None:
    connection.execute(delete(_META).where(_META.c.key.in_(_SAID)))
    connection.execute(insert(_META), [{"key": key, "value": value} for key, value in _SAID.items()])
