"""Kafka and PostgreSQL of a bench's own, durable: nobody else's load, nobody else's rows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg

from tests.servers.servers import Servers


class Parts(NamedTuple):
    """Where they are: `host:port` of the broker, and the URL of a database whose role may make others.

    `broker_pid` is the broker's process, 0 where it is not ours.
    """

    broker: str
    database: str
    broker_pid: int = 0

    def fresh(self, name: str) -> str:
        """The URL of a new, empty database."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute(f'create database "{name}"')
        return urlsplit(self.database)._replace(path=f"/{name}").geturl()

    def drop(self, name: str) -> None:
        """Forget it, once whoever used it has gone; a vacuum at work there is ended by the server itself."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute(f'drop database "{name}"')


@contextmanager
def servers(conf: Path | None = None) -> Iterator[Parts]:
    """Start a set that waits for the disk, PostgreSQL by the settings of `conf`; what it held is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="pulsehub-bench-") as name:
        running = Servers(Path(name), redis=False, conf=conf)
        running.start()
        try:
            where = running.environment()
            broker = urlsplit(where["PULSEHUB_TEST_BROKER"]).netloc
            yield Parts(broker, where["PULSEHUB_TEST_DATABASE"], running.kafka.pid() or 0)
        finally:
            running.remove()
