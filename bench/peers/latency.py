"""From an event handed to Kafka until somebody else reads the health it moved, one worker at a steady pace.

A thread appends as the door does, each record stamped with the moment it is handed in. A consumer notes when each
health arrives: it was committed before it was published, so the database had it earlier. A message names the events
that moved it (the newest eight). The first seconds are left out.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from time import time
from typing import Final, Self

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.feed import feed
from bench.peers.backlog import fill
from bench.peers.check import decode
from bench.peers.engines import PARTITIONS
from bench.peers.ours import Workers
from bench.result import Result, below, quantile, told
from bench.servers import Parts
from bench.traffic import everybody, traffic
from hub import Event
from hub.store.database import Database
from hub.streams.opening import open_log
from hub.streams.topics import EVENTS

SECONDS: Final = 30.0
_WARM: Final = 15.0  # seconds: the broker compiles what it runs, the worker comes to know whose things are whose
_ALL: Final = 10**9
_event: Final = msgspec.json.Decoder(Event).decode


def measure(parts: Parts, pace: float, accounts: int, seconds: float = SECONDS) -> list[Result]:
    """At so many events a second, with so many accounts known before. Raises EngineError."""
    with Workers(1, parts, "latency") as ours, Database(ours.database) as database:
        known = everybody(accounts) + traffic(accounts, accounts, seed=2)
        fill(parts.broker, ours.events, known, PARTITIONS)
        ours.finish(len(known))
        stream = open_log(ours.broker, PARTITIONS, database)
        stream.declare(EVENTS)
        before, more = stream.ends(EVENTS.name), traffic(int(pace * seconds), accounts, seed=3)
        with _Listener(parts.broker, ours.health) as listener:
            feed(stream, more, pace)
            ours.finish(len(known) + len(more))
        given = {_event(record.value).id: record.timestamp for record in stream.read(EVENTS.name, before, _ALL)}
        stream.close()
    waits = _waits(given, listener.heard)
    return [
        below("peers.latency", quantile(waits, 0.99), "ms", 250),
        told("peers.latency.p50", quantile(waits, 0.5), "ms"),
        told("peers.latency.pace", pace, "events/s"),
    ]


def _waits(given: dict[str, float], heard: Sequence[tuple[float, bytes]]) -> list[float]:
    """Milliseconds of each event that moved a health."""
    began = min(given.values()) + _WARM
    return [
        (at - given[cause]) * 1_000
        for at, message in heard
        for cause in decode(message).causes
        if given.get(cause, 0.0) > began
    ]


class _Listener(threading.Thread):
    """Reads a topic from where it ends now, and notes when each record came."""

    def __init__(self, broker: str, topic: str) -> None:
        super().__init__(daemon=True)
        self.heard: list[tuple[float, bytes]] = []
        self._broker = broker
        self._partitions = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        self._listening, self._over = threading.Event(), threading.Event()

    def __enter__(self) -> Self:
        self.start()
        self._listening.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        asyncio.run(self._listen())

    async def _listen(self) -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=self._broker, enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign(self._partitions)
            await consumer.seek_to_end(*self._partitions)
            for partition in self._partitions:
                await consumer.position(partition)  # else it would be looked up when the first record is there
            self._listening.set()
            while True:
                found = await consumer.getmany(timeout_ms=100)
                now = time()
                self.heard += [(now, record.value) for records in found.values() for record in records]
                if not found and self._over.is_set():
                    return
        finally:
            await consumer.stop()
