"""The default outbox: table `outgoing`, from the commit that made a message until the log has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from hub.store import schema
from hub.store.database import insert_rows
from hub.streams.room import Message, Waiting

_TABLE: Final = schema.outgoing
_INSERT: Final = insert(_TABLE)


class TableOutbox:
    """Messages of one room to one topic; forgotten once they are published."""

    def __init__(self, room: str, topic: str) -> None:
        self._room = room
        self._topic = topic
        self._mine = (_TABLE.c.room == room) & (_TABLE.c.topic == topic)

    def append(self, connection: Connection, waiting: Sequence[Waiting]) -> None:
        """See `hub.streams.room.Outbox`."""
        rows: list[tuple[object, ...]] = [
            (self._room, self._topic, source, sequence, message.key, message.value)
            for source, sequence, message in waiting
        ]
        insert_rows(connection, _INSERT, rows)

    def read(self, connection: Connection, source: int, after: int, limit: int) -> Sequence[Waiting]:
        """See `hub.streams.room.Outbox`."""
        rows = connection.execute(
            select(_TABLE.c.sequence, _TABLE.c.key, _TABLE.c.value)
            .where(self._mine & (_TABLE.c.partition == source) & (_TABLE.c.sequence > after))
            .order_by(_TABLE.c.sequence)
            .limit(limit),
        )
        return [Waiting(source, row.sequence, Message(row.key, row.value)) for row in rows]

    def published(self, connection: Connection, source: int, through: int) -> None:
        """See `hub.streams.room.Outbox`."""
        connection.execute(
            delete(_TABLE).where(self._mine & (_TABLE.c.partition == source) & (_TABLE.c.sequence <= through)),
        )
