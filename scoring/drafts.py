"""A draft before it is switched on: what it says otherwise, and whom it would move.

Every stored account is read as it is and as it would be under the draft, at the same moment and by the same models;
what the draft counts otherwise is folded from the archive, in memory. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from sqlalchemy import Connection, func, select

from hub import Band
from hub.store import schema
from scoring import norming
from scoring.accounts import each, measures_of
from scoring.arrays import Codes, Floats
from scoring.bands import BANDS, LEFT
from scoring.clock import DAY
from scoring.config import Config
from scoring.experts.guests import Panel
from scoring.folds import folds
from scoring.measures import MeasureSet
from scoring.model import fresh, newest
from scoring.norms import compared
from scoring.profiles import names
from scoring.restating import restate
from scoring.scorer import Scorer, Scores

MOVED: Final = 0.5
"""Points of health below which nobody would notice."""
_PEERS: Final = 2_000  # a draft is looked at while one types: percentiles within 3 points
_SPANS: Final = ("half_life", "window", "stale_after", "horizon", "every")
_NAMED_BY: Final = ("name", "measure")


class Mover(NamedTuple):
    """One account that the draft would move.

    Attributes:
        account: ours.
        name: what people call it, where known.
        health, band: as it is judged now.
        draft, draft_band: as the draft would judge it.
        because: the part of its health that changes most, and by how many points.
    """

    account: str
    name: str | None
    health: float
    band: Band
    draft: float
    draft_band: Band
    because: tuple[str, float]


@dataclass(slots=True)
class Moves:
    """Whom a draft would move.

    Attributes:
        accounts: how many were judged.
        total: how many there are; more than were judged if somebody had enough.
        moved: how many by half a point or more; who has left is shown nowhere, and moves no more.
        bands: (band now, band under the draft) -> how many.
        most: who would move most.
        at: the moment they were judged at, unix seconds.
    """

    at: float
    accounts: int = 0
    total: int = 0
    moved: int = 0
    bands: dict[tuple[Band, Band], int] = field(default_factory=dict)
    most: list[Mover] = field(default_factory=list)


def differences(old: Config, new: Config) -> list[str]:
    """What a configuration says otherwise than another, in words, a line each.

    >>> from scoring.loading import load
    >>> ours = load()
    >>> other = ours.model_copy(update={"scorecard": ours.scorecard.model_copy(update={"hysteresis": 5.0})})
    >>> differences(ours, other)
    ['scorecard, hysteresis: 3 -> 5']
    """
    before, after = _flat(old), _flat(new)
    lines = []
    for path in [*before, *(one for one in after if one not in before)]:
        was, now = before.get(path), after.get(path)
        if was is None and any(_within(path, one) for one in after if one not in before and one != path):
            continue  # said already by what it is a part of
        if now is None and any(_within(path, one) for one in before if one not in after and one != path):
            continue
        if was is None:
            lines.append(f"{path}: new{_told(now)}")
        elif now is None:
            lines.append(f"{path}: gone")
        elif was != now:
            lines.append(f"{path}: {_plain(was)} -> {_plain(now)}")
    return lines


def refolded(old: Config, new: Config) -> list[str]:
    """Measures that would be folded anew from the archive."""
    held = folds(old)
    return [name for name, version in folds(new).items() if held.get(name) != version]


def moves(
    connection: Connection,
    old: Config,
    new: Config,
    at: float,
    *,
    most: int = 10,
    told: Callable[[int, int], None] = lambda _done, _of: None,
    panel: Panel | None = None,
    some: int = 1_000,
    enough: Callable[[], bool] = lambda: False,
) -> Moves:
    """Whom a draft would move.

    Args:
        connection: to the database.
        old: what is in use.
        new: the draft.
        at: unix seconds of the moment they are judged at.
        most: how many movers to name.
        told: how many accounts are done, and of how many.
        panel: experts of plugins.
        some: so many are judged at once.
        enough: asked after each of these whether to stop. Ids say nothing of a customer: the first are a sample.
    """
    anew = at if _compared_anew(connection, new) else None
    sides = [_Side(connection, config, panel, anew) for config in (old, new)]
    found = Moves(at, total=connection.scalar(select(func.count()).select_from(schema.accounts)) or 0)
    for (ids, before), (_, after) in zip(*(side.judged(at, some) for side in sides), strict=True):
        left = (before.bands == LEFT) & (after.bands == LEFT)
        change = np.where(left, 0.0, after.scores.health - before.scores.health)
        found.accounts += len(ids)
        found.moved += int((np.abs(change) >= MOVED).sum())
        for pair in zip(before.bands.tolist(), after.bands.tolist(), strict=True):
            key = (BANDS[pair[0]], BANDS[pair[1]])
            found.bands[key] = found.bands.get(key, 0) + 1
        for place in np.argsort(-np.abs(change))[:most].tolist():
            if abs(change[place]) >= MOVED:
                found.most.append(_mover(ids[place], place, before, after))
        found.most = sorted(found.most, key=lambda one: -abs(one.draft - one.health))[:most]
        told(found.accounts, found.total)
        if enough():
            break
    called = names(connection, [one.account for one in found.most])
    found.most = [one._replace(name=called.get(one.account)) for one in found.most]
    return found


class _Judged(NamedTuple):
    scores: Scores
    bands: Codes


class _Side:
    """One configuration, with the newest models, over all accounts."""

    def __init__(self, connection: Connection, config: Config, panel: Panel | None, compared_at: float | None) -> None:
        model = newest(connection)
        if compared_at is not None:
            norms = norming.made(connection, config, 0, compared_at, compared_at, most=_PEERS)
            model = msgspec.structs.replace(model or fresh(config), norms=norms)
        self._connection = connection
        self._scorer = Scorer(config, model, panel)
        self._measures: MeasureSet = measures_of(config, self._scorer.names)

    def judged(self, at: float, some: int) -> Iterator[tuple[Sequence[str], _Judged]]:
        """All accounts, some at a time, in one order."""
        for ids, rows in each(self._connection, self._measures.layout, some):
            restate(self._connection, ids, rows, self._measures)
            values = self._measures.read(rows, at)
            was: Floats = rows["health"]
            by_hand, cards = self._measures.set_by_hand(rows, at), self._measures.cards(rows)
            scores = self._scorer.score(values, was, rows["band"], by_hand, cards)
            yield ids, _Judged(scores, np.where(self._measures.gone(rows, at), LEFT, scores.band).astype(np.int8))


def _compared_anew(connection: Connection, new: Config) -> bool:
    """Whether a draft compares customers by what nobody keeps yet: then both sides are, by what is usual now."""
    model, wanted = newest(connection), compared(new.scorecard)
    held = {} if model is None or model.norms is None else model.norms.grids
    return any(not within <= held.get(measure, {}).keys() for measure, within in wanted.items())


def _mover(account: str, place: int, before: _Judged, after: _Judged) -> Mover:
    points: dict[str, float] = dict(zip(after.scores.names, after.scores.points[place].tolist(), strict=True))
    for name, share in zip(before.scores.names, before.scores.points[place].tolist(), strict=True):
        points[name] = points.get(name, 0.0) - share
    part = max(points, key=lambda name: abs(points[name]))
    return Mover(
        account,
        None,
        float(before.scores.health[place]),
        BANDS[before.bands[place]],
        float(after.scores.health[place]),
        BANDS[after.bands[place]],
        (part, points[part]),
    )


def _flat(config: Config) -> dict[str, Any]:
    body = config.model_dump(mode="json")
    if ways := config.scorecard.outcome.any:
        body["scorecard"]["outcome"]["any"] = [way.words for way in ways]
    out: dict[str, Any] = {}
    for measure in body["measures"]:
        _spread(out, f"measure {measure['name']}", {k: v for k, v in measure.items() if k != "name"})
    _spread(out, "scorecard", body["scorecard"])
    return out


def _spread(out: dict[str, Any], path: str, said: Any) -> None:
    """Every word with its path; what is listed goes by the name it has, else by what it says."""
    match said:
        case dict() if said:
            out[path] = {}
            for key, value in said.items():
                span = key in _SPANS and isinstance(value, int | float)
                _spread(out, f"{path}, {key}", f"{value / DAY:g}d" if span else value)
        case [dict(), *_]:
            for one in said:
                named = next((one[key] for key in _NAMED_BY if key in one), None)
                where = f"{path}, {_plain(one)}" if named is None else f"{path}, {named}"
                _spread(out, where, {} if named is None else {k: v for k, v in one.items() if k not in _NAMED_BY})
        case None | "" | []:
            return
        case _:
            out[path] = said


def _within(path: str, other: str) -> bool:
    return path.startswith(f"{other}, ")


def _told(said: Any) -> str:
    return "" if isinstance(said, Mapping) else f", {_plain(said)}"


def _plain(said: Any) -> str:
    match said:
        case float() if said == int(said):
            return str(int(said))
        case dict():
            return ", ".join(f"{key} {_plain(value)}" for key, value in said.items() if value not in (None, "", []))
        case list():
            return ", ".join(_plain(one) for one in said)
        case _:
            return str(said)
