"""Once a day everybody is valued, by one process that learns; when nothing waits to be scored, if that ever is."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from hub.sdk.errors import HubError
from hub.store.database import Database
from hub.store.leases import Lease
from hub.store.questions import portfolio
from scoring.config import Config
from scoring.value.kept import newest, value_all
from scoring.value.settings import Valuing

VALUING: Final = "valuing"
_DAILY: Final = 86_400.0
_LOOK: Final = 60.0  # seconds between two looks at whether it is time; also before the first
_PATIENCE: Final = 30  # looks at which something waited; then it is done all the same
_log = logging.getLogger(__name__)


class Appraising:
    """The work of lease `valuing`.

    Args:
        database: the truth.
        config: says what a risk is of.
        valuing: how customers are valued.
        clock: `wall` or `event`, of customers' time.
        idle: whether nothing waits to be scored.
        look: seconds between two looks.
    """

    def __init__(
        self,
        database: Database,
        config: Config,
        valuing: Valuing,
        *,
        clock: str,
        idle: Callable[[], bool],
        look: float = _LOOK,
    ) -> None:
        self._database, self._config, self._valuing = database, config, valuing
        self._by_events = clock == "event"
        self._idle, self._look = idle, look
        self._waited = 0

    async def work(self, _lease: Lease) -> None:
        """Until cancelled. Whoever else values at the same time does no harm: what is written is the same."""
        while True:
            await asyncio.sleep(self._look)
            if not await asyncio.to_thread(self._due):
                continue
            halt = threading.Event()
            job = asyncio.ensure_future(asyncio.to_thread(self._value, halt))
            try:
                await asyncio.shield(job)
            finally:
                halt.set()  # a thread cannot be cancelled: it looks, and the database is not closed before it has ended
                await asyncio.wait({job})

    def _due(self) -> bool:
        try:
            with self._database.read() as connection:
                made = newest(connection)
                anybody = portfolio.newest(connection) is not None
            if not anybody or (made is not None and time.time() - made.made_at < _DAILY):
                return False
            self._waited += 1
            if not self._idle() and self._waited < _PATIENCE:
                return False
        except (HubError, SQLAlchemyError) as error:
            _log.warning("worker.not_valued", extra={"error": str(error)})
            return False
        self._waited = 0
        return True

    def _value(self, halt: threading.Event) -> None:
        wall, customers = time.time(), 0
        try:
            with self._database.read() as connection:
                now = (portfolio.newest(connection) if self._by_events else None) or wall
            for done in value_all(self._database, self._config, self._valuing, now=now, wall=wall, halted=halt.is_set):
                customers = done
        except (HubError, SQLAlchemyError, ArithmeticError, ValueError) as error:
            _log.warning("worker.not_valued", extra={"error": f"{type(error).__name__}: {error}"})
            return
        _log.info("worker.valued", extra={"customers": customers, "took": round(time.time() - wall, 1)})
