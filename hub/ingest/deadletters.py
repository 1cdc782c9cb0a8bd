"""What could not be taken, kept with its bytes, its reason and the version that could not, until a person says."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, func, select, tuple_

from hub.store import schema
from hub.store.upserts import insert
from hub.streams.room import Record, Step
from hub.streams.topics import DEAD_LETTERS, TopicSpec


class Dead(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One dead letter; the message of topic `dead-letters`.

    Attributes:
        id: made of facts, so that the same letter is one row however often it comes.
        at: unix seconds.
        stage: `normalize` (a plugin could not read a record), `apply` (an event could not be applied) or `deliver`
            (a destination refused).
        connection: the source it came through, or the sink it was for.
        reason: why, in words.
        version: of the plugin that could not, where known.
        context: where it was. `normalize`: `path`, `received_at`, `sent_at` (ISO); `apply`: `room`, `topic`,
            `partition`, `offset`, `account` (the record's key); `deliver`: `sink`, `account`, `key`.
        body: the bytes: a vendor's record, an event as on the log, or a delivery.
    """

    id: str
    at: float
    stage: str
    connection: str
    reason: str
    version: str = ""
    context: dict[str, str | int | float | None] = msgspec.field(default_factory=dict)
    body: bytes = b""


def letter_id(stage: str, connection: str, *facts: bytes) -> str:
    """An id made of what failed, where."""
    digest = hashlib.blake2b(digest_size=10)
    for fact in (stage.encode(), connection.encode("utf-8", "replace"), *facts):
        digest.update(b"%d:" % len(fact) + fact)
    return f"dl_{digest.hexdigest()}"


_read: Final = msgspec.json.Decoder(Dead).decode
_TABLE: Final = schema.dead_letters
_INSERT: Final = insert(_TABLE)
_UPSERT: Final = _INSERT.on_conflict_do_update(
    index_elements=[_TABLE.c.id],
    # the same thing failing again is one letter, and open again if it had been replayed in between
    set_={name: _INSERT.excluded[name] for name in ("at", "reason", "version", "context", "state")},
)


class DeadLetters:
    """The room that puts dead letters where people find them: topic `dead-letters` into the table of that name."""

    name = "ingest.dead_letters"
    topic: TopicSpec = DEAD_LETTERS
    tick_every: float | None = None

    def assign(self, connection: Connection, partitions: Sequence[int], kept: Collection[int] = ()) -> None:
        """Nothing is kept in memory."""

    def step(self, _connection: Connection, batch: Sequence[Record]) -> Step:
        """One row a letter; what cannot be read as one is kept as a letter about itself."""
        return Step(write=partial(_store, [_letter(record) for record in batch]))

    def tick(self, _connection: Connection) -> Step | None:
        """Time changes nothing here."""
        return None


def listed(
    connection: Connection, *, state: str = "open", limit: int = 50, after: tuple[float, str] | None = None
) -> list[Dead]:
    """Dead letters, newest first; `after` is `(at, id)` of the last one of the page before."""
    query = select(_TABLE).where(_TABLE.c.state == state).order_by(_TABLE.c.at.desc(), _TABLE.c.id.desc()).limit(limit)
    if after is not None:
        query = query.where(tuple_(_TABLE.c.at, _TABLE.c.id) < tuple_(*after))
    return [letter_of(row) for row in connection.execute(query)]


def shown(connection: Connection, letter: str) -> Dead | None:
    """One dead letter, whether open or replayed."""
    row = connection.execute(select(_TABLE).where(_TABLE.c.id == letter)).one_or_none()
    return None if row is None else letter_of(row)


def counted(connection: Connection) -> dict[str, int]:
    """State -> how many."""
    rows = connection.execute(select(_TABLE.c.state, func.count()).group_by(_TABLE.c.state))
    return {row[0]: row[1] for row in rows}


def letter_of(row: Row[Any]) -> Dead:
    """A row of the table as the letter it is."""
    return Dead(
        id=row.id,
        at=row.at,
        stage=row.stage,
        connection=row.connection,
        reason=row.reason,
        version=row.version,
        context=msgspec.json.decode(row.context),
        body=row.body,
    )


def _letter(record: Record) -> Dead:
    try:
        return _read(record.value)
    except (msgspec.MsgspecError, RecursionError) as error:
        return Dead(
            id=letter_id("apply", "", record.value),
            at=record.timestamp,
            stage="apply",
            connection="",
            reason=f"a dead letter that cannot be read: {error}",
            context={"topic": DEAD_LETTERS.name, "partition": record.partition, "offset": record.offset},
            body=record.value,
        )


def _store(letters: Sequence[Dead], connection: Connection) -> None:
    rows = [
        {
            **{
                name: getattr(letter, name) for name in ("id", "at", "stage", "connection", "reason", "version", "body")
            },
            "context": msgspec.json.encode(letter.context).decode(),
            "state": "open",
        }
        for letter in letters
    ]
    if rows:
        connection.execute(_UPSERT, rows)
