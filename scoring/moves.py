r"""What moved a health between two moments: shares of its parts that add up exactly. Pure.

Health is compared in log odds, where its parts add and where what did not change counts nothing. With
x(h) = log(h / (100 - h)), the points of the weighed parts become log odds in proportion, x(w) - x(base) in all for a
health w before floors, caps and a person's word; each of those adds what it makes of the health it was handed, in their
order. So the parts of one moment sum to x(health) - x(base), and the difference of two moments is a difference of
parts. Shown as points it is in proportion again: share * (h2 - h1) / (x2 - x1).

Where models or scorecard changed in between, the second moment is judged once more as the first was, and where that is
not known any more the first as the second. What judging otherwise alone changes is the share of `model` or `scorecard`,
and only the rest is the customer's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from scoring.arrays import Floats
from scoring.drivers import CAP, FLOOR, OVERRIDE
from scoring.families.segments import DEFAULT

MODEL: Final = "model"
SCORECARD: Final = "scorecard"
REST: Final = "rest"
"""All that a row of before did not name."""
_AFTER: Final = (FLOOR, CAP, OVERRIDE)
_EDGE: Final = 1e-15  # of one: nobody is surer than a double
_SAME: Final = 1e-7  # log odds, points; nearer than this a proportion is a tangent's


@dataclass(frozen=True, slots=True)
class Moments:
    """n accounts, each at one moment, judged alike.

    Attributes:
        health: (n,) 0 to 100.
        base: (n,) health of a customer of whom nothing is known.
        points: (n, C); base + points = health.
        names: of the parts; the measures come first. `rest` is what was not named.
        values: (n, M) what the first M of `names` read; no columns where that is not known.
        config: version of the scorecard.
        model: version of the models.
        card: code of the one they are weighed by, see `scoring.families.segments`.
        said: parts in words, by name, where their values are not known.
    """

    health: Floats
    base: Floats
    points: Floats
    names: tuple[str, ...]
    values: Floats
    config: str = ""
    model: int = 0
    card: int = DEFAULT
    said: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.health)

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of the columns of `values`."""
        return self.names[: self.values.shape[1]]

    @property
    def by_hand(self) -> Floats:
        """(n,) the health that a person set, NaN where nobody did."""
        if OVERRIDE not in self.names:
            return np.full(len(self), np.nan)
        return np.where(self.points[:, self.names.index(OVERRIDE)] != 0.0, self.health, np.nan)


class Read(NamedTuple):
    """What is to be judged: values (n, M) of named measures, what people set (n,), and the card that weighs them."""

    names: tuple[str, ...]
    values: Floats
    by_hand: Floats
    card: int


Judge = Callable[[str, int, Read], Moments | None]
"""How that would have been judged by scorecard and model of these versions. What is not named is unknown. None where
that scorecard or model is not known any more."""


@dataclass(frozen=True, slots=True)
class Movement:
    """How n healths moved, and by what.

    Attributes:
        names: K names: measures and other parts, and what changed the judgement itself.
        odds: (n, K) shares in log odds; they sum to x(after) - x(before).
        points: (n, K) the same in points; they sum to after - before.
    """

    names: tuple[str, ...]
    odds: Floats
    points: Floats


def log_odds(health: Floats) -> Floats:
    """x(h).

    >>> log_odds(np.array([50.0, 75.0])).round(3).tolist()
    [0.0, 1.099]
    """
    share = np.clip(np.asarray(health) / 100.0, _EDGE, 1.0 - _EDGE)
    found: Floats = np.log(share) - np.log1p(-share)
    return found


def shares(at: Moments) -> Floats:
    """(n, C) the parts of one moment in log odds; they sum to x(health) - x(base)."""
    after = [at.names.index(name) for name in _AFTER if name in at.names]
    if not at.points[:, after].any():
        return at.points * _rise(at.base, at.health)[:, None]
    weighed = at.health - at.points[:, after].sum(axis=1)
    found = at.points * _rise(at.base, weighed)[:, None]
    level = weighed
    for place in after:
        lifted = at.health if place == after[-1] else level + at.points[:, place]
        found[:, place] = log_odds(lifted) - log_odds(level)
        level = lifted
    return found


def between(before: Moments, after: Moments, judge: Judge) -> Movement:
    """What moved n accounts from `before` to `after`, which hold the same accounts in the same order."""
    alike = (before.config, before.card, before.model) == (after.config, after.card, after.model)
    names, odds = _compared(before, after) if alike else _bridged(before, after, judge)
    return Movement(names, odds, odds * rise(before.health, after.health, odds.sum(axis=1))[:, None])


def rise(before: Floats, after: Floats, odds: Floats) -> Floats:
    """(n,) points that a share of one log odds is worth on the way between two healths, which are `odds` apart."""
    near = np.abs(odds) < _SAME
    return np.where(near, _tangent(before), (after - before) / np.where(near, 1.0, odds))


def _bridged(before: Moments, after: Moments, judge: Judge) -> tuple[tuple[str, ...], Floats]:
    """With a step in the middle: the second moment as it was judged earlier, or the first as it is judged later."""
    if (again := _again(after, before, judge)) is not None:
        names, odds = _compared(before, again)
        return _changed(names, odds, again, after, judge)
    if (again := _again(before, after, judge)) is not None:
        names, odds = _compared(again, after)
        return _changed(names, odds, before, again, judge)
    what = MODEL if (before.config, before.card) == (after.config, after.card) else SCORECARD
    return (what,), (log_odds(after.health) - log_odds(before.health))[:, None]


def _again(one: Moments, other: Moments, judge: Judge) -> Moments | None:
    """The moment `one`, judged as `other` was; what only `other` measures is taken to have been the same then."""
    if not one.measures:
        return None
    lacking = [place for place, name in enumerate(other.measures) if name not in one.measures]
    names = (*one.measures, *(other.measures[place] for place in lacking))
    values = np.concatenate([one.values, other.values[:, lacking]], axis=1)
    return judge(other.config, other.model, Read(names, values, one.by_hand, other.card))


def _changed(
    names: tuple[str, ...], odds: Floats, one: Moments, other: Moments, judge: Judge
) -> tuple[tuple[str, ...], Floats]:
    """Add what judging otherwise alone did, between two judgements of the same values."""
    whole = log_odds(other.health) - log_odds(one.health)
    if (one.config, one.card) == (other.config, other.card):
        return _with(names, odds, MODEL, whole)
    if one.model == other.model or not one.measures:
        return _with(names, odds, SCORECARD, whole)
    halfway = judge(other.config, one.model, Read(one.measures, one.values, one.by_hand, other.card))
    card = whole if halfway is None else log_odds(halfway.health) - log_odds(one.health)
    return _with(*_with(names, odds, SCORECARD, card), MODEL, whole - card)


def _compared(before: Moments, after: Moments) -> tuple[tuple[str, ...], Floats]:
    """Differences of parts by name, and of the base where it is another."""
    was, now = shares(before), shares(after)
    if before.names == after.names:
        names, odds = before.names, now - was
    else:
        names = _common(before.names, after.names)
        odds = _laid(now, after.names, names) - _laid(was, before.names, names)
    base = log_odds(after.base) - log_odds(before.base)
    return _with(names, odds, MODEL, base) if base.any() else (names, odds)


def _with(names: tuple[str, ...], odds: Floats, name: str, more: Floats) -> tuple[tuple[str, ...], Floats]:
    if name not in names:
        return (*names, name), np.column_stack([odds, more])
    odds[:, names.index(name)] += more
    return names, odds


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """Names to compare by. Where a side does not name all, what it does not name goes into the rest on both sides."""
    if REST not in one and REST not in other:
        return (*one, *(name for name in other if name not in one))
    named = [set(names) for names in (one, other) if REST in names]
    everywhere = set.intersection(*named) - {REST}
    return (*(name for name in dict.fromkeys((*one, *other)) if name in everywhere), REST)


def _laid(odds: Floats, names: tuple[str, ...], wanted: tuple[str, ...]) -> Floats:
    out = np.zeros((len(odds), len(wanted)))
    places = {name: place for place, name in enumerate(wanted)}
    for place, name in enumerate(names):
        out[:, places.get(name, places.get(REST, 0))] += odds[:, place]
    return out


def _rise(low: Floats, high: Floats) -> Floats:
    """Log odds a point, from one health to another."""
    far = np.abs(high - low) > _SAME
    return np.where(far, (log_odds(high) - log_odds(low)) / np.where(far, high - low, 1.0), 1.0 / _tangent(low))


def _tangent(health: Floats) -> Floats:
    """Points a unit of log odds, at a health."""
    share = np.clip(health / 100.0, _EDGE, 1.0 - _EDGE)
    found: Floats = 100.0 * share * (1.0 - share)
    return found
