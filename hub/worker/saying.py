"""What a process says of itself with each sign of life, for whoever looks at the installation from elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol


class Holds(Protocol):
    """What rooms do here; `hub.streams.streams.Streams` is one."""

    @property
    def failed(self) -> str | None:
        """Why one of them stopped for good."""

    def held(self) -> dict[str, list[int]]:
        """Room -> its partitions."""

    def halted(self) -> dict[str, str]:
        """Room -> why it stopped for good."""

    def ready(self) -> bool:
        """Whether all was loaded."""


class Saying:
    """Says what is so, and since when; the same again until something changes.

    Args:
        streams: the rooms of this process.
        delivers: the destinations it pushes to now.
        url: where pages, or probes, answer; may be empty.
        clock: unix seconds.
    """

    def __init__(
        self,
        streams: Holds,
        delivers: Callable[[], Sequence[str]],
        url: Callable[[], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._streams = streams
        self._delivers = delivers
        self._url = url
        self._clock = clock
        self._share: Mapping[str, Any] = {}
        self._since = clock()
        self._halts: dict[str, float] = {}

    def __call__(self) -> Mapping[str, Any]:
        """Everything, as JSON can hold it.

        `since` is when `rooms` or `delivers` came to be what they are; `halted` has the reason, and since when.
        """
        share = {"rooms": self._streams.held(), "delivers": list(self._delivers())}
        if share != self._share:
            self._share, self._since = share, self._clock()
        reasons = self._streams.halted()
        self._halts = {room: self._halts.get(room) or self._clock() for room in reasons}
        return {
            **share,
            "since": self._since,
            "halted": {room: {"reason": reason, "since": self._halts[room]} for room, reason in reasons.items()},
            "failed": self._streams.failed,
            "ready": self._streams.ready(),
            "url": self._url(),
        }
