"""Restore a backup into an empty installation, on any engine and any number of partitions.

Everything is checked before anything is written. The log comes first, then the database in one transaction: an attempt
that was cut off has left no installation that would start.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Table, delete, func, select

from hub.backup import dividing
from hub.backup.manifest import CHUNK, DATABASE, STREAM, Manifest, Moved, reading
from hub.sdk.errors import ConfigError, HubError
from hub.store import schema
from hub.store.database import Database, insert_rows
from hub.store.expendable.naming import begin_anew
from hub.store.upserts import Insert, insert
from hub.streams import belonging
from hub.streams.accounting import Books, books
from hub.streams.aligning import align, number_above
from hub.streams.log import Entry, Log
from hub.streams.sqlite.logfile import LogReader
from hub.streams.topics import ALL, EVENTS, RAW, partition_of

# what a first start leaves, or what belongs to processes and to one broker: none of it is an installation
_OURS: Final = frozenset({"meta", "offsets", "outlets", "configs", "destinations", "processes", "leases"})
_BROKERS: Final = frozenset({"bases", "counters"})
_OWN: Final = frozenset(  # what `meta` says of one database only
    {"schema", "speaks", "expendable", "partitions", belonging.KEY}
)
_DIVIDED: Final = frozenset({EVENTS.name, RAW.name})  # topics whose unread records may go to other partitions
_BY_ACCOUNT: Final = {"accounts": "id", "snapshots": "account"}  # tables that say the partition of an account

Row = dict[str, Any]
_Change = Callable[[Iterator[Row]], Iterator[Row]]


class Restored(NamedTuple):
    """What was done: rows by table, records by topic, and the books afterwards."""

    manifest: Manifest
    rows: Mapping[str, int]
    records: Mapping[str, int]
    books: Books


def restore(
    folder: Path,
    database: Database,
    opening: Callable[[], Log],
    partitions: int,
    *,
    keep_log: bool = False,
    now: Callable[[], float] = time.time,
    moved: Moved = lambda _what, _done, _of: None,
) -> Restored:
    """Make an installation of a backup.

    Args:
        folder: the backup.
        database: empty.
        opening: opens the log, more than once. It is empty; or, with `keep_log`, the one that this very installation
            went on with after the backup was taken.
        partitions: of a log that is new; one that is there keeps its number.
        keep_log: leave the log as it is. What came since is applied again.
        now: unix seconds; what old processes could still write is refused by it.
        moved: told how far it is.

    Raises:
        ConfigError: the backup is damaged or does not fit, or something is there already.
        HubError: it could not be written.
    """
    manifest = Manifest.of(folder)
    manifest.check(folder, moved)
    _free(database)
    database.write(belonging.forget).result()  # whichever log it was tried with before
    with _todays(folder, manifest, database) as hub, closing(LogReader(folder / STREAM)) as log:
        _fits(hub, log, partitions, keep_log=keep_log)  # before a topic is made with a number that it keeps
        with closing(opening()) as stream:
            partitions = stream.partitions
            _fits(hub, log, partitions, keep_log=keep_log)
            begins = {
                spec.name: log.starts(spec.name)
                if partitions == log.partitions
                else dividing.spread(sum(log.starts(spec.name).values()), partitions)
                for spec in ALL
            }
            records = {} if keep_log else _write_log(log, stream, begins, moved)
        epoch = int(now() * 1000)  # of no claim, for those are drawn; above any token, which are counted
        changes = _changes(partitions, begins, epoch, same=partitions == log.partitions)
        skipped = frozenset[str]() if keep_log else _BROKERS
        job = partial(_write_rows, hub, changes, skipped, partial(moved, "writing"))
        rows = database.write(job).result()
    with closing(opening()) as stream:  # which may have read from the database where its offsets begin
        align(database, stream)
        if keep_log:
            number_above(database, stream, [EVENTS.name])
        return Restored(manifest, rows, records, _verified(database, stream, rows))


@contextmanager
def _todays(folder: Path, manifest: Manifest, database: Database) -> Iterator[sqlite3.Connection]:
    """The backup's database with the tables of today; an older one is brought forward on a copy."""
    file = folder / DATABASE
    if manifest.schema >= schema.VERSION:
        with closing(reading(file)) as connection:
            yield connection
        return
    beside = Path(database.name).parent if database.url.get_backend_name() == "sqlite" else None
    with tempfile.TemporaryDirectory(dir=beside, prefix="pulsehub-restore-") as place:
        copy = Path(place) / DATABASE
        shutil.copyfile(file, copy)
        Database(f"sqlite:///{copy}").close()
        with closing(reading(copy)) as connection:
            yield connection


def _free(database: Database) -> None:
    with database.read() as connection:
        full = [
            (table.name, many)
            for table in schema.metadata.sorted_tables
            if table.name not in _OURS | _BROKERS
            and (many := connection.scalar(select(func.count()).select_from(table)))
        ]
    if full:
        held = ", ".join(f"{many:,} of {name}" for name, many in full[:5])
        raise ConfigError(
            f"{database.name} is not empty ({held}): a backup is restored into an installation that has seen nothing."
            " Name another database in PULSEHUB_DATABASE_URL or another folder in PULSEHUB_DATA"
        )


def _unused(stream: Log) -> None:
    full = []
    for spec in ALL:
        starts, ends = stream.starts(spec.name), stream.ends(spec.name)
        # a broker whose records are all gone can begin anywhere; a file gives its first offset only once
        if many := sum(ends.values()) - (sum(starts.values()) if stream.shared else 0):
            full.append(f"{many:,} of {spec.name}")
    if full:
        raise ConfigError(
            f"{stream.place} is not empty ({', '.join(full)}): name another place or prefix in PULSEHUB_BROKER_URL,"
            " or, if it is this installation's own log that went on after the backup, say --keep-log"
        )


def _fits(hub: sqlite3.Connection, log: LogReader, partitions: int, *, keep_log: bool) -> None:
    """Messages between rooms carry sequences of their partition, which mean nothing in another one."""
    if partitions == log.partitions:
        return
    if keep_log:
        raise ConfigError(
            f"the backup has {log.partitions} partitions and the log {partitions}: a log that is kept keeps its number"
        )
    unread = {
        topic: many
        for topic in log.topics()
        if topic not in _DIVIDED and (many := sum(log.ends(topic).values()) - sum(log.starts(topic).values()))
    }
    owed = "select topic, sum(next - 1 - published) from outlets where published < next - 1 group by 1"
    for topic, many in hub.execute(owed):
        unread[topic] = unread.get(topic, 0) + many
    if unread:
        said = ", ".join(f"{many:,} of {topic}" for topic, many in sorted(unread.items()))
        raise ConfigError(
            f"the backup has {log.partitions} partitions and this installation {partitions}, but some messages were not"
            f" read when it was taken ({said}): take it with `pulsehub backup --drain`, or set PULSEHUB_PARTITIONS to"
            f" {log.partitions}"
        )


def _write_log(log: LogReader, stream: Log, begins: Mapping[str, Mapping[int, int]], moved: Moved) -> dict[str, int]:
    same = stream.partitions == log.partitions
    if same and all(stream.ends(spec.name) == log.ends(spec.name) for spec in ALL):
        return {}  # an earlier attempt came as far as that
    _unused(stream)
    written = {}
    for topic, begin in begins.items():
        stream.begin(topic, begin)
        if stream.ends(topic) != begin:
            raise HubError(f"{stream.place} does not let topic {topic} begin where the backup ends")
        positions, ends = log.starts(topic), log.ends(topic)
        total, done = sum(ends.values()) - sum(positions.values()), 0
        while records := log.read(topic, positions, CHUNK):
            for record in records:
                positions[record.partition] = record.offset + 1
            stream.append([_entry(topic, record, stream.partitions, same=same) for record in records]).result()
            done += len(records)
            moved(f"writing {topic}", done, total)
        if done:
            written[topic] = done
    stream.append([], log.counters()).result()
    return written


def _entry(topic: str, record: Any, partitions: int, *, same: bool) -> Entry:
    if same:
        return Entry(
            topic, record.partition, record.key, record.value, record.timestamp, record.producer, record.sequence
        )
    partition = partition_of(record.key, partitions) if record.key is not None else record.offset % partitions
    return Entry(topic, partition, record.key, record.value, record.timestamp)


def _changes(
    partitions: int, begins: Mapping[str, Mapping[int, int]], epoch: int, *, same: bool
) -> Mapping[str, _Change]:
    """How the rows of a table differ from those of the backup."""
    changes: dict[str, _Change] = {
        "processes": lambda _rows: iter(()),
        "meta": lambda rows: (row for row in rows if row["key"] not in _OWN),
        "leases": lambda rows: (row | {"holder": "", "until": 0.0, "token": row["token"] + epoch} for row in rows),
        "offsets": lambda rows: (row | {"epoch": epoch} for row in rows),
    }
    if not same:
        changes |= {
            "offsets": lambda rows: iter(dividing.offsets(rows, begins, epoch)),
            "outlets": lambda rows: iter(dividing.outlets(rows, partitions)),
            "sequences": lambda _rows: iter(()),
        }
        changes |= {name: partial(_moved, column, partitions) for name, column in _BY_ACCOUNT.items()}
    return changes


def _moved(column: str, partitions: int, rows: Iterator[Row]) -> Iterator[Row]:
    return (row | {"partition": partition_of(row[column].encode(), partitions)} for row in rows)


def _write_rows(
    hub: sqlite3.Connection,
    changes: Mapping[str, _Change],
    skipped: frozenset[str],
    moved: Callable[[int, int], None],
    connection: Connection,
) -> dict[str, int]:
    """All tables, in the transaction of `connection`; rows by table."""
    server = connection.dialect.name != "sqlite"
    if server:
        connection.exec_driver_sql("set local statement_timeout = 0")
    begin_anew(connection)
    tables = [table for table in schema.metadata.sorted_tables if table.name not in skipped]
    total = sum(hub.execute(f'select count(*) from "{table.name}"').fetchone()[0] for table in tables)
    written, done = {}, 0
    for table in tables:
        if table.name in _OURS - {"meta"}:
            connection.execute(delete(table))
        statement = _statement(table)
        written[table.name] = 0
        for rows in _chunks(hub, table, changes.get(table.name)):
            insert_rows(connection, statement, rows)
            written[table.name] += len(rows)
            moved(min(done + written[table.name], total), total)
        done += written[table.name]
        if server:
            _go_on(connection, table)
    if server:
        connection.exec_driver_sql("analyze")  # its planner knows nothing of them yet
    return written


def _chunks(hub: sqlite3.Connection, table: Table, change: _Change | None) -> Iterator[list[tuple[Any, ...]]]:
    names = [column.name for column in table.columns]
    quoted = ", ".join(f'"{name}"' for name in names)
    cursor = hub.execute(f'select {quoted} from "{table.name}"')
    if change is None:
        while rows := cursor.fetchmany(CHUNK):
            yield [tuple(row) for row in rows]
        return
    chunk = []
    for changed in change(dict(zip(names, row, strict=True)) for row in cursor):
        chunk.append(tuple(changed[name] for name in names))
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _statement(table: Table) -> Insert:
    statement = insert(table)
    if table.name in _OURS | _BROKERS:  # there may be some
        columns = {column.name: statement.excluded[column.name] for column in table.columns}
        return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=columns)
    return statement


def _go_on(connection: Connection, table: Table) -> None:
    """What a server counts up for a column must go on behind what is there."""
    column = table.autoincrement_column
    if column is not None and (highest := connection.scalar(select(func.max(column)))):
        sequence = func.pg_get_serial_sequence(table.name, column.name)
        connection.execute(select(func.setval(sequence, highest)))


def _verified(database: Database, stream: Log, rows: Mapping[str, int]) -> Books:
    """Raises HubError where something is missing, which nothing should explain."""
    with database.read() as connection:
        for name, many in rows.items():
            if name in _OURS:
                continue
            found = connection.scalar(select(func.count()).select_from(schema.metadata.tables[name]))
            if found != many:
                raise HubError(
                    f"{database.name} has {found} rows of {name} where the backup has {many}: do not start it"
                )
        return books(connection, stream)
