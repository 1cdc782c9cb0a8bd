"""A batch grows until an agent takes it.

Faust's way of one message at a time costs three asyncio tasks an event. So a topic may be delivered in batches: one
Faust message, whose value goes on growing while nobody has taken it. Idle, a batch is one record and is handled at
once; under load batches grow by themselves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final, Protocol

import faust
from faust.events import Event

from hub.streams.room import Record

MOST: Final = 4_000  # records; an agent that is behind takes no more at once


class Batched(Protocol):
    """Who reads a topic in batches; `hub.streams.agent.Agent` is one. Called in the app's event loop.

    `most` bounds an open batch: at that size the transport stops reading. One that is `fenced` was claimed by somebody
    else without a word from the group: what it was assigned has to be assigned anew.
    """

    most: int
    fenced: bool

    async def assigned(self, partitions: Collection[int]) -> None:
        """These partitions are ours from now on, and no others; returns when they may be read. Never raises."""

    async def revoked(self) -> None:
        """None is ours any more, until told again; returns when nothing of them is under way. Never raises."""

    def positions(self) -> Mapping[int, int]:
        """By partition, from where to read: the database knows, not the broker. Asked after `assigned`."""

    def expired(self, partition: int, first: int, kept: int) -> None:
        """Records from offset `first` on and before `kept` are gone; they come in no batch, all before them do."""

    def fail(self, why: str) -> None:
        """Read no more: what is on the log is not what was read of it. Only a start can mend that."""


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
