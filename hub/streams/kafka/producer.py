"""Faust's producer over our log: what an agent sends goes the way of everything else."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any, cast

from faust.exceptions import ProducerSendError
from faust.transport import base
from faust.types import TP, RecordMetadata

from hub.streams.log import Entry, LogError
from hub.streams.topics import partition_of

if TYPE_CHECKING:
    from hub.streams.kafka.transport import Transport


class Producer(base.Producer):  # type: ignore[misc]
    """Appends to topics of ours; it makes none, and cannot tell which offset a record got."""

    transport: Transport
    logger = logging.getLogger("faust.kafka.producer")  # as the consumer's

    def __post_init__(self) -> None:
        self._turn = itertools.count()
        self._unsent: set[asyncio.Future[None]] = set()

    async def create_topic(self, *_: Any, **__: Any) -> None:
        """Whoever opens the log declares its topics."""

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
        """Append, and return what to await until it is acknowledged."""
        number = self.key_partition(topic, key).partition if partition is None else partition
        pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
        kept = [(name, text.encode() if isinstance(text, str) else bytes(text)) for name, text in pairs]
        name = self.transport.log.ours(topic)
        entry = Entry(name, number, key, value, timestamp or time.time(), headers=kept)
        try:
            appended = asyncio.wrap_future(self.transport.log.append((entry,)))
        except (LogError, ValueError, KeyError) as error:
            raise ProducerSendError(f"cannot send to {topic}: {error}") from error
        self._unsent.add(appended)
        appended.add_done_callback(self._unsent.discard)
        return asyncio.ensure_future(_located(appended, topic, entry))

    async def send_and_wait(self, *args: Any, **kwargs: Any) -> RecordMetadata:
        """As `send`, and wait until it is acknowledged."""
        return await (await self.send(*args, **kwargs))

    async def flush(self) -> None:
        """Wait until all that was sent is acknowledged, or is known not to be."""
        await self.buffer.flush()
        if self._unsent:
            await asyncio.wait(set(self._unsent))

    def key_partition(self, topic: str, key: bytes | None) -> TP:
        """The partition a key belongs to; those without a key take turns."""
        partitions = self.transport.log.partitions
        return TP(topic, next(self._turn) % partitions if key is None else partition_of(key, partitions))

    def supports_headers(self) -> bool:
        """Kafka's records have them."""
        return True


async def _located(appended: Awaitable[None], topic: str, entry: Entry) -> RecordMetadata:
    try:
        await appended
    except LogError as error:
        raise ProducerSendError(f"cannot send to {topic}: {error}") from error
    tp = TP(topic, entry.partition)
    return cast("RecordMetadata", RecordMetadata(*tp, tp, -1, entry.timestamp, 1))
