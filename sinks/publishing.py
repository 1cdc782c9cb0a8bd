"""How the workers put messages on the log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from hub.streams.log import Entry, Log
from hub.streams.room import Message
from hub.streams.topics import TopicSpec, partition_of

Publish = Callable[[TopicSpec, Sequence[Message]], Awaitable[None]]
"""Puts messages on a topic; returns when they are on disk."""


def to_log(log: Log, clock: Callable[[], float]) -> Publish:
    """Publish to this log."""

    async def publish(topic: TopicSpec, messages: Sequence[Message]) -> None:
        now = clock()
        entries = [Entry(topic.name, partition_of(m.key, log.partitions), m.key, m.value, now) for m in messages]
        await asyncio.wrap_future(log.append(entries))

    return publish
