"""What customers write is read as it passes the scoring room, by their words and by what ratings have taught.

The reading is archived with the event, so that folding it anew, after a merge or for a new measure, comes to the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, select

from hub.store import schema
from hub.store.upserts import insert
from scoring.intake import Taken
from scoring.sentiment.learned import Learned, State, decode, encode
from scoring.sentiment.lessons import theirs
from scoring.sentiment.noting import noted

_META: Final = schema.meta
STATE: Final = "texts"
MARK: Final = "texts_mark"


class Mark(msgspec.Struct, frozen=True):
    """How far ratings were taught.

    Attributes:
        row: of the archive; what comes after it is still to be taught.
        taught: how often the state has changed; whoever has read this one need not read it again.
    """

    row: int = 0
    taught: int = 0


class Texts:
    """Reads texts.

    Args:
        by_events: whether time is that of events. Texts are read by their words alone then: when a rating was taught
            is a matter of the wall's clock, and the same log must come to the same numbers.
    """

    def __init__(self, *, by_events: bool) -> None:
        self._by_events = by_events
        self._learned: Learned | None = None
        self._taught = 0

    def read(self, connection: Connection, fresh: Sequence[Taken]) -> list[Taken]:
        """Events with what their texts say, in the same order; those without a text as they are."""
        if not any(theirs(one.event) for one in fresh):
            return list(fresh)
        learned = None if self._by_events else self._newest(connection)
        return [_noted(one, learned) if one.event.text else one for one in fresh]

    def _newest(self, connection: Connection) -> Learned | None:
        taught = mark(connection).taught
        if taught != self._taught:
            self._learned, self._taught = Learned(state(connection)), taught
        return self._learned


def _noted(one: Taken, learned: Learned | None) -> Taken:
    event = noted(one.event, learned)
    if event is one.event:
        return one
    return one._replace(event=event, record=one.record._replace(value=msgspec.json.encode(event)))


def mark(connection: Connection) -> Mark:
    """How far ratings were taught; the beginning where none were."""
    body = connection.scalar(select(_META.c.value).where(_META.c.key == MARK))
    return Mark() if body is None else msgspec.json.decode(body, type=Mark)


def state(connection: Connection) -> State:
    """What was learned; nothing where it cannot be read."""
    body = connection.scalar(select(_META.c.value).where(_META.c.key == STATE))
    if body is not None:
        with contextlib.suppress(ValueError, msgspec.MsgspecError):
            return decode(body)
    return State()


def keep(connection: Connection, mark: Mark, state: State | None = None) -> None:
    """Store how far ratings were taught and, where it has changed, what was learned."""
    kept = {MARK: msgspec.json.encode(mark).decode()} | ({} if state is None else {STATE: encode(state)})
    for key, value in kept.items():
        row = insert(_META).values(key=key, value=value)
        connection.execute(row.on_conflict_do_update(index_elements=[_META.c.key], set_={"value": value}))
