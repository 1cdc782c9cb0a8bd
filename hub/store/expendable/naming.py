"""What an installation's keys are called, so that two of them may share a Redis."""

from __future__ import annotations

import secrets
from typing import Final

from sqlalchemy import Connection, delete, select

from hub.store.database import Database
from hub.store.schema import meta
from hub.store.upserts import insert

_KEY: Final = "expendable"


def name_of(database: Database) -> str:
    """A random name, drawn once in the life of a database and kept in it."""
    asked = select(meta.c.value).where(meta.c.key == _KEY)
    with database.read() as connection:
        found: str | None = connection.scalar(asked)
    if found is not None:
        return found
    drawn = insert(meta).values(key=_KEY, value=secrets.token_hex(4)).on_conflict_do_nothing()
    database.write(lambda connection: connection.execute(drawn) and None).result()
    with database.read() as connection:
        return str(connection.scalar(asked))


def begin_anew(connection: Connection) -> None:
    """Forget the name: part of every restore, and of beginning a log anew that was lost.

    A restored database is older than what Redis remembers. Under the old name the doors would take ids for known that
    came after the backup, or were in the log that was lost, and are in no log any more.
    """
    connection.execute(delete(meta).where(meta.c.key == _KEY))
