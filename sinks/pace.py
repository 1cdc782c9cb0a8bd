"""Not faster than a destination tolerates, however many processes push to it."""

from __future__ import annotations

import asyncio
from typing import Final

from hub.sdk.contracts import Paced, Sink
from hub.store.expendable.bucket import Bucket
from hub.store.expendable.client import Expendable

_LONGEST: Final = 1.0  # seconds between two looks: whoever waits must notice that it is to stop


class Pace:
    """The pace of one destination, where its sink says one (`hub.sdk.contracts.Paced`).

    Half of a minute's calls may go at once, the other half is spread over the minute: so no minute sees more than
    `per_minute`, wherever it begins.

    Args:
        sink: the destination.
        redis: where all processes share it; without one each keeps it by itself.
    """

    def __init__(self, sink: Sink, redis: Expendable) -> None:
        most = sink.per_minute if isinstance(sink, Paced) else None
        self._bucket = Bucket(redis, sink.name, rate=most / 120, burst=max(1.0, most / 2)) if most else None

    async def wait(self) -> float:
        """0.0: push now, it is counted. Else the seconds, a second at most, after which it is worth asking again."""
        if self._bucket is None:
            return 0.0
        return min(await asyncio.to_thread(self._bucket.take), _LONGEST)
