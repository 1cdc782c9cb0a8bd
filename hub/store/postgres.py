"""The database as a server: PostgreSQL, through psycopg."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final

import psycopg
from psycopg.adapt import Buffer
from psycopg.errors import UniqueViolation
from psycopg.pq import Format
from psycopg.types.numeric import NumericBinaryLoader
from psycopg.types.string import StrBinaryDumper, StrDumper, StrDumperUnknown
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from hub.sdk.errors import ConfigError, HubError, RetryLaterError
from hub.store import ahead, arrays, schema
from hub.store.versions import Found

OLDEST: Final = 14
_CONNECT: Final[Mapping[str, str]] = {  # libpq's own; what the URL says goes before
    "connect_timeout": "10",  # seconds
    "keepalives_idle": "30",  # seconds of silence after which a peer that vanished is looked for ...
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",  # ... and milliseconds after which what it never acknowledged is given up
    "application_name": "pulsehub",
}
_WRITER: Final[Mapping[str, str]] = {
    "statement_timeout": "60s",
    "lock_timeout": "5s",  # then it is contended, and run again
    # a process that is stopped within a transaction holds its partitions: let others have them. Longer than any step
    "idle_in_transaction_session_timeout": "30s",
    # It looks rows up by their keys, always. A plan made while a table was empty reads all of it, and is kept until the
    # server next counts its rows: for the first minute of an installation each batch would read all that came before.
    "enable_seqscan": "off",
    "jit": "off",  # what has to be read from end to end looks dear then, and compiling it would be
}
_READER: Final[Mapping[str, str]] = {
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "10min",  # holds nothing anybody waits for, but keeps vacuum from its work
    "plan_cache_mode": "force_custom_plan",  # pages ask of few and of all: each time by how much there is by now
}
_CONTENDED: Final = frozenset({"40001", "40P01", "55P03"})  # serialization, deadlock, no lock in time
_RACED: Final = {table.name for table in schema.metadata.tables.values() if table.info.get("raced")}
# classes of codes that are the server's own fault: connection, rollback, resources, state, operator, system
_PASSING: Final = frozenset({"08", "40", "53", "55", "57", "58"})
_STANDBY: Final = "25006"  # read-only: where we were sent is not the primary, yet
_MISTAKES: Final = ("pg_hba.conf", "certificate", "does not support SSL", "invalid ")  # where there is no code yet
_MIGRATIONS: Final = 0x70756C7365  # "pulse"; of an advisory lock
_PREPARING: Final = _MIGRATIONS + 1
_LOOK: Final = text(
    "select pg_encoding_to_char(encoding) as encoding, current_schema() as place, current_user as who,"
    " coalesce(has_schema_privilege(current_schema(), 'usage, create'), false) as allowed"
    " from pg_database where datname = current_database()"
)
_TABLES: Final = text("select tablename from pg_tables where schemaname = current_schema()")


class Postgres:
    """What `hub.store.database` asks of a server.

    Args:
        url: `postgresql://user:password@host:5432/database`; parameters of libpq may follow.
    """

    def __init__(self, url: URL) -> None:
        self._url = url.set(drivername="postgresql+psycopg")
        self.name = url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)
        self.reading = _engine(self._url, _READER, pool_size=4, max_overflow=8, pool_pre_ping=True)
        self.writing = _engine(self._url, _WRITER, pool_size=1, max_overflow=1)
        event.listen(self.reading, "connect", _read_only)
        ahead.listen(self.writing)

    def look(self) -> Found:
        """See whether we can work there at all.

        Raises:
            ConfigError: it cannot be used; the message says what to do.
            RetryLaterError: it does not answer.
        """
        try:
            with self.reading.connect() as connection:
                version = int((connection.dialect.server_version_info or (0,))[0])
                if version < OLDEST:
                    raise ConfigError(f"{self.name} is PostgreSQL {version}: version {OLDEST} or later is needed")
                how = connection.execute(_LOOK).one()
                if how.encoding != "UTF8":
                    raise ConfigError(
                        f"{self.name} keeps text as {how.encoding}: create it anew, "
                        "with ENCODING 'UTF8' TEMPLATE template0"
                    )
                tables = set(connection.scalars(_TABLES))
                meta = schema.meta
                rows = connection.execute(meta.select()).all() if meta.name in tables else ()
                found = Found.of(tables, dict(rows))
        except SQLAlchemyError as error:
            raise self.refusal(error) from None
        if not how.allowed and (found.schema or 0) < schema.VERSION:
            place = how.place or "public"
            raise ConfigError(
                f"{how.who} may not create tables in {self.name}: GRANT USAGE, CREATE ON SCHEMA {place} TO {how.who}"
            )
        return found

    def lock(self, connection: Connection) -> None:
        """Nobody else changes tables until this transaction ends; waits for whoever does."""
        connection.exec_driver_sql("set local statement_timeout = 0")
        connection.exec_driver_sql("set local lock_timeout = '10min'")
        connection.exec_driver_sql(f"select pg_advisory_xact_lock({_MIGRATIONS})")
        connection.exec_driver_sql("set local lock_timeout = '30s'")

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """Others who ask for the same wait, as long as it takes."""
        with self.writing.begin() as connection:
            connection.exec_driver_sql("set local statement_timeout = 0")
            connection.exec_driver_sql("set local lock_timeout = 0")
            connection.exec_driver_sql("set local idle_in_transaction_session_timeout = '5min'")
            connection.exec_driver_sql(f"select pg_advisory_xact_lock({_PREPARING})")
            yield connection

    def opened(self) -> None:
        """Nothing to begin: a server looks after itself."""

    def settle(self, connection: Connection) -> None:
        """Wait for what was sent ahead."""
        ahead.settle(connection)

    def between(self, connection: Connection) -> None:
        """Nothing to do, likewise."""

    def contended(self, error: Exception) -> bool:
        """Whether another transaction was in the way: the same may be tried again at once."""
        said = getattr(error, "orig", error)
        if isinstance(said, UniqueViolation):
            return said.diag.table_name in _RACED
        return getattr(said, "sqlstate", None) in _CONTENDED

    def refusal(self, error: SQLAlchemyError) -> HubError:
        """What to raise where it cannot be used: why, and what to do. Never holds the password."""
        said = " ".join(str(getattr(error, "orig", None) or error).split())
        if self._url.password:
            said = said.replace(str(self._url.password), "***")
        where, who = self._url.database or "", self._url.username or ""
        passes = False
        match getattr(getattr(error, "orig", None), "sqlstate", None):
            case "42501":
                advice = f"give {who} the rights: GRANT USAGE, CREATE ON SCHEMA public TO {who}"
            case None if f'database "{where}" does not exist' in said:
                advice = f"create it: CREATE DATABASE {where} OWNER {who} ENCODING 'UTF8' TEMPLATE template0"
            case None if "authentication" in said or "password" in said or f'role "{who}"' in said:
                advice = "check user and password in PULSEHUB_DATABASE_URL"
            case None if "too many" in said or "slots" in said:
                advice, passes = "raise the server's max_connections, or start fewer processes", True
            case None if any(word in said for word in _MISTAKES):
                advice = "check how PULSEHUB_DATABASE_URL says to connect"
            case None:
                advice, passes = "see that it runs, and that PULSEHUB_DATABASE_URL names its host and port", True
            case code:
                advice, passes = f"PostgreSQL's code is {code}", code == _STANDBY or code[:2] in _PASSING
        kind = RetryLaterError if passes else ConfigError
        return kind(f"cannot use the database {self.name}: {said}; {advice}")

    def close(self) -> None:
        """Give all connections back."""
        self.writing.dispose()
        self.reading.dispose()


def _engine(url: URL, settings: Mapping[str, str], **pool: Any) -> Engine:
    said = " ".join(f"-c {name}={value}" for name, value in settings.items())
    connect = {name: value for name, value in _CONNECT.items() if name not in url.query}
    options = f"{said} {url.query.get('options', '')}".rstrip()
    engine = create_engine(
        url.difference_update_query(["options"]),
        paramstyle="format",  # rows go to the driver as tuples
        client_encoding="utf8",
        use_native_hstore=False,
        hide_parameters=True,  # an error is logged; what customers wrote is not
        connect_args={**connect, "options": options, "cursor_factory": _Cursor},
        pool_timeout=10.0,
        **pool,
    )
    event.listen(engine, "connect", _adapt)
    return engine


class _Cursor(psycopg.Cursor[Any]):
    """Asks for results as bytes instead of digits: a third less time for a row, a half for one with a BLOB."""

    def __init__(self, connection: psycopg.Connection[Any], **more: Any) -> None:
        super().__init__(connection, **more)
        self.format = Format.BINARY


class _ServerCursor(psycopg.ServerCursor[Any]):
    def __init__(self, connection: psycopg.Connection[Any], name: str, **more: Any) -> None:
        super().__init__(connection, name, **more)
        self.format = Format.BINARY


class _Unknown(StrDumperUnknown):
    """A text without NUL characters, which PostgreSQL cannot hold: events have none, but what vendors answer may."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\0", "") if "\0" in obj else obj)


class _Text(StrDumper):
    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\0", "") if "\0" in obj else obj)


class _Bytes(StrBinaryDumper):
    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\0", "") if "\0" in obj else obj)


class _Number(NumericBinaryLoader):
    """A sum of 64-bit integers comes as a decimal: an int, as on SQLite."""

    def load(self, data: Buffer) -> Any:
        found: Decimal = super().load(data)
        return int(found) if found == found.to_integral_value() else float(found)


def _adapt(raw: Any, _record: Any) -> None:
    raw.server_cursor_factory = _ServerCursor
    for dumper in (_Bytes, _Text, _Unknown):  # the last becomes what texts are usually sent with
        raw.adapters.register_dumper(str, dumper)
    raw.adapters.register_loader("numeric", _Number)
    arrays.adapt(raw)


def _read_only(raw: Any, _record: Any) -> None:
    raw.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    raw.read_only = True
