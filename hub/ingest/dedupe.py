"""Which ids are known already: those taken lately, from memory; by another door, from Redis; else by the ids applied.

What this misses (an id taken but not yet applied when the process starts again) the transaction that applies events
finds: an event counts once because its digest can be inserted once. Here it only saves the work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import select

from hub.store import schema
from hub.store.among import Among
from hub.store.database import Database
from hub.store.expendable.client import Expendable
from hub.store.expendable.digests import Digests

_MOST: Final = 100_000  # digests remembered in each of two halves, about 10 MB
_SEEN: Final = Among(select(schema.seen.c.digest), schema.seen.c.digest)


def digest_of(connection: str, event_id: str) -> bytes:
    """16 bytes that stand for an event's id, as table `seen` keeps them."""
    return hashlib.blake2b(f"{connection}\0{event_id}".encode("utf-8", "replace"), digest_size=16).digest()


class Known:
    """The ids that need not be appended again.

    Args:
        database: holds `seen`.
        redis: where doors tell each other what they took, if there is one.
    """

    def __init__(self, database: Database, redis: Expendable | None = None) -> None:
        self._database = database
        self._shared = Digests(redis or Expendable(None))
        self._young: set[bytes] = set()
        self._old: set[bytes] = set()

    def among(self, digests: Sequence[bytes]) -> set[bytes]:
        """Those of `digests` that are known; a query for every 500 that memory and Redis do not know. Any thread."""
        known = {digest for digest in digests if digest in self._young or digest in self._old}
        known |= self._shared.among(list(set(digests) - known))
        wanted = set(digests) - known
        if wanted:
            with self._database.read() as connection:
                known.update(row.digest for row in _SEEN.rows(connection, wanted))
        return known

    def remember(self, digests: Collection[bytes]) -> None:
        """Ids that are in the log now; call it only once they are there durably. Never waits."""
        self._young.update(digests)
        self._shared.add(digests)
        if len(self._young) > _MOST:
            self._old, self._young = self._young, set()
