"""What several events come to at the door: which are new, whose they are, and the one append that keeps them.

Webhooks, files of the past, replays and our own doings all go this way, so that all of them keep the same rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple, Protocol

import msgspec

from hub.ingest.checks import sealed
from hub.ingest.deadletters import Dead
from hub.ingest.dedupe import Known, digest_of
from hub.ingest.resolver import Resolver
from hub.sdk.events import Event
from hub.store.database import Database
from hub.store.expendable.client import Expendable
from hub.streams.log import Entry
from hub.streams.topics import DEAD_LETTERS, EVENTS, RAW, partition_of

DUPLICATES: Final = "door_duplicates"
DEAD_LETTERED: Final = "door_dead_lettered"


class Appends(Protocol):
    """The part of the log that is written to."""

    partitions: int

    def append(self, entries: Sequence[Entry], counts: Mapping[str, int] | None = None) -> Future[None]:
        """Add records and add to the counters, both or neither; the future is done when they are on disk."""


class Sealed(NamedTuple):
    """An event that may go on the log: itself, how it is written there, and the digest of its id."""

    event: Event
    written: bytes
    digest: bytes


def seal(event: Event, connection: str, received_at: datetime) -> Sealed:
    """Check and stamp one event.

    Raises:
        RejectedError: it breaks a rule; see `hub.ingest.checks`.
    """
    stamped, written = sealed(event, connection, received_at)
    return Sealed(stamped, written, digest_of(connection, stamped.id))


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is to be appended, together or not at all.

    Attributes:
        entries: in this order.
        digests: of the events among them.
        duplicates: events left out because they are known.
        dead_lettered: letters among the entries.
        fresh: for each event handed in, in order, whether it is among the entries.
    """

    entries: list[Entry]
    digests: list[bytes]
    duplicates: int
    dead_lettered: int
    fresh: list[bool] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        """Events among the entries."""
        return len(self.digests)


class Intake:
    """Sorts events and appends what is new; may be used from several threads.

    Args:
        log: what is appended to, and nothing else is.
        database: where applied ids and links are looked up.
        redis: where doors tell each other which ids they took, if there is one.
    """

    def __init__(self, log: Appends, database: Database, redis: Expendable | None = None) -> None:
        self.log = log
        self.resolver = Resolver(database)
        self._known = Known(database, redis)

    def pack(
        self,
        events: Sequence[Sealed],
        received_at: float,
        letters: Sequence[Dead] = (),
        raw: tuple[str, bytes] | None = None,
    ) -> Parcel:
        """Leave out what is known, find out whose the rest is. Reads the database: not for an event loop's thread.

        Args:
            events: of one body or one part of a file.
            received_at: unix seconds.
            letters: what of it could not be read.
            raw: `(connection, record)` for topic `raw`; left out if all of the body is known already.
        """
        known = self._known.among([one.digest for one in events])
        new: dict[bytes, Sealed] = {}
        fresh = []
        for one in events:
            fresh.append(one.digest not in known and one.digest not in new)
            if fresh[-1]:
                new[one.digest] = one
        accounts = self.resolver.resolve([one.event for one in new.values()])
        entries = []
        if raw and (new or letters):
            entries.append(self._entry(RAW.name, raw[0].encode(), raw[1], received_at))
        for one, account in zip(new.values(), accounts, strict=True):
            entries.append(self._entry(EVENTS.name, account.encode(), one.written, received_at))
        entries.extend(self._letters(letters, received_at))
        return Parcel(entries, list(new), len(events) - len(new), len(letters), fresh)

    def append(self, parcel: Parcel) -> Future[None]:
        """Append a parcel; once the future is done it is on disk, and its ids are known."""
        counts = {
            name: many
            for name, many in ((DUPLICATES, parcel.duplicates), (DEAD_LETTERED, parcel.dead_lettered))
            if many
        }
        future = self.log.append(parcel.entries, counts)
        future.add_done_callback(lambda done: self._remember(done, parcel))
        return future

    def again(self, topic: str, key: bytes, value: bytes, at: float) -> Entry:
        """The entry that puts a record, as it stood on the log, there once more."""
        return self._entry(topic, key, value, at)

    def _remember(self, done: Future[None], parcel: Parcel) -> None:
        if not done.cancelled() and done.exception() is None:
            self._known.remember(parcel.digests)

    def _letters(self, letters: Sequence[Dead], at: float) -> Iterable[Entry]:
        for letter in letters:
            yield self._entry(DEAD_LETTERS.name, letter.connection.encode(), msgspec.json.encode(letter), at)

    def _entry(self, topic: str, key: bytes, value: bytes, at: float) -> Entry:
        return Entry(topic, partition_of(key, self.log.partitions), key, value, at)
