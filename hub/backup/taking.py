"""Take a backup, beside a running hub or without one: the database first, then what the log has beyond it.

In this order nothing can be missing: whatever the database had not applied at its moment, the log still has. What the
hub said after that moment is left out, for it will say it again.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, func, select, text

from hub.backup.manifest import CHUNK, DATABASE, FORMAT, NAME, STREAM, Manifest, Moved, tables_of, topics_of
from hub.backup.unread import Unread, standing
from hub.sdk.errors import ConfigError, HubError
from hub.store import schema
from hub.store.database import Database, insert_rows
from hub.streams import belonging
from hub.streams.log import Entry, Reads
from hub.streams.sqlite.log import SqliteLog
from hub.streams.topics import ALL

TRANSIENT: Final = frozenset({"processes"})  # of no use to anybody later
_PAGES: Final = 1_000  # of one step of the copy of a file: 4 MiB
_AHEAD: Final = 16  # chunks of rows that are read before they are written
_SPARE: Final = 1.1  # a copy is never larger than this times what the database says of its size, but for ...
_LOG: Final = 64 * 1024 * 1024  # ... bytes for what is unread


def take(
    database: Database,
    stream: Reads,
    folder: Path,
    *,
    version: str,
    clock: str,
    raw: bool = False,
    spare: int = 0,
    moved: Moved = lambda _what, _done, _of: None,
) -> Manifest:
    """Write a backup into `folder`, which appears when all of it is on disk.

    Args:
        database: the installation's.
        stream: its log.
        folder: not there yet, or empty.
        version: of this program.
        clock: what scoring goes by.
        raw: whether the bodies of topic `raw` are taken along.
        spare: bytes of disk that must be left.
        moved: told how far it is.

    Raises:
        ConfigError: the folder is in use, or there is no room for the backup.
        HubError: it cannot be written.
        LogError: the log cannot be read.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is there already: a backup needs a folder of its own, such as {folder}-2")
    draft = folder.with_name(f"{folder.name}.unfinished")
    _clear(draft)
    try:
        draft.mkdir(parents=True, mode=0o700)
        _room(database, draft, spare)
        manifest = _fill(database, stream, draft, version=version, clock=clock, raw=raw, moved=moved)
        manifest.write(draft)
        for file in draft.iterdir():
            file.chmod(0o600)  # customers' data
            _sync(file)
        _sync(draft)
        draft.replace(folder)
        _sync(folder.parent)
    except (OSError, sqlite3.Error) as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise HubError(f"cannot write the backup {folder}: {error}") from None
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return manifest


def _fill(
    database: Database, stream: Reads, draft: Path, *, version: str, clock: str, raw: bool, moved: Moved
) -> Manifest:
    taken_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    engine = "sqlite" if database.url.get_backend_name() == "sqlite" else "postgresql"
    copy = draft / DATABASE
    if engine == "sqlite":
        _copy_file(Path(database.name), copy, moved)
    else:
        _copy_rows(database, copy, moved)
    with closing(sqlite3.connect(copy)) as connection:
        for table in TRANSIENT:
            connection.execute(f"delete from {table}")
        unread = Unread(stream, standing(connection), raw=raw)
        _write_log(stream, unread, draft / STREAM, moved)
        unread.settle(connection)
        connection.execute("delete from meta where key = ?", [belonging.KEY])  # its log is the one beside it
        connection.commit()
        connection.execute("pragma journal_mode=delete")  # one file, which can be read where nothing can be written
        schema_of = int(connection.execute("select value from meta where key = 'schema'").fetchone()[0])
    with closing(sqlite3.connect(draft / STREAM)) as connection:
        connection.execute("pragma journal_mode=delete")
    return Manifest(
        format=FORMAT,
        version=version,
        schema=schema_of,
        taken_at=taken_at,
        engine=engine,
        stream="kafka" if stream.shared else "sqlite",
        partitions=stream.partitions,
        clock=clock,
        tables=tables_of(copy, moved),
        topics=topics_of(draft / STREAM),
        lost=unread.lost,
    )


def _copy_file(source: Path, target: Path, moved: Moved) -> None:
    """SQLite's own way. It holds one moment, so that it does not begin again with every commit of the hub.

    What is written goes to the disk bit by bit: hundreds of MiB at once would hold up the commits of the hub.
    """
    with (
        closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)) as theirs,
        closing(sqlite3.connect(target)) as ours,
        target.open("rb") as written,
    ):

        def step(_status: int, left: int, of: int) -> None:
            os.fdatasync(written)
            moved("copying", of - left, of)

        ours.execute("pragma synchronous=off")  # all of it is synced before the backup has its name
        theirs.execute("begin")
        theirs.execute("select count(*) from sqlite_schema").fetchone()  # the moment
        theirs.backup(ours, pages=_PAGES, sleep=0, progress=step)
        theirs.execute("rollback")


def _copy_rows(database: Database, target: Path, moved: Moved) -> None:
    tables = [table for table in schema.metadata.sorted_tables if table.name not in TRANSIENT]
    with Database(f"sqlite:///{target}") as copy, database.read() as connection:
        total = sum(connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables)
        done = 0
        writing: deque[Future[None]] = deque()  # what waits together is committed together
        for table in tables:
            put = table.insert().prefix_with("OR REPLACE")  # `meta` says its schema already
            for rows in _chunks(connection, table):
                writing.append(copy.write(partial(_put, put, rows)))
                if len(writing) == _AHEAD:
                    writing.popleft().result()
                done += len(rows)
                moved("copying", done, total)
        for future in writing:
            future.result()


def _put(statement: Any, rows: list[tuple[Any, ...]], connection: Connection) -> None:
    insert_rows(connection, statement, rows)


def _chunks(connection: Connection, table: Any) -> Iterator[list[tuple[Any, ...]]]:
    asked = select(table).execution_options(yield_per=CHUNK)
    for some in connection.execute(asked).partitions():
        yield [tuple(row) for row in some]


def _write_log(stream: Reads, unread: Unread, path: Path, moved: Moved) -> None:
    with closing(SqliteLog(path, stream.partitions)) as log:
        for spec in ALL:
            log.declare(spec)
            log.begin(spec.name, unread.begins(spec.name))
            for records in unread.records(spec.name, moved):
                log.append(
                    [
                        Entry(spec.name, one.partition, one.key, one.value, one.timestamp, one.producer, one.sequence)
                        for one in records
                    ]
                ).result()
        log.append([], stream.counters()).result()


def _room(database: Database, draft: Path, spare: int) -> None:
    with database.read() as connection:
        if connection.dialect.name == "sqlite":
            size = connection.scalar(text("select page_count * page_size from pragma_page_count, pragma_page_size"))
        else:
            size = connection.scalar(select(func.pg_database_size(func.current_database())))
    needed = int((size or 0) * _SPARE) + _LOG
    free = shutil.disk_usage(draft).free
    if free < needed + spare:
        draft.rmdir()
        raise ConfigError(
            f"{draft.parent} has {free / 2**30:.2f} GiB free and the backup needs {needed / 2**30:.2f}, beside"
            f" {spare / 2**30:.2f} that the door wants left (PULSEHUB_MIN_FREE_DISK): give it another disk"
        )


def _clear(draft: Path) -> None:
    """Remove what an attempt that was cut off left, and nothing else."""
    if not draft.exists():
        return
    ours = {NAME, *(f"{file}{more}" for file in (DATABASE, STREAM) for more in ("", "-wal", "-shm", "-journal"))}
    if strange := sorted(file.name for file in draft.iterdir() if file.name not in ours):
        raise ConfigError(f"{draft} holds {strange[0]}, which is not ours: remove it first")
    shutil.rmtree(draft)


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def size_of(folder: Path) -> int:
    """Bytes of a backup."""
    return sum(file.stat().st_size for file in folder.iterdir())
