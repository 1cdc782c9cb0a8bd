"""When the door must say "later": scoring is too far behind, or the disk is nearly full."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from sqlalchemy import func, select

from hub.ingest.answers import RefusedError
from hub.store import schema
from hub.store.database import Database
from hub.streams.topics import EVENTS

SCORING: Final = "scoring.rescore"  # the room whose offsets say how far scoring has come
_FRESH: Final = 0.5  # seconds for which the last look is good enough
_OFFSETS: Final = select(func.sum(schema.offsets.c.next)).where(
    schema.offsets.c.room == SCORING, schema.offsets.c.topic == EVENTS.name
)


class _Trouble(NamedTuple):
    code: str
    message: str
    after: int  # seconds


class Ends(Protocol):
    """The part of the log that is asked how far it reaches."""

    def ends(self, topic: str) -> dict[int, int]:
        """Partition -> the offset the next record will get."""


class Pressure:
    """Looks at most twice a second, however often it is asked.

    Args:
        log: knows where `events` ends.
        database: knows how far scoring has come.
        folder: on the disk that the log is on; None where that is another machine's.
        max_lag: unscored events beyond which nothing more is taken.
        min_free_disk: bytes.
        now: seconds of a clock that only runs forward.
    """

    def __init__(
        self,
        log: Ends,
        database: Database,
        *,
        folder: Path | None,
        max_lag: int,
        min_free_disk: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._database = database
        self._folder = folder
        self._max_lag = max_lag
        self._min_free_disk = min_free_disk
        self._now = now
        self._looked_at = float("-inf")
        self._trouble: _Trouble | None = None

    def lag(self) -> int:
        """Events on the log that scoring has not committed, now."""
        with self._database.read() as connection:
            done = connection.scalar(_OFFSETS) or 0
        return max(0, sum(self._log.ends(EVENTS.name).values()) - int(done))

    def check(self) -> None:
        """Raise `RefusedError` (503) while nothing more may be taken."""
        if self._now() - self._looked_at >= _FRESH:
            self._trouble = self._look()
            self._looked_at = self._now()
        if self._trouble is not None:
            raise RefusedError(503, self._trouble.code, self._trouble.message, retry_after=str(self._trouble.after))

    def _look(self) -> _Trouble | None:
        if self._folder and shutil.disk_usage(self._folder).free < self._min_free_disk:
            return _Trouble("disk_full", "the disk is nearly full", 30)  # Zendesk gives up on a minute or more
        if self.lag() > self._max_lag:
            return _Trouble("too_far_behind", "too many events wait to be scored", 5)
        return None
