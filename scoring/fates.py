"""What became of customers since they were put on record: by what their rows know, and where they do not, the archive.

A row knows as long as nothing that tells has happened behind the end of the span, or a mark waits for that very end;
which is nearly always. The rest is read from the archive and told as the past that it is, by `scoring.proof.story`: so
a label is what the events say, whenever they were heard of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from sqlalchemy import Connection, select

from hub import Event
from hub.store import schema
from hub.store.family import family
from scoring import archive
from scoring.arrays import Floats, Mask
from scoring.entities import TOUCHING
from scoring.features import feature_names, measured
from scoring.measures import MeasureSet
from scoring.outcome import Outcome
from scoring.proof.story import Story, Told
from scoring.rows import Rows
from scoring.snapshots import Waiting
from scoring.ways import Contraction, Way

_SOME: Final = 200  # accounts whose events are asked for at once
_decode: Final = msgspec.json.Decoder(Event).decode


class Books(NamedTuple):
    """What is known of customers.

    Attributes:
        connection: to the archive.
        measures: in rows.
        rows: (n,) one for each of those asked about.
        held: (n,) whether it is theirs; else nobody has one.
        fresh: (event, account) of this very step, which no archive has yet.
    """

    connection: Connection
    measures: MeasureSet
    rows: Rows
    held: Mask
    fresh: Sequence[tuple[Event, str]] = ()


def lost(books: Books, outcome: Outcome, waiting: Sequence[Waiting], ends: Sequence[float]) -> list[bool]:
    """Whether customers were lost between their snapshots and these ends.

    Args:
        books: what is known; its rows are aligned with `waiting`.
        outcome: what it means.
        waiting: the snapshots.
        ends: of their spans; all of them have passed.
    """
    at, until = np.array([one.at for one in waiting]), np.array(ends, np.float64)
    found, open_ = np.zeros(len(waiting), bool), []
    for way in outcome.ways:
        true, known = books.measures.came_true(books.rows, way, at, until)
        found |= true & known & books.held
        open_.append((way, ~known | ~books.held))
    asked = np.flatnonzero(np.any([unknown for _, unknown in open_], axis=0) & ~found)
    for some in np.split(asked, range(_SOME, len(asked), _SOME)):
        if not len(some):
            continue
        past = _Past(books, outcome, [waiting[place].account for place in some.tolist()], float(until[some].max()))
        for place in some.tolist():
            found[place] = any(
                past.true(way, place, waiting[place], ends[place]) for way, unknown in open_ if unknown[place]
            )
    return found.tolist()


class _Past:
    """All that tells of the outcome of some accounts and happened by then, from the archive."""

    def __init__(self, books: Books, outcome: Outcome, accounts: Sequence[str], until: float) -> None:
        self._books = books
        self._told = _told(books, outcome, accounts, until)
        self._places = {account: place for place, account in enumerate(self._told.accounts)}
        self._forgets = archive.forgotten(books.connection) > 0

    def true(self, way: Way, place: int, waiting: Waiting, until: float) -> bool:
        """Whether a way to be lost came true since a snapshot; `place` is that of its row."""
        who = np.array([self._places.get(waiting.account, -1)])
        if isinstance(way, Contraction) and not self._whole(place, waiting.account):
            return bool(way.below(self._was(way, waiting), self._now(way, place, until))[0])
        return bool(self._told.came_true(way, who, waiting.at, until)[0])

    def _whole(self, place: int, account: str) -> bool:
        """Whether the archive still has all that an account was ever told."""
        events, connection = float(self._books.rows["events"][place]), self._books.connection
        return not self._forgets or archive.complete(connection, family(connection, account), events)

    def _was(self, way: Contraction, waiting: Waiting) -> Floats:
        """(1,) a number as it was put on record."""
        names = feature_names([measure.name for measure in self._books.measures.measures])
        features = np.frombuffer(waiting.features, np.float32)
        if len(features) != len(names):  # of another configuration
            return np.full(1, np.nan)
        return measured(features[None, :], names, [way.contraction])[:, 0]

    def _now(self, way: Contraction, place: int, until: float) -> Floats:
        """(1,) the same number as the row has it."""
        measures = self._books.measures
        column = [measure.name for measure in measures.measures].index(way.contraction)
        return measures.read(self._books.rows[place : place + 1], until)[:, column]


def _told(books: Books, outcome: Outcome, accounts: Sequence[str], until: float) -> Told:
    story, table = Story(books.measures), schema.archive.c
    homes = {one: account for account in dict.fromkeys(accounts) for one in family(books.connection, account)}
    asked = select(table.account, table.body).where(
        table.account.in_(list(homes)), table.occurred_at <= until, table.kind.in_(_kinds(outcome, books.measures))
    )
    for account, body in books.connection.execute(asked):
        story.tell([_decode(body)], [homes[account]])
    for event, account in books.fresh:
        if account in homes and event.occurred_at.timestamp() <= until:
            story.tell([event], [homes[account]])
    return story.end()


def _kinds(outcome: Outcome, measures: MeasureSet) -> list[str]:
    """Kinds of events that can tell of the outcome."""
    found = {*outcome.ending, *outcome.alive}
    named = {name for _, name in outcome.named()}
    for measure in measures.measures:
        if measure.name in named:
            found |= TOUCHING if measure.family == "entities" else measure.kinds.keys()
    return sorted(found)
