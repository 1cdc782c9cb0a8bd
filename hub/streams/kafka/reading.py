"""Reading without a group: where partitions begin and end, and records from any offset on. In the broker's offsets."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from hub.streams.kafka.broker import Broker
from hub.streams.kafka.declaring import LARGEST

_WAIT: Final = 200  # milliseconds for records that are there
_KEPT: Final = 1.0  # seconds a reader stays where it is: whoever replays reads on
_POLL: Final = 20  # milliseconds the broker waits for news; on a connection it answers one question after the other


class Reading:
    """One connection to read by; used in the log's own loop. Who asks for ends has another than who reads records."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._consumer: Any = None
        self._starting = asyncio.Lock()
        self._turn = asyncio.Lock()
        self._letting_go: asyncio.TimerHandle | None = None

    async def ends(self, topic: str, partitions: int) -> dict[int, int]:
        """Partition -> the offset the next record will get."""
        found = await (await self._ready()).end_offsets(_all(topic, partitions))
        return {tp.partition: offset for tp, offset in sorted(found.items())}

    async def starts(self, topic: str, partitions: int) -> dict[int, int]:
        """Partition -> the offset of the oldest record kept."""
        found = await (await self._ready()).beginning_offsets(_all(topic, partitions))
        return {tp.partition: offset for tp, offset in sorted(found.items())}

    async def read(self, topic: str, positions: Mapping[int, int], limit: int) -> dict[int, list[Any]]:
        """At most `limit` records of what is there now, by partition; what is no longer kept is passed over."""
        async with self._turn:
            ends = await self.ends(topic, max(positions, default=-1) + 1)
            left = {TopicPartition(topic, p): ends[p] for p, offset in positions.items() if offset < ends[p]}
            found: dict[int, list[Any]] = {tp.partition: [] for tp in left}
            if not left:
                return found
            consumer = await self._stand({tp: positions[tp.partition] for tp in left})
            while left and limit > 0:
                share = max(1, limit // len(left))
                got = {tp: await consumer.getmany(tp, max_records=min(share, limit)) for tp in left}
                records = [pair for part in got.values() for pair in part.items()]
                if not records:
                    records = list((await consumer.getmany(*left, timeout_ms=_WAIT, max_records=share)).items())
                for tp, more in records:
                    fitting = [record for record in more if record.offset < left[tp]][:limit]
                    found[tp.partition] += fitting
                    limit -= len(fitting)
                for tp in list(left):
                    if await consumer.position(tp) >= left[tp]:
                        del left[tp]
            self._letting_go = asyncio.get_running_loop().call_later(_KEPT, self._let_go)
            return found

    async def close(self) -> None:
        """Disconnect."""
        if self._letting_go is not None:
            self._letting_go.cancel()
        if self._consumer is not None:
            await self._consumer.stop()
            self._consumer = None

    async def _stand(self, positions: Mapping[Any, int]) -> Any:
        """The consumer at these positions; it keeps what it has fetched where it stands there already."""
        consumer = await self._ready()
        if self._letting_go is not None:
            self._letting_go.cancel()
            self._letting_go = None
        assigned = consumer.assignment()
        if assigned != positions.keys():
            consumer.assign(list(positions))
            assigned = set()
        for tp, offset in positions.items():
            if tp not in assigned or await consumer.position(tp) != offset:
                consumer.seek(tp, offset)
        return consumer

    def _let_go(self) -> None:
        """Stop fetching ahead."""
        self._letting_go = None
        if self._consumer is not None and not self._turn.locked():
            self._consumer.unsubscribe()

    async def _ready(self) -> Any:
        async with self._starting:
            if self._consumer is None:
                consumer = AIOKafkaConsumer(
                    enable_auto_commit=False,
                    auto_offset_reset="earliest",
                    fetch_max_wait_ms=_POLL,
                    max_partition_fetch_bytes=LARGEST // 8,
                    fetch_max_bytes=LARGEST,
                    request_timeout_ms=int(self._broker.patience * 1000),
                    **self._broker.client(),
                )
                try:
                    await consumer.start()
                except (KafkaError, OSError, asyncio.CancelledError):
                    await consumer.stop()
                    raise
                self._consumer = consumer
            return self._consumer


def _all(topic: str, partitions: int) -> list[Any]:
    return [TopicPartition(topic, number) for number in range(partitions)]
