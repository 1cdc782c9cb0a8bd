"""What became of customers since they were put on record: by what their rows know, and where they do not, the archive.

A row knows as long as nothing that tells has happened behind the end of the span, or a mark waits for that very end;
which is nearly always. The rest is read from the archive and told as the past that it is, by `scoring.proof.story`: so
a label is what the events say, whenever they were heard of.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from sqlalchemy import Connection, select

from hub import Event
from hub.store import schema
from hub.store.family import family
from scoring import archive
from scoring.arrays import Mask
from scoring.batch import Integers
from scoring.entities import TOUCHING
from scoring.features import feature_names, measured
from scoring.measures import MeasureSet
from scoring.outcome import Expansion, Outcome
from scoring.proof.story import Story, Told
from scoring.rows import Rows
from scoring.snapshots import Label, Waiting
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


def labels(
    books: Books, outcome: Outcome, expansion: Expansion | None, waiting: Sequence[Waiting], *, early: bool
) -> list[Label]:
    """What snapshots teach of whose horizon all, or half, has passed.

    Args:
        books: what is known; its rows are aligned with `waiting`.
        outcome: what losing a customer means.
        expansion: what paying more means; None: nobody asks.
        waiting: the snapshots.
        early: whether only half of their horizons has passed.
    """
    left = lost(books, outcome, waiting, [one.ends(early=early) for one in waiting])
    more = [None] * len(waiting) if early or expansion is None else grown(books, expansion, waiting)
    return [one.label(lost=so, early=early, expanded=grew) for one, so, grew in zip(waiting, left, more, strict=True)]


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
        kinds = _kinds(books.measures, (name for _, name in outcome.named())) | outcome.ending | outcome.alive
        past = _Past(books, kinds, [waiting[place].account for place in some.tolist()], float(until[some].max()))
        for place in some.tolist():
            found[place] = any(
                past.true(way, place, waiting[place], ends[place]) for way, unknown in open_ if unknown[place]
            )
    return found.tolist()


def grown(books: Books, expansion: Expansion, waiting: Sequence[Waiting]) -> list[bool | None]:
    """Whether what customers pay grew between their snapshots and the ends of their horizons; None: nothing could.

    Args:
        books: what is known; its rows are aligned with `waiting`.
        expansion: what it means.
        waiting: the snapshots; the horizons of all of them have passed.
    """
    at, until = np.array([one.at for one in waiting]), np.array([one.due for one in waiting])
    column = [measure.name for measure in books.measures.measures].index(expansion.measure)
    was = books.measures.read(books.rows, until)[:, column]
    now = was.copy()
    asked = np.flatnonzero(~books.measures.still(books.rows, expansion.measure, at) | ~books.held)
    for some in np.split(asked, range(_SOME, len(asked), _SOME)):
        if len(some):
            whose = [waiting[place].account for place in some.tolist()]
            past = _Past(books, _kinds(books.measures, [expansion.measure]), whose, float(until[some].max()))
            for place in some.tolist():
                was[place], now[place] = past.pair(expansion.measure, place, waiting[place], waiting[place].due)
    return [None if math.isnan(one) else one > 0.0 for one in expansion.grown(was, now).tolist()]


class _Past:
    """All that is told by events of some kinds, of some accounts, and happened by then; from the archive."""

    def __init__(self, books: Books, kinds: Collection[str], accounts: Sequence[str], until: float) -> None:
        self._books = books
        self._told = _told(books, kinds, accounts, until)
        self._places = {account: place for place, account in enumerate(self._told.accounts)}
        self._forgets = archive.forgotten(books.connection) > 0

    def true(self, way: Way, place: int, waiting: Waiting, until: float) -> bool:
        """Whether a way to be lost came true since a snapshot; `place` is that of its row."""
        if isinstance(way, Contraction):
            was, now = self.pair(way.contraction, place, waiting, until)
            return bool(way.below(np.array([was]), np.array([now]))[0])
        return bool(self._told.came_true(way, self._who(waiting), waiting.at, until)[0])

    def pair(self, name: str, place: int, waiting: Waiting, until: float) -> tuple[float, float]:
        """A number when the snapshot was taken, and at the end of the span; NaN where nobody knows.

        Where the archive has let go of some of the account's events: as it was put on record, and as the row has it.
        """
        if self._whole(place, waiting.account):
            steps, who = self._told.number(name), self._who(waiting)
            return float(steps.at(who, waiting.at)[0]), float(steps.at(who, until)[0])
        names = [measure.name for measure in self._books.measures.measures]
        features = np.frombuffer(waiting.features, np.float32)
        if len(features) != 2 * len(names):  # of another configuration
            return math.nan, math.nan
        now = self._books.measures.read(self._books.rows[place : place + 1], until)[0, names.index(name)]
        return float(measured(features[None, :], feature_names(names), [name])[0, 0]), float(now)

    def _who(self, waiting: Waiting) -> Integers:
        return np.array([self._places.get(waiting.account, -1)])

    def _whole(self, place: int, account: str) -> bool:
        """Whether the archive still has all that an account was ever told."""
        events, connection = float(self._books.rows["events"][place]), self._books.connection
        return not self._forgets or archive.complete(connection, family(connection, account), events)


def _told(books: Books, kinds: Collection[str], accounts: Sequence[str], until: float) -> Told:
    story, table = Story(books.measures), schema.archive.c
    homes = {one: account for account in dict.fromkeys(accounts) for one in family(books.connection, account)}
    asked = select(table.account, table.body).where(
        table.account.in_(list(homes)), table.occurred_at <= until, table.kind.in_(sorted(kinds))
    )
    for account, body in books.connection.execute(asked):
        story.tell([_decode(body)], [homes[account]])
    for event, account in books.fresh:
        if account in homes and event.occurred_at.timestamp() <= until:
            story.tell([event], [homes[account]])
    return story.end()


def _kinds(measures: MeasureSet, named: Iterable[str]) -> frozenset[str]:
    """Kinds of events that can tell of these measures."""
    names = {*named}
    found: set[str] = set()
    for measure in measures.measures:
        if measure.name in names:
            found |= TOUCHING if measure.family == "entities" else measure.kinds.keys()
    return frozenset(found)
