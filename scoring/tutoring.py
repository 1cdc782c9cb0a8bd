"""Ratings teach how customers write: the learner reads them from the archive, in its order, each once.

How far it has come and what it learned are written in one transaction, so that a restart neither forgets a rating nor
teaches it twice. Rows of a large installation's archive may become visible out of order for as long as a transaction
takes: what is younger than a minute waits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, func, select

from hub import Event
from hub.store import schema
from hub.streams.room import Step
from scoring.learner import Learner, alone
from scoring.sentiment.lessons import A_DAY, CONVERSATION, RATINGS, Lesson, lesson
from scoring.texts import Mark, keep, mark, state

_ARCHIVE: Final = schema.archive
SETTLED: Final = 60.0
"""Seconds after which an archived row has all those before it."""
_STRIDE: Final = 400_000  # rows looked at in a turn; half a microsecond each, in the writer's transaction
_MOST: Final = 500  # ratings taught in a turn
_TEXTS: Final = 100  # newest events of an account among which its text is looked for
_DAY: Final = 86_400.0
_decode: Final = msgspec.json.Decoder(Event).decode


class Tutor(Learner):
    """The room `scoring.learn`, which between its labels teaches what ratings say of texts."""

    def tick(self, connection: Connection) -> Step | None:
        """Publish what was learned of customers, and teach the next ratings."""
        step, write = super().tick(connection), turn(connection, self._now())
        if step is None or write is None:
            return step if write is None else Step(write=write)

        def both(connection: Connection) -> None:
            step.write(connection)
            write(connection)

        return replace(step, write=both)


def turn(connection: Connection, now: float) -> Callable[[Connection], None] | None:
    """Teach the next ratings; what is to be written of it, None where there is nothing new.

    Args:
        connection: of the transaction in which that is written.
        now: unix seconds.
    """
    if connection.scalar(select(func.max(_ARCHIVE.c.row))) in (None, mark(connection).row):
        return None
    alone(connection)
    before = mark(connection)
    through = _settled(connection, before.row, now)
    if through is None:
        return None
    ratings = connection.execute(
        select(_ARCHIVE.c.row, _ARCHIVE.c.account, _ARCHIVE.c.occurred_at, _ARCHIVE.c.body)
        .where(_ARCHIVE.c.row > _begun(connection, before.row), _ARCHIVE.c.row <= through, _ARCHIVE.c.kind.in_(RATINGS))
        .order_by(_ARCHIVE.c.row)
        .limit(_MOST)
    ).all()
    if len(ratings) == _MOST:
        through = ratings[-1].row
    lessons = [(found, rating.occurred_at) for rating in ratings if (found := _lesson(connection, rating)) is not None]
    if not lessons:
        return lambda connection: keep(connection, Mark(through, before.taught))
    from scoring.sentiment.teaching import Teacher  # noqa: PLC0415 - River takes a second, and few have ratings

    teacher = Teacher(state(connection))
    for found, at in lessons:
        teacher.learn(found.text, positive=found.positive, weight=found.weight, at=at)
    after = teacher.state()
    return lambda connection: keep(connection, Mark(through, before.taught + 1), after)


def _begun(connection: Connection, after: int) -> int:
    """Where to go on from: an embedded archive of which all was let go numbers its rows from 1 again."""
    newest = connection.scalar(select(func.max(_ARCHIVE.c.row)))
    return 0 if newest is not None and newest < after else after


def _settled(connection: Connection, after: int, now: float) -> int | None:
    """The last row of the next stride that nothing can come before any more; None if there is none."""
    row, received = _ARCHIVE.c.row, _ARCHIVE.c.received_at
    after = _begun(connection, after)
    next_row = connection.scalar(select(func.min(row)).where(row > after))
    if next_row is None:
        return None
    here = (row >= next_row, row < next_row + _STRIDE)
    young = connection.scalar(select(func.min(row)).where(*here, received > now - SETTLED))
    last = connection.scalar(select(func.max(row)).where(*here, *(() if young is None else (row < young,))))
    return None if last is None else int(last)


def _lesson(connection: Connection, rating: Any) -> Lesson | None:
    event = _decode(rating.body)
    if _beyond(connection, rating):
        return None
    asked = (
        select(_ARCHIVE.c.body)
        .where(_ARCHIVE.c.account == rating.account, _ARCHIVE.c.occurred_at <= rating.occurred_at)
        .where(_ARCHIVE.c.occurred_at >= rating.occurred_at - CONVERSATION.total_seconds())
        .order_by(_ARCHIVE.c.occurred_at.desc(), _ARCHIVE.c.row.desc())
        .limit(_TEXTS)
    )
    before = [] if event.text else [_decode(body) for body in connection.scalars(asked)]
    return lesson(event, before)


def _beyond(connection: Connection, rating: Any) -> bool:
    """Whether the account has had its say today: as many of its ratings came before this one on the same day."""
    begins = rating.occurred_at - rating.occurred_at % _DAY
    asked = (
        select(func.count())
        .where(_ARCHIVE.c.account == rating.account, _ARCHIVE.c.kind.in_(RATINGS), _ARCHIVE.c.row < rating.row)
        .where(_ARCHIVE.c.occurred_at >= begins, _ARCHIVE.c.occurred_at < begins + _DAY)
    )
    return int(connection.scalar(asked) or 0) >= A_DAY
