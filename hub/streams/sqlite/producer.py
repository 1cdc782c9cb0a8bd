"""Faust's producer on our log."""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import time
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any, cast

from faust.exceptions import ProducerSendError
from faust.transport import base
from faust.types import TP, RecordMetadata
from mode.utils.times import want_seconds

from hub.streams.log import Entry, LogError
from hub.streams.topics import DAY, TopicSpec, partition_of

if TYPE_CHECKING:
    from hub.streams.sqlite.transport import Transport

_RETENTION = 7 * DAY  # as Kafka's, for who does not say


class Producer(base.Producer):  # type: ignore[misc]
    """Appends what a Faust app sends; a message is acknowledged when it is on disk."""

    transport: Transport
    logger = logging.getLogger("faust.sqlite.producer")

    def __post_init__(self) -> None:
        self._turn = itertools.count()
        self._unsent: set[asyncio.Future[int]] = set()

    async def on_stop(self) -> None:
        """Send what is buffered, then close the log if it is the transport's own."""
        await super().on_stop()
        await self.flush()
        self.transport.close()

    async def create_topic(
        self,
        topic: str,
        partitions: int,
        replication: int,  # noqa: ARG002 - Faust's signature; one file has one replica
        *,
        retention: Any = None,
        compacting: bool | None = None,
        deleting: bool | None = None,
        **_: Any,
    ) -> None:
        """Declare a topic that is not there; what is there stays as it is."""
        keep = want_seconds(retention) if retention else math.inf if compacting and not deleting else _RETENTION
        self.transport.declare(TopicSpec(topic, keep, compact=bool(compacting)), partitions)

    async def send(  # noqa: PLR0917 - Faust's signature
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None,
        timestamp: float | None,
        headers: Any,
        *,
        transactional_id: str | None = None,  # noqa: ARG002 - Faust's signature; no transactions here
    ) -> Awaitable[RecordMetadata]:
        """Append, and return what to await for its offset."""
        self.transport.declare(TopicSpec(topic, _RETENTION), self.app.conf.topic_partitions)
        number = self.key_partition(topic, key).partition if partition is None else partition
        pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
        entry = Entry(
            topic,
            number,
            key,
            value,
            timestamp or time.time(),
            headers=[(name, text.encode() if isinstance(text, str) else bytes(text)) for name, text in pairs],
        )
        try:
            appended = asyncio.wrap_future(self.transport.log.append_one(entry))
        except (LogError, ValueError) as error:
            raise ProducerSendError(f"cannot send to {topic}: {error}") from error
        self._unsent.add(appended)
        appended.add_done_callback(self._unsent.discard)
        return asyncio.ensure_future(_located(appended, entry))

    async def send_and_wait(self, *args: Any, **kwargs: Any) -> RecordMetadata:
        """As `send`, and wait until it is on disk."""
        return await (await self.send(*args, **kwargs))

    async def flush(self) -> None:
        """Wait until all that was sent is on disk."""
        await self.buffer.flush()
        if self._unsent:
            await asyncio.wait(set(self._unsent))

    def key_partition(self, topic: str, key: bytes | None) -> TP:
        """The partition a key belongs to; those without a key take turns."""
        partitions = self.transport.log.topic(topic).partitions
        return TP(topic, next(self._turn) % partitions if key is None else partition_of(key, partitions))

    def supports_headers(self) -> bool:
        """They are kept beside the records."""
        return True


async def _located(appended: Awaitable[int], entry: Entry) -> RecordMetadata:
    try:
        offset = await appended
    except LogError as error:
        raise ProducerSendError(f"cannot send to {entry.topic}: {error}") from error
    tp = TP(entry.topic, entry.partition)
    return cast("RecordMetadata", RecordMetadata(*tp, tp, offset, entry.timestamp, 1))
