"""Identity with a memory: looks references up in the database, and remembers what it has just decided.

Links are written when an event is applied, which is after the door has answered; until then the door must give the
same reference the same account, so it keeps what it assigned beside what it read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, select

from hub.ingest.identity import Identifiers, account_of, identifiers_of, survivor_of
from hub.sdk.events import Event
from hub.store import schema
from hub.store.among import Among
from hub.store.database import Database

_MOST: Final = 500_000  # references remembered, about 100 MB at the very worst; the oldest go first
_FRESH: Final = 1.0  # seconds for which the merges read last are good enough: a later event is forwarded anyway
_LINKS: Final = Among(select(schema.links.c.reference, schema.links.c.account), schema.links.c.reference)
_KEYED: Final = select(schema.links.c.account).where(
    schema.links.c.account == bindparam("account"), schema.links.c.how == "key"
)


class Resolver:
    """Gives events their accounts; may be used from several threads.

    Args:
        database: holds `links` and `merges`.
        now: seconds of a clock that only runs forward.
    """

    def __init__(self, database: Database, now: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._now = now
        self._lock = threading.Lock()
        self._read: dict[str, str] = {}
        self._assigned: dict[str, str] = {}
        self._asked: set[str] = (
            set()
        )  # since merges were read last: what has no link yet need not be asked for each time
        self._keyed: set[str] = set()
        self._merges: dict[str, str] = {}
        self._merges_read_at = float("-inf")

    def resolve(self, events: Sequence[Event]) -> list[str]:
        """Our accounts of these events, in their order; at most a few queries for all of them together."""
        found = [identifiers_of(event) for event in events]
        with self._lock:
            self._look_up(found)
            return [self._assign(one) for one in found]

    def forget(self) -> None:
        """Look everything up again: somebody has changed links by hand."""
        with self._lock:
            self._read.clear()
            self._assigned.clear()
            self._asked.clear()
            self._keyed.clear()
            self._merges_read_at = float("-inf")

    def _look_up(self, found: Iterable[Identifiers]) -> None:
        stale = self._now() - self._merges_read_at > _FRESH
        if stale:
            self._asked.clear()
        named = {reference for one in found for reference in one if reference}
        wanted = named - self._read.keys() - self._asked
        if not wanted and not stale:
            return
        with self._database.read() as connection:
            if stale:
                rows = connection.execute(select(schema.merges.c.absorbed, schema.merges.c.survivor))
                merges = {row.absorbed: row.survivor for row in rows}
                if merges != self._merges:  # a merge, or its undoing, redirects links
                    self._merges = merges
                    wanted = named
                    self._read.clear()
                self._merges_read_at = self._now()
            for row in _LINKS.rows(connection, wanted):
                self._read[row.reference] = row.account
                self._assigned.pop(row.reference, None)
        self._asked |= wanted
        _trim(self._read)

    def _assign(self, found: Identifiers) -> str:
        account = account_of(found, self._linked, self._has_key)
        for reference in found:
            if reference and reference not in self._read:
                self._assigned.setdefault(reference, account)
        if found.key:
            self._keyed.add(account)
        _trim(self._assigned)
        return survivor_of(account, self._merges)

    def _linked(self, reference: str) -> str | None:
        return self._read.get(reference) or self._assigned.get(reference)

    def _has_key(self, account: str) -> bool:
        if account in self._keyed:
            return True
        with self._database.read() as connection:
            return has_key(connection, account)


def has_key(connection: Connection, account: str) -> bool:
    """Whether an explicit key is linked to this account."""
    return connection.scalar(_KEYED, {"account": account}) is not None


def _trim(memory: dict[str, str]) -> None:
    if len(memory) > _MOST:
        for reference in list(memory)[: _MOST // 10]:
            del memory[reference]
