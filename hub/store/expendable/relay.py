"""News between processes: what one publishes to its `Live`, the `Live` of every other one tells too.

They go through one channel of Redis. While there is none, each process asks the database once a second what moved: its
pages stay live, a second slower. Like `Live` itself it promises nothing: news may be missing, or come twice.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from hub.sdk.errors import HubError
from hub.store.database import Database
from hub.store.expendable.client import Expendable
from hub.store.expendable.moved import Moved
from hub.store.live import Live, News

if TYPE_CHECKING:
    import redis
    from redis.client import PubSub

PACE: Final = 1.0  # seconds between two looks at the database
_QUIET: Final = 0.5  # seconds of silence after which we ask whether Redis is still there
_DEAF: Final = 2.0  # seconds of silence after which it is not
_log = logging.getLogger(__name__)


class _Told(msgspec.Struct, array_like=True):
    """What goes through the channel."""

    teller: str
    topic: str
    data: dict[str, Any]


class Relay:
    """Carries news of one process, in a thread of its own.

    Args:
        live: this process's.
        expendable: through which news go to others and come from them.
        database: asked what moved while nothing can come that way.
        listens: False where no page is ever open (a worker): it tells, and hears nothing.
    """

    def __init__(self, live: Live, expendable: Expendable, database: Database, *, listens: bool = True) -> None:
        self._live = live
        self._expendable = expendable
        self._moved = Moved(database)
        self._teller = secrets.token_hex(8)
        self._stopping = threading.Event()
        self._heard_at = 0.0
        self._blind = False
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True) if listens else None

    def start(self) -> None:
        """Carry from now on."""
        self._live.carry(self._tell)
        if self._thread:
            self._thread.start()

    def stop(self) -> None:
        """Carry no more."""
        self._live.carry(None)
        self._stopping.set()
        if self._thread and self._thread.is_alive():
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _channel(self) -> str:
        return self._expendable.key("news")

    def _tell(self, news: News) -> None:
        if self._expendable.configured:
            written = msgspec.json.encode(_Told(self._teller, news.topic, dict(news.data)))
            self._expendable.tell(lambda redis: redis.publish(self._channel, written))

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._look()
            if (heard := self._expendable.ask(self._subscribe)) is not None:
                with closing(heard):
                    self._look()  # what came between the last look and the subscription
                    self._listen(heard)
            else:
                self._stopping.wait(PACE)

    def _subscribe(self, client: redis.Redis) -> PubSub:
        heard: PubSub = client.pubsub()  # type: ignore[no-untyped-call]
        heard.subscribe(self._channel)
        self._heard_at = time.monotonic()
        return heard

    def _listen(self, heard: PubSub) -> None:
        """Pass on what comes, until Redis is away or we stop."""
        while not self._stopping.is_set() and self._expendable.ask(lambda _: self._hear(heard)):
            pass

    def _hear(self, heard: PubSub) -> Literal[True]:
        """Wait for one message; raises what redis-py raises, also when nothing comes that should have."""
        message = heard.get_message(timeout=_QUIET)
        if message is not None:
            self._heard_at = time.monotonic()
            if message["type"] == "message":
                self._pass_on(message["data"])
        elif time.monotonic() - self._heard_at > _DEAF:
            from redis import TimeoutError as RedisTimeoutError  # noqa: PLC0415 - only where there is one

            raise RedisTimeoutError(f"silent for {_DEAF:g} s")
        else:
            heard.ping()  # its answer is a message, too
        return True

    def _pass_on(self, written: bytes) -> None:
        try:
            told = msgspec.json.decode(written, type=_Told)
        except msgspec.DecodeError:
            return  # not one of ours, or of a version to come: pages look by themselves after a while
        if told.teller != self._teller:
            self._live.deliver(News(told.topic, told.data))

    def _look(self) -> None:
        for news in self._seen():
            self._live.deliver(news)

    def _seen(self) -> Iterable[News]:
        try:
            seen = self._moved.look()
        except (SQLAlchemyError, HubError) as error:
            if not self._blind:
                _log.warning("live.database_down", extra={"reason": type(error).__name__})
            self._blind = True
            return []
        if self._blind:
            _log.warning("live.database_back")
            self._blind = False
        return seen
