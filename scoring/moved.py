"""Why did it move between Monday and today? Of one account, of those that share something, of the whole book."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from sqlalchemy import Connection

from hub import Band
from hub.store.family import family
from hub.store.questions import changes
from hub.store.questions.changes import Ends
from scoring.arrays import Floats
from scoring.config import Config
from scoring.history import Compared, Judges, compare, moment
from scoring.moves import Moments, between
from scoring.standing import Standing
from scoring.why import Share, title, told

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
    was = changes.healths(connection, since, ids)
    found = changes.ends(connection, since, until, ids)
    moved = [one for one in found if one.before is not None and _LEFT not in (one.before.band, one.after.band)]
    pairs = [(one.before, one.after) for one in moved if one.before is not None]
    groups = list(compare(connection, pairs, judges))
    change = {one.account: one.after.health - one.before.health for one in moved if one.before is not None}
    away = {one.account for one in found} - change.keys()
    customers = {key: health for key, health in was.items() if key not in away}
    count = len(customers)
    mean = math.fsum(customers.values()) / count if count else None
    drift = math.fsum(change.values()) / count if count else 0.0
    furthest = sorted(moved, key=lambda one: (-abs(change[one.account]), one.account))
    crossed = [one for one in furthest if one.before is not None and one.before.band != one.after.band]
    came = [one for one in found if (one.before is None or one.before.band == _LEFT) and one.after.band != _LEFT]
    left = [one for one in found if one.after.band == _LEFT and one.before is not None and one.before.band != _LEFT]
    shown = [one for one in furthest[:most] if abs(change[one.account]) >= _SHOWN]
    named = changes.names(connection, [one.account for some in (shown, crossed, came, left) for one in some[:most]])
    places = {moved[place].account: (group, n) for group in groups for n, place in enumerate(group.places)}

    def mover(one: Ends) -> Mover:
        group = places.get(one.account)
        shares = told(group[0], group[1], config, None) if group else []
        before = one.before
        return Mover(
            one.account,
            named.get(one.account, one.account),
            None if before is None else before.health,
            one.after.health,
            None if before is None else before.band,
            one.after.band,
            shares,
        )

    return Book(
        since=since,
        until=until,
        accounts=count,
        fell=sum(each <= -_SHOWN for each in change.values()),
        rose=sum(each >= _SHOWN for each in change.values()),
        was=mean,
        health=None if mean is None else mean + drift,
        parts=_parts(groups, count, config),
        movers=[mover(one) for one in shown],
        bands=Some(len(crossed), [mover(one) for one in crossed[:most]]),
        came=Some(len(came), [mover(one) for one in came[:most]]),
        left=Some(len(left), [mover(one) for one in left[:most]]),
    )


def _parts(groups: Sequence[Compared], count: int, config: Config) -> list[Part]:
    points: dict[str, float] = {}
    fell: dict[str, int] = {}
    rose: dict[str, int] = {}
    for group in groups:
        for column, name in enumerate(group.movement.names):
            each: Floats = group.movement.points[:, column]
            points[name] = points.get(name, 0.0) + float(each.sum())
            fell[name] = fell.get(name, 0) + int((each <= -_SHOWN).sum())
            rose[name] = rose.get(name, 0) + int((each >= _SHOWN).sum())
    parts = [
        Part(name, *title(config, name), total / count, fell[name], rose[name])
        for name, total in points.items()
        if total
    ]
    return sorted(parts, key=lambda part: (-abs(part.points), part.name))


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
    )
