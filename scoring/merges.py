"""Who was merged into whom, remembered; and told when any worker has merged or taken back since."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Connection, String, cast, select

from hub.store import schema
from hub.store.question import Answer, Question
from hub.store.upserts import insert
from hub.streams.topics import EVENTS

_KEY: Final = "merges"
_META, _OFFSETS, _MERGES = schema.meta, schema.offsets, schema.merges
_HOW_MANY: Final = select(_META.c.value).where(_META.c.key == _KEY)
_COUNT: Final = Question(_HOW_MANY)
_ALL: Final = select(_MERGES.c.absorbed, _MERGES.c.survivor, _HOW_MANY.scalar_subquery().label("told"))  # of one moment
_TELL: Final = (  # the database counts: of two who tell at once the second waits for the first
    insert(_META)
    .values(key=_KEY, value="1")
    .on_conflict_do_update(
        index_elements=[_META.c.key],
        set_={"value": cast(cast(_META.c.value, BigInteger) + 1, String)},
    )
)


class Merges:
    """The survivors of absorbed accounts, as some transaction saw them.

    Attributes:
        survivors: absorbed account -> its survivor.
    """

    def __init__(self) -> None:
        self.survivors: dict[str, str] = {}
        self._told: int | None = None

    def ask(self, connection: Connection) -> Answer:
        """How often anybody has merged or taken back."""
        return _COUNT.ask(connection)

    def read(self, connection: Connection, answer: Answer | None = None) -> frozenset[str] | None:
        """See what was merged or taken back since.

        Args:
            connection: knows it.
            answer: what was asked before, if it was.

        Returns:
            The accounts that were absorbed or came back; None if some were both, and which cannot be told any more.
        """
        told = next((int(row.value) for row in (answer or self.ask(connection))()), 0)
        if told == self._told:
            return frozenset()
        found = {}
        for absorbed, survivor, at in connection.execute(_ALL):
            found[absorbed], told = survivor, int(at or 0)
        changed = frozenset(found.keys() ^ self.survivors.keys())
        hidden = self._told is not None and told - self._told > len(changed)
        self.survivors, self._told = found, told
        return None if hidden else changed


def tell(connection: Connection) -> None:
    """Let every worker see, in its next transaction, that this one has merged or taken back; once for each."""
    connection.execute(_TELL)


def lock(connection: Connection, room: str, partition: int) -> None:
    """Wait until the worker of a partition has committed what it is at, and hold it back until we have."""
    here = (_OFFSETS.c.room == room) & (_OFFSETS.c.topic == EVENTS.name) & (_OFFSETS.c.partition == partition)
    connection.execute(select(_OFFSETS.c.partition).where(here).with_for_update()).all()
