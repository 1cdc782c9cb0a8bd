"""How fast we may call a destination: a bucket of tokens that all workers share.

The bucket fills at `rate`, and holds `burst` at most; a call takes a token out. Redis does it in one step by its own
clock, so workers need no common one. Flushed, the bucket is full again: one more burst. While Redis is away each
process goes by a bucket of its own, so that N of them call up to N times too fast; a destination then says so itself
(429), and is heard.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from hub.store.expendable.client import Expendable

_TAKE: Final = """
local rate, burst, n = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local passed = math.max(0, now - (tonumber(kept[2]) or now))
local tokens = math.min(burst, (tonumber(kept[1]) or burst) + passed * rate)
local wait = 0
if tokens >= n then tokens = tokens - n else wait = math.max(0.000001, (n - tokens) / rate) end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.9f', tokens), 'at', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], math.ceil(burst / rate) + 1)
return string.format('%.6f', wait)
"""


class Bucket:
    """One destination's tokens. Any thread; waits for Redis a tenth of a second at most.

    Args:
        expendable: where it is shared.
        name: the destination's; whoever gives the same name shares it, and gives the same `rate` and `burst`.
        rate: tokens a second, above 0.
        burst: tokens it holds, at least 1.
        clock: seconds, monotonic; of the process's own bucket.
    """

    def __init__(
        self,
        expendable: Expendable,
        name: str,
        rate: float,
        burst: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._expendable = expendable
        self._name = name
        self._rate = rate
        self._burst = burst
        self._own = _Own(rate, burst, clock)

    def take(self, n: float = 1.0) -> float:
        """Take `n` tokens, all or none of them: 0.0, or the seconds after which it is worth asking again.

        More than the bucket holds is as much as it holds.
        """
        n, key = min(n, self._burst), self._expendable.key("pace", self._name)
        wait = self._expendable.ask(lambda redis: float(redis.eval(_TAKE, 1, key, self._rate, self._burst, n)))
        if wait is None:
            return self._own.take(n)
        if wait == 0:
            self._own.spend(n)  # so that a Redis that goes away leaves no full bucket behind
        return wait


class _Own:
    """The bucket of this process alone."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = burst
        self._at = clock()

    def take(self, n: float) -> float:
        with self._lock:
            self._fill()
            if self._tokens < n:
                return (n - self._tokens) / self._rate
            self._tokens -= n
            return 0.0

    def spend(self, n: float) -> None:
        """What was taken elsewhere is gone here too, as far as there is any."""
        with self._lock:
            self._fill()
            self._tokens = max(0.0, self._tokens - n)

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
