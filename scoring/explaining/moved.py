"""Why did it move between Monday and today? Of one account, of those that share something, of the whole book."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from sqlalchemy import Connection

from hub import Band
from hub.store.family import family
from hub.store.questions import changes
from hub.store.questions.changes import Ends, Kept
from scoring.arrays import Floats
from scoring.config import Config
from scoring.explaining.history import Compared, Judges, compare, moment
from scoring.explaining.why import Share, title, told
from scoring.moves import Moments, between
from scoring.standing import Standing

_LEFT: Final = "left"
_SHOWN: Final = 0.05  # points; who moved less is counted to have customers
_MOST_KINDS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Moved:
    """How one account moved.

    Attributes:
        account: ours.
        since: unix seconds.
        until: unix seconds.
        was: health at `since`, or at its first score where that came later; None: it had none in all that time.
        health: at `until`.
        was_band: then.
        band: at `until`.
        shares: strongest first; their points sum to `health - was`.
        began: when it was scored first, where that lies in the period; else None.
        changes: rows of the ledger in the period.
    """

    account: str
    since: float
    until: float
    was: float | None
    health: float | None
    was_band: Band | None
    band: Band | None
    shares: list[Share]
    began: float | None
    changes: int


@dataclass(frozen=True, slots=True)
class Part:
    """What one part did to a whole book.

    Attributes:
        name: of the measure or other part.
        text: in words, without a number.
        dimension: empty for what is no measure's.
        points: of the mean health; all parts sum to its difference.
        fell: accounts that it took points from.
        rose: accounts that it gave points to.
    """

    name: str
    text: str
    dimension: str
    points: float
    fell: int
    rose: int


@dataclass(frozen=True, slots=True)
class Mover:
    """One account of a book, and the parts that moved it most."""

    account: str
    name: str
    was: float | None
    health: float
    was_band: Band | None
    band: Band
    shares: list[Share]


class Some(NamedTuple):
    """How many there are, and the first of them."""

    number: int
    first: list[Mover]


@dataclass(frozen=True, slots=True)
class Book:
    """How many accounts moved.

    Attributes:
        since: unix seconds.
        until: unix seconds.
        accounts: customers at both ends.
        fell: of them.
        rose: of them.
        was: their mean health at `since`; None where there are none.
        health: their mean health at `until`.
        parts: strongest first; their points sum to `health - was`.
        movers: those of them that moved furthest, furthest first.
        bands: those of them whose band is another.
        came: who was scored first in the period, or came back.
        left: who left in the period.
    """

    since: float
    until: float
    accounts: int
    fell: int
    rose: int
    was: float | None
    health: float | None
    parts: list[Part]
    movers: list[Mover]
    bands: Some
    came: Some
    left: Some


def account_moved(
    connection: Connection,
    account: str,
    config: Config,
    judges: Judges,
    *,
    since: float,
    until: float,
    now: Standing | None,
) -> Moved:
    """What moved one account.

    Args:
        connection: to the database.
        account: ours.
        config: whose measures say it in words.
        judges: of what was in use at the time.
        since: unix seconds.
        until: unix seconds.
        now: how it stands, where the period reaches until now: a little drifts between two rows of the ledger.
    """
    before, after = changes.at(connection, account, since), changes.at(connection, account, until)
    began = None
    if before is None and (before := changes.first(connection, account, since, until)) is not None:
        began = before.at if before.was is None else None  # it came in between: from its first score on
    if before is None or after is None:
        return Moved(account, since, until, None, None, None, None, [], None, 0)
    number = changes.number(connection, account, since, until)
    one, other = moment(connection, before), moment(connection, after)
    band: Band | None = after.band
    if now is not None and now.at >= after.at:
        other, band = _live(now, config), now.band
    happened = changes.kinds(connection, family(connection, account), before.at, until, _MOST_KINDS)
    kinds = {kind for _, kind in happened}
    group = Compared([0], one, other, between(one, other, judges))
    return Moved(
        account,
        since,
        until,
        before.health,
        float(other.health[0]),
        before.band,
        band,
        told(group, 0, config, kinds),
        began,
        number,
    )


def book_moved(
    connection: Connection,
    config: Config,
    judges: Judges,
    *,
    since: float,
    until: float,
    ids: Collection[str] | None = None,
    most: int = 20,
) -> Book:
    """What moved a book, by what the ledger says of each account at both ends.

    Args:
        connection: to the database.
        config: whose measures say it in words.
        judges: of what was in use at the time.
        since: unix seconds.
        until: unix seconds.
        ids: of the accounts; None: all there are.
        most: how many accounts to name of each sort.
    """
    tally = _Tally(config, most)
    for some in changes.ends(connection, since, until, ids):
        tally.take(connection, some, judges)
    number, total = changes.standing(connection, since, ids)
    count = number - len(tally.gone)
    mean = (total - math.fsum(tally.gone)) / count if count else None
    drift = math.fsum(tally.changes) / count if count else 0.0
    sorts = (tally.furthest, tally.crossed.first, tally.came.first, tally.left.first)
    named = changes.names(connection, {one.account for some in sorts for one in some})

    def called(movers: Sequence[Mover]) -> list[Mover]:
        return [replace(one, name=named.get(one.account, one.account)) for one in movers]

    return Book(
        since=since,
        until=until,
        accounts=count,
        fell=sum(each <= -_SHOWN for each in tally.changes),
        rose=sum(each >= _SHOWN for each in tally.changes),
        was=mean,
        health=None if mean is None else mean + drift,
        parts=tally.parts(count),
        movers=called([one for one in tally.furthest if abs(_change(one)) >= _SHOWN]),
        bands=Some(tally.crossed.number, called(tally.crossed.first)),
        came=Some(tally.came.number, called(tally.came.first)),
        left=Some(tally.left.number, called(tally.left.first)),
    )


class _Tally:
    """A book, some accounts at a time: what is counted of all, and the few that are named.

    Attributes:
        changes: points by which each moved who was a customer at both ends.
        gone: the health before of each who left.
        furthest: who moved furthest.
        crossed: who is in another band, furthest first.
        came: who was scored first, or came back.
        left: who left.
    """

    def __init__(self, config: Config, most: int) -> None:
        self._config, self._most = config, most
        self._points: dict[str, float] = {}
        self._fell: dict[str, int] = {}
        self._rose: dict[str, int] = {}
        self.changes: list[float] = []
        self.gone: list[float] = []
        self.furthest: list[Mover] = []
        self.crossed, self.came, self.left = Some(0, []), Some(0, []), Some(0, [])

    def take(self, connection: Connection, some: Sequence[Ends], judges: Judges) -> None:
        """Count these."""
        pairs: list[tuple[Kept, Kept]] = []
        for one in some:
            before, after = one.before, one.after
            if before is None or before.band == _LEFT:
                if after.band != _LEFT:
                    self.came = self._more(self.came, self._mover(before, after, []))
            elif after.band == _LEFT:
                self.gone.append(before.health)
                self.left = self._more(self.left, self._mover(before, after, []))
            else:
                pairs.append((before, after))
        self.changes += [after.health - before.health for before, after in pairs]
        for group in compare(connection, pairs, judges):
            self._add(group)
            moved = group.after.health - group.before.health
            for n in np.argsort(-np.abs(moved), kind="stable").tolist():
                before, after = pairs[group.places[n]]
                if before.band != after.band:
                    self.crossed = Some(self.crossed.number + 1, self._keep(self.crossed.first, group, n, pairs))
                self.furthest = self._keep(self.furthest, group, n, pairs)

    def parts(self, count: int) -> list[Part]:
        """What moved them, strongest first."""
        found = [
            Part(name, *title(self._config, name), total / count, self._fell[name], self._rose[name])
            for name, total in self._points.items()
            if total
        ]
        return sorted(found, key=lambda part: (-abs(part.points), part.name))

    def _add(self, group: Compared) -> None:
        for column, name in enumerate(group.movement.names):
            each: Floats = group.movement.points[:, column]
            self._points[name] = self._points.get(name, 0.0) + float(each.sum())
            self._fell[name] = self._fell.get(name, 0) + int((each <= -_SHOWN).sum())
            self._rose[name] = self._rose.get(name, 0) + int((each >= _SHOWN).sum())

    def _keep(self, known: list[Mover], group: Compared, place: int, pairs: Sequence[tuple[Kept, Kept]]) -> list[Mover]:
        """The furthest of those known and this one."""
        before, after = pairs[group.places[place]]
        if len(known) == self._most and abs(after.health - before.health) <= abs(_change(known[-1])):
            return known
        mover = self._mover(before, after, told(group, place, self._config, None))
        return sorted([*known, mover], key=lambda one: (-abs(_change(one)), one.account))[: self._most]

    def _more(self, known: Some, mover: Mover) -> Some:
        return Some(known.number + 1, [*known.first, mover] if known.number < self._most else known.first)

    def _mover(self, before: Kept | None, after: Kept, shares: list[Share]) -> Mover:
        was, was_band = (None, None) if before is None else (before.health, before.band)
        return Mover(after.account, after.account, was, after.health, was_band, after.band, shares)


def _change(one: Mover) -> float:
    return one.health - (one.was or 0.0)


def _live(now: Standing, config: Config) -> Moments:
    scores = now.scores
    return Moments(
        scores.health,
        np.full(1, scores.base),
        scores.points,
        tuple(scores.names),
        now.values,
        config.version,
        now.scorer.version,
        now.card,
    )
