"""What a room has decided to say, from the database into the log.

Messages are committed with the rows they come from (the outbox). What has gathered since the last acknowledgement is
appended at once; the mark says up to which sequence all is in the log. After a restart, or when in doubt, it goes on
from the outbox beyond the mark: a message may come twice, with the same sequence, and readers skip it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from hub import metrics
from hub.store.database import Database
from hub.streams.books import Books, Place
from hub.streams.log import Entry, Log
from hub.streams.room import Outbox, Waiting
from hub.streams.topics import partition_of

log = logging.getLogger(__name__)

_MOST: Final = 20_000  # messages waiting beyond which the room waits too
_CHUNK: Final = 1_000  # messages read from an outbox at once
_PATIENCE: Final = (0.1, 0.5, 1.0, 2.0, 5.0)  # seconds between attempts


class Sent(NamedTuple):
    """A message on its way, and the partition whose sequence it carries: its own, where that is ours."""

    source: int
    entry: Entry


class Publisher:
    """One room's way into the log; used in one event loop."""

    def __init__(self, database: Database, stream: Log, books: Books, outbox: Callable[[str], Outbox]) -> None:
        self._database = database
        self._log = stream
        self._books = books
        self._outbox = outbox
        self.begin()

    def begin(self) -> None:
        """Start with nothing, in the running loop."""
        self._waiting: list[Sent] = []
        self._sending = False
        self._behind = False  # something may be in an outbox that is not in _waiting
        self._some = asyncio.Event()
        self._room = asyncio.Event()
        self._quiet = asyncio.Event()
        self._room.set()
        self._quiet.set()
        self._failures = 0
        self._era = 0  # counts how often everything was left to others

    def put(self, messages: Sequence[Sent]) -> None:
        """Messages just committed, in the order of their sequences."""
        self._waiting += messages
        if messages:
            self._quiet.clear()
            self._some.set()
        if len(self._waiting) > _MOST:
            self._room.clear()

    def entries(self, topic: str, waiting: Iterable[Waiting], now: float) -> Iterator[Sent]:
        """Messages of the outbox as they go on the log: readers tell them by producer and partition.

        Of one partition only its worker speaks in the room's own name. Others, whose messages happen to go there,
        add the partition they speak for, since two may not give out one sequence.
        """
        room = self._books.room
        for source, sequence, message in waiting:
            partition = partition_of(message.key, self._log.partitions)
            producer = room if partition == source else f"{room}@{source}"
            yield Sent(source, Entry(topic, partition, message.key, message.value, now, producer, sequence))

    def again(self) -> None:
        """It is not sure what was committed: look into the outbox."""
        self._behind = True
        self._quiet.clear()
        self._some.set()

    async def room(self) -> None:
        """Wait until there is room for more."""
        await self._room.wait()

    async def drained(self, longest: float) -> None:
        """Wait until all that was committed is in the log, or sending failed; at most so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), longest)

    def forget(self) -> None:
        """Leave what is not sent yet to whoever has its partitions next: it is in their outboxes.

        What is under way may still arrive; that it did is theirs to find out.
        """
        self._era += 1
        self._waiting.clear()
        self._behind = False
        self._room.set()
        self._quiet.set()

    @property
    def idle(self) -> bool:
        """Whether all that was committed is in the log."""
        return not (self._waiting or self._sending or self._behind)

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._some.wait()
            self._some.clear()
            self._sending = True
            era = self._era
            try:
                if self._behind:
                    await self._catch_up()
                else:
                    await self._send()
            except Exception as error:  # noqa: BLE001 - whatever it is, what is committed must get out
                if not self._failures:
                    log.warning("streams.publishing_stopped", extra={"room": self._books.room, "reason": str(error)})
                self._failures += 1
                self._quiet.set()
                await asyncio.sleep(_PATIENCE[min(self._failures, len(_PATIENCE)) - 1])
                if era == self._era:
                    self.again()
            else:
                if self._failures:
                    log.info("streams.publishing_resumed", extra={"room": self._books.room})
                self._failures = 0
            finally:
                self._sending = False
            if self.idle:
                self._quiet.set()

    async def _send(self) -> None:
        messages, self._waiting = self._unsaid(), []
        self._room.set()
        if messages:
            await self._append(messages)

    async def _catch_up(self) -> None:
        """Everything committed is in the outboxes: drop what waits and read on from the marks."""
        self._waiting.clear()
        self._room.set()
        self._behind = False
        era = self._era
        for place, end in list(self._books.outlets.items()):
            while era == self._era and (mark := self._books.published.get(place, 0)) < end - 1:
                messages = await asyncio.to_thread(self._read, place, mark)
                if not messages or era != self._era:
                    break
                await self._append(messages)
        if era != self._era:
            return
        self._waiting = self._unsaid()
        if self._waiting:
            self._some.set()

    def _unsaid(self) -> list[Sent]:
        """What waits and is not in the log: what a catch-up read before it was put here is told by its sequence."""
        marks: Mapping[Place, int] = self._books.published
        return [one for one in self._waiting if one.entry.sequence > marks.get((one.entry.topic, one.source), 0)]

    def _read(self, place: Place, after: int) -> list[Sent]:
        topic, source = place
        with self._database.read() as connection:
            found = self._outbox(topic).read(connection, source, after, _CHUNK)
        return list(self.entries(topic, found, time.time()))

    async def _append(self, messages: Sequence[Sent]) -> None:
        era = self._era
        with metrics.PUBLISH.labels(self._books.room).time():
            await asyncio.wrap_future(self._log.append([one.entry for one in messages]))
        metrics.PUBLISHED.labels(self._books.room).inc(len(messages))
        if era == self._era:
            self._books.published |= {(one.entry.topic, one.source): one.entry.sequence for one in messages}
