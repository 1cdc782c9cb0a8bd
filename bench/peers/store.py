"""The database half of the listed work: the tables, and two good ways to write them on PostgreSQL.

`Bulk` is for batches (binary COPY, upserts from temporary tables), `Single` for one event at a time (a pipeline: two
trips and a commit). Both dedupe exactly by the primary key of `archive`, which also says where an event was first met:
an engine that goes back after a crash meets it there again, and knows it for no repeat.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, NamedTuple, Protocol

import psycopg

from hub import Event, Health
from hub.ingest.dedupe import digest_of

TABLES: Final = """
create table archive (
    digest bytea primary key, partition int not null, place bigint not null, account text not null,
    occurred_at float8 not null, received_at float8 not null, kind text not null, connection text not null,
    event text not null, body bytea not null
);
create index archive_by_account on archive (account, occurred_at);
create table state (
    account text primary key, partition int not null, state bytea not null,
    scored_at float8 not null, health float8 not null, band text not null
);
create index state_by_partition on state (partition);
create table ledger (
    account text not null, number bigint not null, at float8 not null, health float8 not null, was float8,
    band text not null, was_band text, message bytea not null, primary key (account, number)
);
create index ledger_by_time on ledger (at);
create table progress (partition int primary key, next bigint not null);
"""
Row = tuple[Any, ...]


class _Table(NamedTuple):
    columns: tuple[str, ...]
    again: str  # what to do about a row that is there


_AGAIN: Final = "on conflict do nothing"
_ARCHIVE: Final = _Table(("bytea", "int4", "int8", "text", "float8", "float8", "text", "text", "text", "bytea"), _AGAIN)
_TABLES: Final = {
    "state": _Table(
        ("text", "int4", "bytea", "float8", "float8", "text"),
        "on conflict (account) do update set state = excluded.state, scored_at = excluded.scored_at,"
        " health = excluded.health, band = excluded.band",
    ),
    "ledger": _Table(("text", "int8", "float8", "float8", "float8", "text", "text", "bytea"), _AGAIN),
    "progress": _Table(("int4", "int8"), "on conflict (partition) do update set next = excluded.next"),
}


class Rows(NamedTuple):
    """What one transaction writes beside the archive; in the order of the tables' columns."""

    state: Sequence[Row] = ()
    ledger: Sequence[Row] = ()
    progress: Sequence[Row] = ()


class Store(Protocol):
    """A way to write."""

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing; on disk when it is left."""

    def archive(self, rows: Sequence[Row]) -> list[bool]:
        """Archive the events that are not there; which they were."""

    def write(self, rows: Rows) -> None:
        """Write the rest."""


def connect(url: str) -> psycopg.Connection:
    """A connection that commits what it is told to, and looks rows up by their keys, as our own writer's does."""
    return psycopg.connect(url, autocommit=True, options="-c enable_seqscan=off -c jit=off")


def archived(account: str, event: Event, partition: int, place: int, body: bytes) -> Row:
    """A row of `archive`; its digest is that of our own table `seen`."""
    assert event.received_at is not None
    digest, at = digest_of(event.connection, event.id), event.occurred_at.timestamp()
    received_at = event.received_at.timestamp()
    return (digest, partition, place, account, at, received_at, event.kind, event.connection, event.id, body)


def told(number: int, health: Health, message: bytes) -> Row:
    """A row of `ledger`."""
    return (health.account, number, health.at, health.health, health.was, health.band, health.was_band, message)


class Bulk:
    """Many rows at once.

    Args:
        connection: its own.
        returns: whether an engine may meet again, after a crash, what it had archived but not counted.
    """

    def __init__(self, connection: psycopg.Connection, *, returns: bool = False) -> None:
        self._connection = connection
        self._returns = returns
        for table in ("archive", *_TABLES):
            connection.execute(f"create temporary table new_{table} (like {table}) on commit delete rows")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._connection.transaction():
            yield

    def archive(self, rows: Sequence[Row]) -> list[bool]:
        self._copy("archive", _ARCHIVE, rows)
        asked = f"insert into archive select * from new_archive {_ARCHIVE.again}"
        if self._returns:
            self._connection.execute(asked)
            asked = "select digest, a.partition, a.place from archive a join new_archive using (digest)"
        else:
            asked = f"{asked} returning digest, partition, place"
        mine = set(self._connection.execute(asked, binary=True))
        return [row[:3] in mine for row in rows]

    def write(self, rows: Rows) -> None:
        for name, table in _TABLES.items():
            if some := getattr(rows, name):
                self._copy(name, table, some)
                self._connection.execute(f"insert into {name} select * from new_{name} {table.again}")

    def _copy(self, name: str, table: _Table, rows: Iterable[Row]) -> None:
        with self._connection.cursor().copy(f"copy new_{name} from stdin (format binary)") as copy:
            copy.set_types(table.columns)
            for row in rows:
                copy.write_row(row)


class Single:
    """A few rows at once: statements that the server has prepared, sent together."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        connection.prepare_threshold = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._connection.pipeline(), self._connection.transaction():
            yield

    def archive(self, rows: Sequence[Row]) -> list[bool]:
        asked = f"{_insert('archive', _ARCHIVE)} returning digest"
        cursors = [self._connection.execute(asked, row) for row in rows]
        return [cursor.fetchone() is not None for cursor in cursors]

    def write(self, rows: Rows) -> None:
        for name, table in _TABLES.items():
            for row in getattr(rows, name):
                self._connection.execute(_insert(name, table), row)


def _insert(name: str, table: _Table) -> str:
    return f"insert into {name} values ({', '.join(['%b'] * len(table.columns))}) {table.again}"
