"""A database that does not answer: said once when it goes and once when it is back."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

log = logging.getLogger(__name__)

_PATIENCE: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # seconds between attempts


class Outage:
    """Shared by all agents of one database; used in one event loop."""

    def __init__(self) -> None:
        self._attempts = 0

    @property
    def lasts(self) -> bool:
        """Whether the last thing anybody heard was a failure."""
        return self._attempts > 0

    async def wait(self, reason: str) -> None:
        """Say that it is gone, if nobody has, and wait before the next attempt."""
        if not self._attempts:
            log.error("streams.database_down", extra={"reason": reason})
        patience = _PATIENCE[min(self._attempts, len(_PATIENCE) - 1)]
        self._attempts += 1
        await asyncio.sleep(patience)

    def over(self) -> None:
        """A transaction went through."""
        if self._attempts:
            self._attempts = 0
            log.warning("streams.database_back")
