"""What the doors count, in table `counters`: gathered in memory, added to the database about once a second.

A process that is killed loses the last second of it. Nothing balances on it: what the door counts, it adds to both
sides of the books.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from hub.sdk.errors import RetryLaterError
from hub.store import schema
from hub.store.database import Database
from hub.store.upserts import insert

log = logging.getLogger(__name__)

EVERY: Final = 1.0  # seconds
_TABLE: Final = schema.counters
_ADD: Final = insert(_TABLE).on_conflict_do_update(
    index_elements=list(_TABLE.primary_key),
    set_={"value": _TABLE.c.value + insert(_TABLE).excluded.value},
)


class Counting:
    """Counters of one process; safe from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._unwritten: Counter[str] = Counter()
        self._some = threading.Lock()
        self._writing = threading.Lock()  # so that nobody reads between a write and our forgetting it
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-counters", daemon=True)
        self._thread.start()

    def add(self, counts: Mapping[str, int]) -> None:
        """Count."""
        with self._some:
            self._unwritten.update(counts)

    def read(self) -> dict[str, int]:
        """All there is: of this process at once, of others within about a second."""
        with self._writing:
            with self._database.read() as connection:
                counted = Counter({row.name: row.value for row in connection.execute(select(_TABLE))})
            with self._some:
                counted.update(self._unwritten)
        return dict(counted)

    def close(self) -> None:
        """Write what is counted, and end."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(EVERY):
            self._write()
        self._write()

    def _write(self) -> None:
        with self._writing:
            with self._some:
                counts, self._unwritten = self._unwritten, Counter()
            rows = [{"name": name, "value": value} for name, value in sorted(counts.items())]

            def job(connection: Connection) -> None:
                connection.execute(_ADD, rows)

            if not rows:
                return
            try:
                self._database.write(job).result()
            except (SQLAlchemyError, RetryLaterError) as error:  # the agents say that the database is down
                log.debug("kafka.counters_unwritten", extra={"reason": type(error).__name__})
                self.add(counts)
