"""Which log a URL names, made ready."""

from __future__ import annotations

from sqlalchemy import select

from hub.sdk.errors import ConfigError
from hub.store import schema
from hub.store.database import Database
from hub.store.upserts import insert
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
        ConfigError: the URL names no kind of stream we know, or the log cannot be had.
    """
    with database.alone():
        kept = select(_META.c.value).where(_META.c.key == _KEY)
        with database.read() as connection:
            number = int(connection.scalar(kept) or partitions)
        log = _open(url, number, database)
        try:
            for spec in ALL:
                log.declare(spec)
        except BaseException:
            log.close()
            raise
        remember = insert(_META).values(key=_KEY, value=str(log.partitions)).on_conflict_do_nothing()
        database.write(lambda connection: connection.execute(remember) and None).result()
    return log


def look_at(url: str, partitions: int, database: Database) -> Log | LogReader | None:
    """Open the log of an installation to look at it, making nothing; None where there is no such file yet.

    Raises:
        ConfigError: the URL names no kind of stream we know, or the log cannot be had.
    """
    if url.startswith("sqlite:"):
        path = path_of(url)
        return LogReader(path) if path.exists() else None
    return _open(url, partitions, database)


def _open(url: str, partitions: int, database: Database) -> Log:
    scheme = url.partition("://")[0]
    if scheme == "sqlite":
        return SqliteLog.at(url, partitions)
    if scheme == "kafka":
        from hub.streams.kafka.log import KafkaLog  # noqa: PLC0415 - an embedded installation needs none of it

        return KafkaLog.at(url, partitions, database)
    raise ConfigError(
        f"{scheme or 'that'} is no stream we run on; use sqlite:///streams.db or kafka://host:9092/pulsehub"
    )
