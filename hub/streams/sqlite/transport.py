"""The Faust transport `sqlite://`: `faust.App("x", broker="sqlite:///x.db")` streams through one file.

Found by its entry point in `faust.transports`, so it serves anybody's app: agents, topics, tables, `take`, `send`,
`cast`, `ask`. Delivery is at least once, as Faust's is. What it has not: several workers of one app on one file, and
transactions (`processing_guarantee="exactly_once"`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, ClassVar

from faust.transport import base

from hub.sdk.errors import ConfigError
from hub.streams.batches import Batched
from hub.streams.sqlite.consumer import Consumer
from hub.streams.sqlite.log import SqliteLog
from hub.streams.sqlite.producer import Producer
from hub.streams.topics import TopicSpec


class Transport(base.Transport):  # type: ignore[misc]
    """One app's way to one log.

    Args:
        args: as Faust gives them: URLs (the first counts), app, loop.
        log: an open log to use and leave open; without one the URL's file is opened, and closed with the app.
        batched: topics to deliver in batches, see `hub.streams.batches`.
    """

    Consumer: ClassVar[Any] = Consumer
    Producer: ClassVar[Any] = Producer
    default_port = 0
    driver_version = f"sqlite={sqlite3.sqlite_version}"

    def __init__(
        self,
        *args: Any,
        log: SqliteLog | None = None,
        batched: Mapping[str, Batched] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.batched = batched or {}
        self._handed = log
        self._own: SqliteLog | None = None
        self._declared: set[str] = set()

    @property
    def log(self) -> SqliteLog:
        """The log, opened when first asked for. An app that sends through another transport object shares it."""
        if self._handed is not None:
            return self._handed
        other = self.app.transport
        if other is not self and isinstance(other, Transport) and other.url == self.url:
            return other.log
        if self._own is None:
            self._own = SqliteLog.at(_url(self.url[0]), self.app.conf.topic_partitions)
        return self._own

    def declare(self, spec: TopicSpec, partitions: int) -> None:
        """Make a topic that is not there; whoever made it first has said what it keeps.

        `partitions` counts unless the app's own topic says another number.
        """
        if spec.name not in self._declared:
            if spec.name not in self.log.topics():
                said = (topic.partitions for topic in self.app.topics if spec.name in topic.topics)
                self.log.declare(spec, next(filter(None, said), partitions))
            self._declared.add(spec.name)

    def close(self) -> None:
        """Close the log if this transport opened it, or the one it shares did."""
        other = self.app.transport
        if other is not self and isinstance(other, Transport):
            other.close()
        if self._own is not None:
            self._own.close()
            self._own = None


def _url(url: Any) -> str:
    """As it was written: yarl keeps the path (with its slashes) and, for three of them, no host.

    Raises:
        ConfigError: there are two slashes only.
    """
    if url.host:
        raise ConfigError(f"{url} lacks a slash: sqlite:///relative.db or sqlite:////absolute.db")
    return f"sqlite://{url.path}"
