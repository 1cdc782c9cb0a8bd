"""The file of an embedded log: its tables, its format, and how it is read.

Records lie in *segments*: what one commit appended to one partition is one row, a msgpack array. Appending and reading
a hundred records then cost SQLite one row, not a hundred (and as few hand-overs of the interpreter's lock). A segment's
primary key is its position: topic, partition and first offset packed into 63 bits, so that a partition is one range.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from hub.sdk.errors import ConfigError
from hub.store.checkpoints import BACKSTOP, KEPT
from hub.streams.log import LogError
from hub.streams.room import Record

FORMAT: Final = 1
TOPICS: Final = 1023
PARTITIONS: Final = 8191  # 13 bits, beside 40 of the offset
_OFFSETS: Final = 40
_ATTEMPTS: Final = 40
_TABLES: Final = """
create table meta (key text primary key, value text not null) without rowid;
create table topics (
    id integer primary key, name text not null unique, partitions integer not null,
    retention real not null, compact integer not null
);
create table partitions (
    topic integer not null, partition integer not null,
    start integer not null default 0, next integer not null default 0,  -- offsets: the oldest kept, the next given
    primary key (topic, partition)
) without rowid;
create table segments (
    position integer primary key,
    next integer not null,   -- offset behind its last record
    newest real not null,    -- time of its newest record
    records blob not null,   -- msgpack array of Record
    extras blob              -- msgpack map offset -> Extra, of the records that have headers or no value
);
create table committed (
    consumers text not null, topic integer not null, partition integer not null, next integer not null,
    primary key (consumers, topic, partition)
) without rowid;
create table counters (name text primary key, value integer not null) without rowid;
"""


class Topic(NamedTuple):
    """A topic as the file has it; `retention` in seconds."""

    id: int
    name: str
    partitions: int
    retention: float
    compact: bool


class Extra(NamedTuple):
    """What few records carry: headers, or the absence of a value (Kafka's tombstone)."""

    headers: tuple[tuple[str, bytes], ...] = ()
    absent: bool = False


encode_records = msgspec.msgpack.Encoder().encode
decode_records = msgspec.msgpack.Decoder(list[Record]).decode
encode_extras = msgspec.msgpack.Encoder().encode
decode_extras = msgspec.msgpack.Decoder(dict[int, Extra]).decode


def position(topic: int, partition: int, offset: int) -> int:
    """The key of the segment that begins at this offset."""
    return ((topic << 13) + partition << _OFFSETS) + offset


def path_of(url: str) -> Path:
    """The file a URL names, as SQLAlchemy reads it: three slashes before a relative path, four before an absolute.

    Raises:
        ConfigError: it is no such URL.
    """
    scheme, _, rest = url.partition("://")
    name = rest.partition("?")[0].removeprefix("/")
    if scheme != "sqlite" or not rest.startswith("/") or name in {"", ":memory:"}:
        raise ConfigError(f"{url} is not a stream this version runs on; use sqlite:///relative.db or sqlite:////abs.db")
    return Path(name)


def connect(path: Path, *, readonly: bool = False) -> sqlite3.Connection:
    """Open the file; transactions are said explicitly.

    Raises:
        ConfigError: it cannot be opened, is no log, or was written in another format.
    """
    try:
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode={'ro' if readonly else 'rwc'}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=30,
        )
        if not readonly:
            _write_ahead(connection)
            connection.execute("pragma synchronous=full")
            connection.execute(f"pragma journal_size_limit={KEPT}")
            connection.execute(f"pragma wal_autocheckpoint={BACKSTOP}")
        connection.execute("pragma cache_size=-8192")
    except sqlite3.Error as error:
        raise ConfigError(f"cannot open the log {path}: {error}") from None
    return connection


def refuse_others(path: Path) -> None:
    """Look before anything is written, even a pragma: a file with tables of somebody else's stays as it is.

    Raises:
        ConfigError: it is one, or no database at all.
    """
    if not path.is_file():
        return
    with closing(connect(path, readonly=True)) as connection:
        try:
            known = connection.execute("select count(*) from sqlite_schema").fetchone()[0]
        except sqlite3.Error as error:
            raise ConfigError(f"cannot open the log {path}: {error}") from None
        if known:
            partitions_of(connection, path)


def _write_ahead(connection: sqlite3.Connection) -> None:
    for attempt in range(_ATTEMPTS):  # the switch does not wait for another process that is making the same one
        try:
            connection.execute("pragma journal_mode=wal")
        except sqlite3.OperationalError:
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(0.05)
        else:
            return


def create(connection: sqlite3.Connection, partitions: int) -> None:
    """Make the tables in an empty file; leave any other as it is."""
    connection.execute("begin immediate")
    try:
        if not connection.execute("select count(*) from sqlite_schema").fetchone()[0]:
            for statement in _TABLES.split(";\n"):
                connection.execute(statement)
            said = {"format": FORMAT, "partitions": partitions}
            connection.executemany("insert into meta values (?, ?)", said.items())
        connection.execute("insert or ignore into meta values ('id', ?)", [secrets.token_hex(8)])
        connection.execute("commit")
    finally:
        if connection.in_transaction:
            connection.execute("rollback")


def partitions_of(connection: sqlite3.Connection, path: Path) -> int:
    """How many partitions a topic of this installation has.

    Raises:
        ConfigError: the file is no log, or of another format.
    """
    try:
        meta = dict(connection.execute("select key, value from meta").fetchall())
    except sqlite3.Error as error:
        raise ConfigError(f"{path} is not a log of ours: {error}") from None
    if str(meta.get("format")) != str(FORMAT) or "partitions" not in meta:
        raise ConfigError(
            f"{path} has format {meta.get('format')} and this program speaks {FORMAT}: "
            "start the version that wrote it, or begin with an empty PULSEHUB_DATA",
        )
    return int(meta["partitions"])


def identity_of(connection: sqlite3.Connection) -> str:
    """What tells this log from every other; a file that no newer program has opened yet has no number."""
    row = connection.execute("select value from meta where key = 'id'").fetchone()
    return f"sqlite:{row[0] if row else ''}"


class LogReader:
    """The reading half of a log, on a connection of its own; safe from any thread.

    Open one by itself to look at a log without being able to change it: `LogReader(path)`.

    Raises:
        ConfigError: the file is not there, is no log, or has another format.
    """

    shared = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._topics: dict[str, Topic] = {}
        self._connection = connect(path, readonly=True)
        self.partitions = partitions_of(self._connection, path)
        self.identity = identity_of(self._connection)

    @property
    def place(self) -> str:
        """Its file."""
        return str(self.path)

    def read(self, topic: str, positions: Mapping[int, int], limit: int) -> list[Record]:
        """At most `limit` records from these offsets on; those of one partition in order, no partition starved."""
        number = self.topic(topic).id
        found: list[Record] = []
        pending = dict(positions)
        with self._reading() as connection:
            while pending and len(found) < limit:
                share = max(1, (limit - len(found)) // len(pending))
                for partition, offset in list(pending.items())[: limit - len(found)]:
                    records = _read(connection, number, partition, offset, share)
                    found += records
                    if len(records) < share:
                        del pending[partition]
                    else:
                        pending[partition] = records[-1].offset + 1
        return found

    def extras(self, topic: str, partition: int, first: int, last: int) -> dict[int, Extra]:
        """Headers and absent values of the records from offset `first` to `last`, by offset."""
        number = self.topic(topic).id
        found: dict[int, Extra] = {}
        with self._reading() as connection:
            for (extras,) in connection.execute(
                "select extras from segments where position between coalesce((select max(position) from segments"
                " where position between ? and ?), ?) and ? and extras is not null",
                (
                    position(number, partition, 0),
                    position(number, partition, first),
                    position(number, partition, first),
                    position(number, partition, last),
                ),
            ):
                found |= decode_extras(extras)
        return found

    def ends(self, topic: str) -> dict[int, int]:
        """Partition -> the offset the next record will get; empty for a topic that is not there."""
        return self._offsets(topic, "next")

    def starts(self, topic: str) -> dict[int, int]:
        """Partition -> the offset from which on records are kept; empty for a topic that is not there."""
        return self._offsets(topic, "start")

    def committed(self, consumers: str, topic: str) -> dict[int, int]:
        """Partition -> the offset a group of ordinary Faust consumers goes on from."""
        with self._reading() as connection:
            return dict(
                connection.execute(
                    "select c.partition, c.next from committed c join topics t on t.id = c.topic"
                    " where c.consumers = ? and t.name = ?",
                    (consumers, topic),
                ).fetchall(),
            )

    def counters(self) -> dict[str, int]:
        """What the appenders counted, by name."""
        with self._reading() as connection:
            return dict(connection.execute("select name, value from counters").fetchall())

    def sizes(self) -> dict[str, int]:
        """Topic -> bytes of the records it keeps."""
        with self._reading() as connection:
            asked = "select t.name, sum(length(s.records)) from segments s join topics t on t.id = s.position >> ?"
            return dict(connection.execute(f"{asked} group by 1", (_OFFSETS + 13,)).fetchall())

    def topics(self) -> dict[str, Topic]:
        """Every topic by name."""
        with self._reading() as connection:
            rows = connection.execute("select id, name, partitions, retention, compact from topics").fetchall()
        return {row[1]: Topic(row[0], row[1], row[2], row[3], bool(row[4])) for row in rows}

    def topic(self, name: str) -> Topic:
        """One topic.

        Raises:
            KeyError: nobody has declared it.
        """
        if name not in self._topics:
            self._topics = self.topics()
        return self._topics[name]

    def version(self) -> int:
        """A number that changes when anybody has appended anything."""
        with self._reading() as connection:
            return int(connection.execute("pragma data_version").fetchone()[0])

    def check(self) -> list[str]:
        """What is wrong with the file, in SQLite's words; empty when nothing is. Reads all of it."""
        with self._reading() as connection:
            rows = connection.execute("pragma quick_check").fetchall()
        return [] if rows == [("ok",)] else [str(row[0]) for row in rows]

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    def _offsets(self, topic: str, column: str) -> dict[int, int]:
        with self._reading() as connection:
            return dict(
                connection.execute(
                    f"select p.partition, p.{column} from partitions p join topics t on t.id = p.topic"
                    " where t.name = ? order by 1",
                    (topic,),
                ).fetchall(),
            )

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._connection
            except (sqlite3.Error, msgspec.DecodeError) as error:
                raise LogError(f"cannot read the log {self.path}: {error}") from error


def _read(connection: sqlite3.Connection, topic: int, partition: int, offset: int, limit: int) -> Sequence[Record]:
    found: list[Record] = []
    at = position(topic, partition, offset)
    for (blob,) in connection.execute(
        "select records from segments where position between coalesce((select max(position) from segments"
        " where position between ? and ?), ?) and ? order by position",
        (position(topic, partition, 0), at, at, position(topic, partition + 1, 0) - 1),
    ):
        records = decode_records(blob)
        if records[0].offset < offset:
            records = [record for record in records if record.offset >= offset]
        found += records
        if len(found) >= limit:
            del found[limit:]
            break
    return found
