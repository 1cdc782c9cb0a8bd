"""A batch grows until an agent takes it.

Faust's way of one message at a time costs three asyncio tasks an event. So a topic may be delivered in batches: one
Faust message, whose value goes on growing while nobody has taken it. Idle, a batch is one record and is handled at
once; under load batches grow by themselves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

import faust
from faust.events import Event

from hub.streams.room import Record

MOST: Final = 4_000  # records; an agent that is behind takes no more at once


class Batched(NamedTuple):
    """How a topic is read in batches.

    `positions` says from which offsets, each time partitions are assigned: the database knows, not the broker.
    `most` bounds an open batch: at that size the transport stops reading.
    """

    positions: Callable[[], Mapping[int, int]]
    most: int = MOST


class Batch:
    """Records of all partitions held, growing until somebody takes them."""

    def __init__(self, records: list[Record], on_take: Callable[[], None]) -> None:
        self.records = records
        self._on_take = on_take
        self.open = True

    def __len__(self) -> int:
        return len(self.records)

    def extend(self, records: list[Record]) -> None:
        """Add what was read since."""
        self.records += records

    def take(self) -> list[Record]:
        """Close the batch and have what is in it; nothing if it was dropped."""
        self.open = False
        self._on_take()
        return self.records

    def drop(self) -> None:
        """Close and empty it: its partitions were revoked, somebody else will read them."""
        self.open = False
        self.records = []


class BatchSchema(faust.Schema):  # type: ignore[misc]
    """Passes a message's value on as it is: it is a `Batch`, and each record knows its own key."""

    def compile(self, app: Any, **_: Any) -> Callable[..., Awaitable[Any]]:
        """What Faust calls per message; same arguments as `faust.Schema.compile`."""

        async def decode(message: Any, **_: Any) -> Any:
            return Event(app, None, message.value, message.headers, message)

        return decode
