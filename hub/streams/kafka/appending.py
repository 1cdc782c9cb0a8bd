"""Records on their way to the broker: what gathered since the last acknowledgement goes out as one record batch.

A record sent alone costs aiokafka 20-40 µs, one among many in a batch of ours a tenth of it. A lane per partition
has at most one batch under way, so its order holds whatever happens; lanes do not wait for each other. Nothing is
compressed here: that would cost nearly as much again as sending. A broker may be told to (docs/adr/0010).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from hub.streams.kafka.broker import Broker
from hub.streams.kafka.counting import Counting
from hub.streams.kafka.declaring import LARGEST
from hub.streams.kafka.outage import Outage, say
from hub.streams.kafka.records import headers_of
from hub.streams.log import Entry, LogError

_BATCH: Final = 512 * 1024  # bytes of a record batch; a larger record goes alone
_LINGER: Final = 0.005  # seconds between sendings: 64 partitions would else send a batch per record
_ENDING: Final = 2.0  # seconds a producer has to end


class _Append:
    """One call of `append`: done when all its lanes have delivered their part."""

    __slots__ = ("counts", "entries", "error", "future", "left")

    def __init__(self, entries: Sequence[Entry], counts: Mapping[str, int]) -> None:
        self.entries = entries
        self.counts = counts
        self.future: Future[None] = Future()
        self.left = 0
        self.error: LogError | None = None


_Part = tuple[_Append, list[Entry]]


class _Lane:
    """What waits for one partition."""

    __slots__ = ("busy", "waiting")

    def __init__(self) -> None:
        self.busy = False
        self.waiting: list[_Part] = []


class Appending:
    """One process's way to the broker. Made and run in the log's own loop; `put` may be called from any thread."""

    def __init__(self, broker: Broker, loop: asyncio.AbstractEventLoop, outage: Outage, counting: Counting) -> None:
        self._broker = broker
        self._loop = loop
        self._outage = outage
        self._counting = counting
        self._inbox: deque[_Append] = deque()
        self._woken = False
        self._lanes: defaultdict[tuple[str, int], _Lane] = defaultdict(_Lane)
        self._waiting: dict[tuple[str, int], _Lane] = {}  # in the order they began to wait
        self._timer: asyncio.TimerHandle | None = None
        self._sent_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._producer: Any = None
        self._starting = asyncio.Lock()

    def put(self, entries: Sequence[Entry], counts: Mapping[str, int]) -> Future[None]:
        """Send these; the future is done when all are acknowledged by every replica in sync."""
        append = _Append(entries, counts)
        append.future.set_running_or_notify_cancel()
        self._inbox.append(append)
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._take)
        return append.future

    async def start(self) -> None:
        """Connect, so that a setting that is wrong is found at once."""
        await self._ready()

    async def close(self) -> None:
        """Send what was handed in, then disconnect."""
        self._take()
        while self._waiting or self._tasks:  # what waited behind a batch is sent after it
            self._flush()
            await asyncio.wait(self._tasks)
        if self._producer is not None:
            await _end(self._producer)
            self._producer = None

    def _take(self) -> None:
        self._woken = False
        while self._inbox:
            append = self._inbox.popleft()
            parts: defaultdict[tuple[str, int], list[Entry]] = defaultdict(list)
            for entry in append.entries:
                parts[entry.topic, entry.partition].append(entry)
            append.left = len(parts)
            for place, entries in parts.items():
                lane = self._lanes[place]
                lane.waiting.append((append, entries))
                if not lane.busy:
                    self._waiting[place] = lane
            if not parts:
                self._finish(append)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if self._timer is None and self._waiting:
            left = self._sent_at + _LINGER - self._loop.time()
            if left <= 0:
                self._flush()
            else:
                self._timer = self._loop.call_later(left, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._sent_at = self._loop.time()
        lanes, self._waiting = self._waiting, {}
        for place, lane in lanes.items():
            lane.busy = True
            task = self._loop.create_task(self._drain(place, lane))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _drain(self, place: tuple[str, int], lane: _Lane) -> None:
        """Send what waits in a lane. If that fails, all that waits there by then fails: what is behind may not pass."""
        parts, lane.waiting = lane.waiting, []
        try:
            await self._deliver(place, [entry for _, entries in parts for entry in entries])
        except BaseException as error:  # whatever it was, nobody may be told that these are there
            self._outage.begin(say(error))
            failed = LogError(f"cannot append to {place[0]} at {self._broker.place}: {say(error)}")
            parts += lane.waiting
            lane.waiting = []
            for append, _ in parts:
                append.error = failed
            if not isinstance(error, Exception):
                raise
        else:
            self._outage.over()
        finally:
            lane.busy = False
            for append, _ in parts:
                append.left -= 1
                if not append.left:
                    self._finish(append)
            if lane.waiting:
                self._waiting[place] = lane
                self._flush_soon()

    def _finish(self, append: _Append) -> None:
        if append.error:
            append.future.set_exception(append.error)
            return
        if append.counts:
            self._counting.add(append.counts)
        append.future.set_result(None)

    async def _deliver(self, place: tuple[str, int], entries: Sequence[Entry]) -> None:
        async with asyncio.timeout(self._broker.patience):
            producer = await self._ready()
            topic = self._broker.named(place[0])
            at = 0
            try:
                while at < len(entries):
                    batch = producer.create_batch()
                    at = _fill(batch, entries, at)
                    await (await producer.send_batch(batch, topic, partition=place[1]))
            except BaseException:
                # what it has under way might come behind what is sent next, and after a refused batch its numbers
                # are out of step with the broker's: another one begins anew
                self._drop(producer)
                raise

    async def _ready(self) -> Any:
        """The producer, connected; another one after a failure."""
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    acks="all",
                    enable_idempotence=True,
                    max_batch_size=_BATCH,
                    max_request_size=LARGEST,
                    request_timeout_ms=int(self._broker.patience * 1000),
                    **self._broker.client(),
                )
                try:
                    await producer.start()
                except BaseException:
                    await producer.client.close()
                    producer._closed = True  # noqa: SLF001 - it was never open; else it warns of being left open
                    raise
                self._producer = producer
            return self._producer

    def _drop(self, producer: Any) -> None:
        if self._producer is producer:
            self._producer = None
            task = self._loop.create_task(_abandon(producer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


def _fill(batch: Any, entries: Sequence[Entry], at: int) -> int:
    """Put entries from `at` on into a batch until it is full; returns the first that did not fit."""
    append = batch.append
    for number in range(at, len(entries)):
        entry = entries[number]
        headers = headers_of(entry) if entry.producer or entry.headers else []
        timestamp = int(entry.timestamp * 1000)
        if append(key=entry.key, value=entry.value, timestamp=timestamp, headers=headers) is None:
            return number
    batch.close()
    return len(entries)


async def _end(producer: Any) -> None:
    """Let it deliver what it has, within reason."""
    try:
        async with asyncio.timeout(_ENDING):
            await producer.stop()
    except (TimeoutError, KafkaError):
        await _abandon(producer)


async def _abandon(producer: Any) -> None:
    """Have it give up: an idempotent producer tries for ever, and asked to stop it waits for that."""
    sending = producer._sender.sender_task  # noqa: SLF001 - there is no other way
    sending.cancel()
    await producer.client.close()
    await asyncio.wait({sending}, timeout=_ENDING)
    producer._closed = True  # noqa: SLF001 - else it warns of being left open
