"""Redis, of which nothing is asked that we cannot do without.

Every answer may be "don't know" (None), which is treated as a cache that does not have it. After a failure nobody waits
for Redis again until a while has passed; then one of us tries, and the others go on without.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from hub import metrics
from hub.sdk.errors import ConfigError

if TYPE_CHECKING:  # an installation without a Redis need not spend the time to import its client
    import redis

T = TypeVar("T")
Question = Callable[["redis.Redis"], T]

PATIENCE: Final = 0.1  # seconds for a connection, and for an answer; `?socket_timeout=` in the URL wins
COOL_DOWN: Final = (1.0, 2.0, 5.0)  # seconds between attempts
_MOST_WAITING: Final = 1_000  # errands
log = logging.getLogger(__name__)


class Expendable:
    """A Redis that may come and go. Any thread; not an event loop's, since an answer takes up to 100 ms.

    Args:
        url: `redis://[user:password@]host[:port][/number]`, `rediss://...`, `unix:///path`; None: there is none.
        name: what our keys begin with after `pulsehub:`, see `hub.store.expendable.naming`; may be set anew.
        clock: seconds, monotonic.

    Raises:
        ConfigError: the URL cannot be read.
    """

    def __init__(self, url: str | None, name: str = "hub", clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._clock = clock
        self._client = connect(url) if url else None
        self._lock = threading.Lock()
        self._failures = 0
        self._failed_at = 0.0
        self._next_at = 0.0
        self._errands: queue.Queue[Question[object] | None] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None
        if self._client is not None:
            metrics.REDIS.labels(name).set_function(lambda: float(not self.away))
            self._thread = threading.Thread(target=self._run, name="redis-errands", daemon=True)
            self._thread.start()

    @property
    def configured(self) -> bool:
        """Whether there is a Redis at all."""
        return self._client is not None

    @property
    def away(self) -> bool:
        """Whether the last thing anybody heard of it was a failure."""
        return self._failures > 0

    def key(self, *parts: str) -> str:
        """Our name for something.

        >>> Expendable(None, "b7").key("pace", "zendesk")
        'pulsehub:b7:pace:zendesk'
        """
        return ":".join(("pulsehub", self.name, *parts))

    def ask(self, question: Question[T]) -> T | None:
        """What Redis answers; None: don't know. Waits a tenth of a second at most, and not at all while it is away.

        A question that was cut off may have been carried out.
        """
        if self._client is None or not self._may_try():
            return None
        from redis import RedisError  # noqa: PLC0415 - see above

        begun = self._clock()
        try:
            answer = question(self._client)
        except (RedisError, OSError) as error:
            self._failed(error, begun)
            return None
        self._well(begun)
        return answer

    def tell(self, question: Question[object]) -> None:
        """Ask in a thread of ours and let the answer go; never waits, never raises.

        They are asked in order. While 1,000 of them wait, further ones are dropped.
        """
        if self._thread is not None:
            try:
                self._errands.put_nowait(question)
            except queue.Full:
                return

    def close(self) -> None:
        """Finish what was told, as far as Redis is there."""
        if self._thread is not None and self._client is not None:
            self._errands.put(None)  # waits a moment where it is full; the thread empties it at Redis' pace or faster
            self._thread.join()
            self._thread = None
            self._client.close()

    def _run(self) -> None:
        while (question := self._errands.get()) is not None:
            self.ask(question)

    def _may_try(self) -> bool:
        if not self._failures:
            return True
        with self._lock:
            now = self._clock()
            if now < self._next_at:
                return False
            self._next_at = now + self._cool_down()
            return True

    def _failed(self, error: Exception, begun: float) -> None:
        with self._lock:
            if self._failures and begun < self._failed_at:
                return  # asked before it was known to be away: no news
            first = not self._failures
            self._failed_at = self._clock()
            self._next_at = self._failed_at + self._cool_down()
            self._failures += 1
        if first:
            log.warning("redis.down", extra={"reason": _reason(error)})

    def _well(self, begun: float) -> None:
        if not self._failures:
            return
        with self._lock:
            if not self._failures or begun < self._failed_at:
                return
            self._failures = 0
        log.warning("redis.back")

    def _cool_down(self) -> float:
        return COOL_DOWN[min(self._failures, len(COOL_DOWN) - 1)]


def connect(url: str) -> redis.Redis:
    """A client that waits no longer than we do; it connects when it is first asked.

    Raises:
        ConfigError: the URL cannot be read.
    """
    from redis import Redis  # noqa: PLC0415 - likewise
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    try:
        client = Redis.from_url(
            url,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 0),
            client_name="pulsehub",
            protocol=2,  # with 3 redis-py no longer looks whether a connection of the pool is still open
        )
        client.connection_pool.make_connection()  # connects to nothing, but takes only options there are
    except (ValueError, TypeError):  # its message may hold a part of the password: where one has a `/` or `#` unescaped
        raise ConfigError(
            "PULSEHUB_REDIS_URL cannot be read: write redis://[user:password@]host[:port][/number], rediss:// for TLS, "
            "or unix:///path; in a password write @ : / # % as %40 %3A %2F %23 %25"
        ) from None
    return client


def _reason(error: Exception) -> str:
    """In words, without what follows the first line; redis-py's own messages hold address and user, no password."""
    return f"{type(error).__name__}: {error}".split("\n", 1)[0]
