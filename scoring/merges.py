"""Who was merged into whom, remembered; and told when any worker has merged or taken back since."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, select

from hub.store import schema
from hub.store.upserts import insert
from hub.streams.topics import EVENTS

_KEY: Final = "merges"
_META, _OFFSETS = schema.meta, schema.offsets
_HOW_MANY: Final = select(_META.c.value).where(_META.c.key == _KEY)
_TOLD: Final = insert(_META).values(key=_KEY, value="1")


class Merges:
    """The survivors of absorbed accounts, as some transaction saw them.

    Attributes:
        survivors: absorbed account -> its survivor.
    """

    def __init__(self) -> None:
        self.survivors: dict[str, str] = {}
        self._told: str | None = None

    def read(self, connection: Connection) -> frozenset[str]:
        """See what was merged or taken back since; returns the accounts that were absorbed or came back."""
        told = connection.scalar(_HOW_MANY) or ""
        if told == self._told:
            return frozenset()
        merges = schema.merges
        found = {row.absorbed: row.survivor for row in connection.execute(select(merges))}
        changed = frozenset(found.keys() ^ self.survivors.keys())
        self.survivors, self._told = found, told
        return changed


def tell(connection: Connection) -> None:
    """Let every worker see, in its next transaction, that this one has merged or taken back."""
    told = int(connection.scalar(_HOW_MANY) or 0) + 1
    connection.execute(_TOLD.on_conflict_do_update(index_elements=[_META.c.key], set_={"value": str(told)}))


def lock(connection: Connection, room: str, partition: int) -> None:
    """Wait until the worker of a partition has committed what it is at, and hold it back until we have."""
    here = (_OFFSETS.c.room == room) & (_OFFSETS.c.topic == EVENTS.name) & (_OFFSETS.c.partition == partition)
    connection.execute(select(_OFFSETS.c.partition).where(here).with_for_update()).all()
