"""Questions about health that people ask, and their answers in words; the command line, the API and the pages ask here.

Answers are of what is kept, at the moment it was scored last, and by the production scorer; to ask changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy import Connection

from hub import Band, HubError
from scoring.accounts import measures_of
from scoring.arrays import Floats
from scoring.bands import BANDS
from scoring.config import Config, Measure
from scoring.drivers import words
from scoring.explaining.entries import Change, ledger
from scoring.explaining.history import Compared, Judges
from scoring.explaining.levers import levers
from scoring.explaining.moved import Book, Moved, account_moved, book_moved
from scoring.explaining.reach import GOALS, Way, reach
from scoring.explaining.what_if import AskedWrongError, Question, known_kinds, suppose
from scoring.explaining.why import Share, plain, told
from scoring.families.days import ACTIVE
from scoring.moves import Moments, Read, between
from scoring.scorer import Scorer, Scores
from scoring.scorers import Scorers
from scoring.standing import Standing, stand

_SAME: Final = 1e-9


class NoHealthError(HubError):
    """The account has no health yet, or is a customer no more: there is nothing to ask about."""


@dataclass(frozen=True, slots=True)
class Step:
    """One measure that would read otherwise.

    Attributes:
        name: of the measure.
        label: in words, without a number.
        now: what it says now, in words.
        then: what it would say.
        value: what it would read; None: not known.
        actionable: whether somebody can do something about it.
    """

    name: str
    label: str
    now: str
    then: str
    value: float | None
    actionable: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What would come of a change.

    Attributes:
        steps: what would be done, or was supposed.
        follows: what else would read otherwise.
        health: it would come to.
        band: it would come to.
        risk: it would come to.
        shares: strongest first; their points sum to the difference from the health it is compared with.
    """

    steps: list[Step]
    follows: list[Step]
    health: float
    band: Band
    risk: float
    shares: list[Share]


@dataclass(frozen=True, slots=True)
class Supposed:
    """A health, and what it would be.

    Attributes:
        account: ours.
        at: unix seconds of the moment it holds for.
        health: by the newest models.
        band: as it is.
        risk: by the newest models.
        outcome: what would come of it.
        config_version: the scorecard.
        model_version: the models; 0 before any.
    """

    account: str
    at: float
    health: float
    band: Band | None
    risk: float
    outcome: Outcome
    config_version: str
    model_version: int


@dataclass(frozen=True, slots=True)
class Reached:
    """What would bring an account to a goal.

    Attributes:
        account: ours.
        at: unix seconds of the moment it holds for.
        health: as it is.
        band: as it is.
        goal: a band, or a health.
        there: it is there already.
        ways: the smallest first; none where nothing that one can act on suffices.
        nearest: as near as one comes then; None if nothing helps.
        note: why it cannot be reached, in words; empty where it can.
        config_version: the scorecard.
        model_version: the models; 0 before any.
    """

    account: str
    at: float
    health: float
    band: Band | None
    goal: Band | float
    there: bool
    ways: list[Outcome]
    nearest: Outcome | None
    note: str
    config_version: str
    model_version: int


@dataclass(frozen=True, slots=True)
class Dial:
    """A measure as a form shows it: what it reads, and how far it makes sense to turn it."""

    name: str
    label: str
    unit: str
    dimension: str
    value: float | None
    said: str
    most: float
    step: float
    actionable: bool


class Answers:
    """Everything that can be asked about why a health is what it is.

    Args:
        config: measures and scorecard in use.
        scorers: of `config`; a caller who has some hands them over, so that models are decoded once.
    """

    def __init__(self, config: Config, scorers: Scorers | None = None) -> None:
        self.config = config
        self._scorers = Scorers(config) if scorers is None else scorers
        self._measures = measures_of(config, self._scorers.names)

    def ledger(
        self,
        connection: Connection,
        account: str,
        *,
        limit: int = 50,
        since: float | None = None,
        until: float | None = None,
        cursor: str | None = None,
    ) -> tuple[list[Change], str | None]:
        """Every change of an account's health in (since, until], newest first; and the cursor of what is older.

        Raises:
            CursorError: not a cursor of ours.
        """
        judges = Judges(connection, self.config, self._scorers)
        return ledger(connection, account, self.config, judges, limit=limit, since=since, until=until, cursor=cursor)

    def moved(self, connection: Connection, account: str, *, since: float, until: float, now: float) -> Moved:
        """What moved one account from `since` to `until`; where that is `now`, to how it stands."""
        standing = stand(connection, account, self._measures, self._scorers) if until >= now else None
        standing = None if standing is None or standing.unscored else standing
        judges = Judges(connection, self.config, self._scorers)
        return account_moved(connection, account, self.config, judges, since=since, until=until, now=standing)

    def book(
        self,
        connection: Connection,
        *,
        since: float,
        until: float,
        ids: Collection[str] | None = None,
        most: int = 20,
    ) -> Book:
        """What moved many accounts: those of `ids`, or all there are."""
        judges = Judges(connection, self.config, self._scorers)
        return book_moved(connection, self.config, judges, since=since, until=until, ids=ids, most=most)

    def reach(self, connection: Connection, account: str, goal: Band | float) -> Reached:
        """The smallest changes of things one can act on that bring an account to a goal.

        Raises:
            NoHealthError: it has none, or is a customer no more.
            AskedWrongError: that is no goal.
        """
        if isinstance(goal, str) and goal not in GOALS:
            raise AskedWrongError(f"{goal[:40]!r} is no goal; choose {', '.join(GOALS)} or a health from 0 to 100")
        if not isinstance(goal, str) and not 0.0 <= goal <= 100.0:  # noqa: PLR2004 - also what is no number
            raise AskedWrongError("a health is from 0 to 100")
        standing = self._standing(connection, account)
        found = reach(standing, self.config, goal)
        nearest = self._way(standing, found.nearest) if found.nearest else None
        return Reached(
            account,
            standing.at,
            float(standing.scores.health[0]),
            standing.band,
            goal,
            found.there,
            [self._way(standing, way) for way in found.ways],
            nearest,
            "" if found.there or found.ways else self._unreached(standing, nearest),
            self.config.version,
            standing.scorer.version,
        )

    def what_if(self, connection: Connection, account: str, question: Question) -> Supposed:
        """What an account's health would be, by the newest models.

        Raises:
            NoHealthError: it has none.
            AskedWrongError: what is supposed cannot be.
        """
        standing = self._standing(connection, account)
        self._scorers.refresh(self._scorers.ask(connection))
        scorer = self._scorers.at(connection, self._scorers.newest()) or standing.scorer
        supposed = suppose(connection, standing, self._measures, question)
        now, then = standing.judged(standing.values, scorer), standing.judged(supposed.values, scorer, supposed.by_hand)
        return Supposed(
            account,
            standing.at,
            float(now.health[0]),
            standing.band,
            float(now.risk[0]),
            self._outcome(standing, scorer, supposed.values, supposed.given, (now, then)),
            self.config.version,
            scorer.version,
        )

    def dials(self, connection: Connection, account: str) -> list[Dial]:
        """What a form offers to turn: what one can act on first.

        Raises:
            NoHealthError: the account has none.
        """
        standing = self._standing(connection, account)
        values = standing.values[0].tolist()
        dials = [_dial(measure, value) for measure, value in zip(self.config.measures, values, strict=True)]
        return sorted(dials, key=lambda dial: not dial.actionable)

    @property
    def kinds(self) -> list[str]:
        """Kinds of events that change a measure."""
        return known_kinds(self.config.measures)

    def _standing(self, connection: Connection, account: str) -> Standing:
        standing = stand(connection, account, self._measures, self._scorers)
        if standing is None or standing.unscored:
            raise NoHealthError("this customer has no health yet: none of its events counts for a measure")
        return standing

    def _way(self, standing: Standing, way: Way) -> Outcome:
        values = way.values[None, :]
        both = standing.scores, standing.judged(values)
        return self._outcome(standing, standing.scorer, values, frozenset(way.given), both)

    def _outcome(
        self, standing: Standing, scorer: Scorer, values: Floats, given: Collection[int], both: tuple[Scores, Scores]
    ) -> Outcome:
        now, then = both
        moments = [
            Moments(
                scores.health,
                np.full(1, scores.base),
                scores.points,
                tuple(scores.names),
                read,
                self.config.version,
                scorer.version,
                standing.card,
            )
            for scores, read in ((now, standing.values), (then, values))
        ]
        group = Compared([0], moments[0], moments[1], between(moments[0], moments[1], _nobody))
        before, after = standing.values[0].tolist(), values[0].tolist()
        said, follows = [], []
        for place, measure in enumerate(self.config.measures):
            if place in given:
                said.append(_step(measure, before[place], after[place]))
            elif not _alike(before[place], after[place]):
                follows.append(_step(measure, before[place], after[place]))
        return Outcome(
            said,
            follows,
            float(then.health[0]),
            BANDS[int(then.band[0])],
            float(then.risk[0]),
            told(group, 0, self.config, None),
        )

    def _unreached(self, standing: Standing, nearest: Outcome | None) -> str:
        if not math.isnan(float(standing.by_hand[0])):
            return "its health is set by hand, whatever is measured: take that back first"
        if not any(measure.actionable for measure in self.config.measures):
            return "no measure is marked `actionable` in measures.yaml"
        if not levers(self.config, standing.values[0].tolist()):
            return "whatever one can act on is as good as it gets"
        if nearest is None:
            return "nothing that one can act on would help"
        return f"what one can act on brings it to {nearest.health:.1f} at best"


def _nobody(_config: str, _model: int, _read: Read) -> None:
    """Both moments are judged alike."""


def _alike(one: float, other: float) -> bool:
    return (math.isnan(one) and math.isnan(other)) or abs(one - other) < _SAME


def _step(measure: Measure, now: float, then: float) -> Step:
    value = None if math.isnan(then) else then
    return Step(measure.name, plain(measure), _reads(measure, now), _reads(measure, then), value, measure.actionable)


def _reads(measure: Measure, value: float) -> str:
    return f"{plain(measure)}: {_lacking(measure)}" if math.isnan(value) else words(measure, value)


def _lacking(measure: Measure) -> str:
    return "never yet" if measure.family in ("recency", "tenure") else "not known"


def _dial(measure: Measure, value: float) -> Dial:
    whole = measure.family in ("count", "people", "recency", "active_days", "days", "tenure", "entities")
    whole = whole and measure.read != "sum"
    known = 0.0 if math.isnan(value) else value
    most = float(ACTIVE) if measure.family == "active_days" else max(10.0, math.ceil(2.0 * known))
    shown = None if math.isnan(value) else round(value, 0 if whole else 2)
    return Dial(
        measure.name,
        plain(measure),
        measure.unit,
        measure.dimension,
        shown,
        _lacking(measure) if math.isnan(value) else words(measure, value),
        most,
        1.0 if whole else 0.01,
        measure.actionable,
    )
