"""What just happened, told to whoever is looking: publish from any thread, read in an event loop.

Expendable: nobody may rely on having seen everything. What is published says *that* something changed and where; a
page then asks the database, which is the truth. `hub.store.expendable.relay` carries it to other processes.

Topics and what their data holds:

* `health`: `accounts`, ids of the accounts that were rescored.
* `events`: `connection`, `count`.
* `deliveries`: `sink`, and `accounts` where known.
* `dead_letters`: `connection`, `stage`.
* `streams`: a process came or went, or has other rooms, partitions, destinations or troubles than before: nothing.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

MOST_WAITING = 1_000  # news kept for a reader that is behind; older ones are dropped


class News(NamedTuple):
    """One thing that was published."""

    topic: str
    data: Mapping[str, Any]


class Live:
    """Publish and subscribe within one process.

    >>> async def main() -> str:
    ...     live = Live()
    ...     with live.subscribe() as news:
    ...         live.publish("health", {"accounts": ["acc_1"]})
    ...         return (await anext(news)).topic
    >>> asyncio.run(main())
    'health'
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers: set[Subscription] = set()
        self._carrier: Callable[[News], None] | None = None
        self._closed = False

    def publish(self, topic: str, data: Mapping[str, Any]) -> None:
        """Tell every subscriber, and other processes; never waits and never raises, whatever thread calls it."""
        news = News(topic, data)
        self.deliver(news)
        if (carrier := self._carrier) is not None:
            carrier(news)

    def deliver(self, news: News) -> None:
        """Tell the subscribers of this process only."""
        with self._lock:
            readers = tuple(self._readers)
        for reader in readers:
            reader.put(news)

    def carry(self, carrier: Callable[[News], None] | None) -> None:
        """Hand everything that is published here to `carrier`, too; it neither waits nor raises. None: no longer."""
        self._carrier = carrier

    def subscribe(self) -> Subscription:
        """Everything published from now on; call it in the event loop that will read."""
        reader = Subscription(self, asyncio.get_running_loop())
        with self._lock:
            if self._closed:
                reader.end()
            else:
                self._readers.add(reader)
        return reader

    def close(self) -> None:
        """End every subscription, so that a server with open pages can stop."""
        with self._lock:
            self._closed = True
            readers = tuple(self._readers)
            self._readers.clear()
        for reader in readers:
            reader.end()

    def forget(self, reader: Subscription) -> None:
        """Stop telling this subscriber."""
        with self._lock:
            self._readers.discard(reader)


class Subscription:
    """An async iterator of `News`, oldest first; use it as a context manager or call `close`."""

    def __init__(self, live: Live, loop: asyncio.AbstractEventLoop) -> None:
        self._live = live
        self._loop = loop
        self._waiting: deque[News] = deque(maxlen=MOST_WAITING)
        self._awake = asyncio.Event()
        self._ended = False

    def put(self, news: News) -> None:
        """Keep one for the reader; called from any thread."""
        self._waiting.append(news)  # a deque's append is atomic, and drops the oldest when full
        self._wake()

    def end(self) -> None:
        """Let the reader finish what waits, then stop; called from any thread."""
        self._ended = True
        self._wake()

    def close(self) -> None:
        """Stop reading."""
        self._live.forget(self)

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._awake.set)
        except RuntimeError:  # the reader's loop is gone, and the reader with it
            self._live.forget(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> News:
        while True:
            try:
                return self._waiting.popleft()
            except IndexError:
                pass
            if self._ended:
                raise StopAsyncIteration
            await self._awake.wait()
            self._awake.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
