"""Which log a URL names."""

from __future__ import annotations

from hub.sdk.errors import ConfigError
from hub.store.database import Database
from hub.streams.log import Log
from hub.streams.sqlite.log import SqliteLog


def open_log(url: str, partitions: int, database: Database) -> Log:
    """Open the log of an installation, made if it is not there.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db`, or `kafka://host:9092,host:9092/prefix`.
        partitions: of each topic, if the log is new.
        database: keeps what a broker cannot.

    Raises:
        ConfigError: the URL names no kind of stream we know, or the log cannot be had.
    """
    scheme = url.partition("://")[0]
    if scheme == "sqlite":
        return SqliteLog.at(url, partitions)
    if scheme == "kafka":
        from hub.streams.kafka.log import KafkaLog  # noqa: PLC0415 - an embedded installation needs none of it

        return KafkaLog.at(url, partitions, database)
    raise ConfigError(
        f"{scheme or 'that'} is no stream we run on; use sqlite:///streams.db or kafka://host:9092/pulsehub"
    )
