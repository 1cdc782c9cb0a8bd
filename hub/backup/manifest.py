"""What a backup says of itself, and whether it is still so."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final, Self

import msgspec

from hub.sdk.errors import ConfigError
from hub.streams.log import LogError
from hub.streams.room import Record
from hub.streams.sqlite.logfile import LogReader

FORMAT: Final = 1
NAME: Final = "manifest.json"
DATABASE: Final = "hub.db"
STREAM: Final = "streams.db"
CHUNK: Final = 5_000  # rows or records that are in memory at once

Moved = Callable[[str, int, int], None]  # what is being done, how much of it is, of how much
_row: Final = msgspec.msgpack.Encoder().encode


class Part(msgspec.Struct, frozen=True):
    """What a table or a topic holds: so many rows, with this digest."""

    rows: int
    digest: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A backup.

    Attributes:
        format: of the backup.
        version: of the program that took it.
        schema: of the tables in `hub.db`.
        taken_at: the moment it shows, in UTC, ISO 8601.
        engine: what the database was: `sqlite` or `postgresql`.
        stream: what the log was: `sqlite` or `kafka`.
        partitions: of each topic.
        clock: what scoring went by, `wall` or `event`.
        tables: of `hub.db`. The same rows have the same digest, whatever engine they come from.
        topics: of `streams.db`: what was not applied yet.
        lost: records that the log had let go of before they were read.
    """

    format: int
    version: str
    schema: int
    taken_at: str
    engine: str
    stream: str
    partitions: int
    clock: str
    tables: dict[str, Part]
    topics: dict[str, Part]
    lost: int = 0

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Read it.

        Raises:
            ConfigError: there is none, or this program does not understand it.
        """
        try:
            found = msgspec.json.decode((folder / NAME).read_bytes())
        except FileNotFoundError:
            raise ConfigError(f"{folder} is no backup, or one that was cut off: it has no {NAME}") from None
        except (OSError, msgspec.DecodeError) as error:
            raise ConfigError(f"cannot read {folder / NAME}: {error}") from None
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            said = found.get("format") if isinstance(found, dict) else None
            raise ConfigError(f"{folder} has format {said} and this program speaks {FORMAT}: use the version it names")
        try:
            return msgspec.convert(found, cls)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{folder / NAME} is not as it was written: {error}") from None

    def write(self, folder: Path) -> None:
        """Put it beside the files it speaks of, as the last one."""
        (folder / NAME).write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")

    def check(self, folder: Path, moved: Moved) -> None:
        """Read all of it.

        Raises:
            ConfigError: something is not as it was written; the message names it.
        """
        try:
            tables = tables_of(folder / DATABASE, moved)
            topics = topics_of(folder / STREAM)
        except (sqlite3.Error, LogError) as error:
            raise ConfigError(f"the backup {folder} is damaged: {error}. Use another one") from None
        wrong = [
            f"{file}: {name}"
            for file, said, found in ((DATABASE, self.tables, tables), (STREAM, self.topics, topics))
            for name in sorted(said.keys() | found.keys())
            if said.get(name) != found.get(name)
        ]
        if wrong:
            raise ConfigError(f"the backup {folder} is damaged ({', '.join(wrong)}). Use another one")

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(part.rows for part in self.tables.values())

    @property
    def unread(self) -> Mapping[str, int]:
        """Topic -> records that some room has yet to read, where there are any; `raw` is what was asked for of it."""
        return {name: part.rows for name, part in self.topics.items() if part.rows}


def tables_of(path: Path, moved: Moved) -> dict[str, Part]:
    """What the tables of a file hold. Raises sqlite3.Error where it cannot be read."""
    with closing(reading(path)) as connection:
        names = [
            name
            for (name,) in connection.execute("select name from sqlite_schema where type = 'table' order by 1")
            if not name.startswith("sqlite_")
        ]
        found = {}
        for number, name in enumerate(names):
            moved("checking", number, len(names))
            found[name] = _part(connection, name)
        moved("checking", len(names), len(names))
        return found


def topics_of(path: Path) -> dict[str, Part]:
    """What the topics of a log hold. Raises LogError."""
    with closing(LogReader(path)) as log:
        found = {}
        for name in sorted(log.topics()):
            digest, many = hashlib.blake2b(digest_size=16), 0
            for records in _all(log, name):
                digest.update(b"".join(map(_row, records)))
                many += len(records)
            digest.update(_row(sorted(log.ends(name).items())))
            found[name] = Part(many, digest.hexdigest())
        return found


def reading(path: Path) -> sqlite3.Connection:
    """A file of a backup, to read only, from any thread: it may lie where nothing can be written."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)


def _all(log: LogReader, topic: str) -> Iterator[list[Record]]:
    for partition, start in log.starts(topic).items():
        at = start
        while records := log.read(topic, {partition: at}, CHUNK):
            at = records[-1].offset + 1
            yield records


def _part(connection: sqlite3.Connection, table: str) -> Part:
    columns = connection.execute(f'pragma table_info("{table}")').fetchall()
    names = ", ".join(f'"{name}"' for name in sorted(column[1] for column in columns))
    keys = ", ".join(f'"{column[1]}"' for column in sorted(columns, key=lambda column: column[5]) if column[5])
    digest, many = hashlib.blake2b(digest_size=16), 0
    rows = connection.execute(f'select {names} from "{table}"' + (f" order by {keys}" if keys else ""))
    while some := rows.fetchmany(CHUNK):
        digest.update(b"".join(map(_row, some)))
        many += len(some)
    return Part(many, digest.hexdigest())
