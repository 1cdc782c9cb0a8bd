"""A broker that does not answer: said once when it goes and once when it is back."""

from __future__ import annotations

import logging
import threading

log = logging.getLogger(__name__)


class Outage:
    """Shared by all that talk to one cluster; safe from any thread."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._lasts = False

    @property
    def lasts(self) -> bool:
        """Whether the last thing anybody heard was a failure."""
        return self._lasts

    def begin(self, reason: str) -> None:
        """Say that it is gone, if nobody has."""
        with self._lock:
            said, self._lasts = self._lasts, True
        if not said:
            log.error("kafka.down", extra={"place": self._place, "reason": reason})

    def over(self) -> None:
        """It answered."""
        if not self._lasts:
            return
        with self._lock:
            said, self._lasts = self._lasts, False
        if said:
            log.warning("kafka.back", extra={"place": self._place})


def say(error: BaseException) -> str:
    """The reason in words; a timeout has none of its own."""
    return "it does not answer" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}".rstrip(": ")
