"""Which log a URL names, made ready."""

from __future__ import annotations

from sqlalchemy import select

from hub.sdk.errors import ConfigError
from hub.store import schema
from hub.store.database import Database
from hub.store.upserts import insert
from hub.streams import belonging
from hub.streams.log import Log
from hub.streams.sqlite.log import SqliteLog
from hub.streams.sqlite.logfile import LogReader, path_of
from hub.streams.topics import ALL

_META = schema.meta
_KEY = "partitions"


def open_log(url: str, partitions: int, database: Database) -> Log:
    """Open the log of an installation, with its topics; they are made if they are not there.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db`, or `kafka://host:9092,host:9092/prefix`.
        partitions: of each topic, if the installation is new; an older one keeps its number.
        database: keeps what a broker cannot.

    Raises:
        ConfigError: the URL names no kind of stream we know, the log cannot be had, or it is not the database's.
        RetryLaterError: it does not answer.
    """
    with database.alone():
        belonging.refuse_kind(database, _kind(url))
        log = _open(url, _kept(partitions, database), database)
        try:
            belonging.check(database, log)
            for spec in ALL:
                log.declare(spec)
        except BaseException:
            log.close()
            raise
        remember = insert(_META).values(key=_KEY, value=str(log.partitions)).on_conflict_do_nothing()
        database.write(lambda connection: connection.execute(remember) and None).result()
    return log


def look_at(url: str, partitions: int, database: Database, *, whose: bool = True) -> Log | LogReader | None:
    """Open the log of an installation to look at it, making nothing; None where there is no such file yet.

    Args:
        url: see `open_log`.
        partitions: see `open_log`.
        database: see `open_log`.
        whose: refuse a log that is not the database's.

    Raises:
        ConfigError: see `open_log`.
        RetryLaterError: it does not answer.
    """
    if whose:
        belonging.refuse_kind(database, _kind(url))
    if url.startswith("sqlite:"):
        path = path_of(url)
        log: Log | LogReader | None = LogReader(path) if path.exists() else None
    else:
        log = _open(url, _kept(partitions, database), database)
    if log is not None and whose:
        try:
            belonging.check(database, log)
        except BaseException:
            log.close()
            raise
    return log


def _kept(partitions: int, database: Database) -> int:
    with database.read() as connection:
        return int(connection.scalar(select(_META.c.value).where(_META.c.key == _KEY)) or partitions)


def _kind(url: str) -> str:
    return url.partition("://")[0]


def _open(url: str, partitions: int, database: Database) -> Log:
    scheme = _kind(url)
    if scheme == "sqlite":
        return SqliteLog.at(url, partitions)
    if scheme == "kafka":
        from hub.streams.kafka.log import KafkaLog  # noqa: PLC0415 - an embedded installation needs none of it

        return KafkaLog.at(url, partitions, database)
    raise ConfigError(
        f"{scheme or 'that'} is no stream we run on; use sqlite:///streams.db or kafka://host:9092/pulsehub"
    )
