"""A draft before it is switched on: the past, as the configuration in use and as the draft would have told it.

Both are replayed over the same looks by `scoring.proof.prequential.play`, each with models that learn from nothing as
they would have, so nothing of what came later is known to either. What became of the customers judges both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from hub import Band
from scoring.arrays import Floats
from scoring.bands import BANDS, LEFT
from scoring.batch import Integers
from scoring.clock import DAY
from scoring.config import Config
from scoring.experts.guests import Panel
from scoring.lessons import MIX
from scoring.model import missing
from scoring.outcome import Outcome
from scoring.proof.prequential import CONTENDERS, Played, Snapshots, play
from scoring.proof.skill import Skill, skill
from scoring.proof.story import Told
from scoring.proof.watching import Alarm, Look, Shown, Watch
from scoring.work import LEAST

AT_RISK: Final = BANDS.index("at_risk")
Matrix = dict[Band, dict[Band, int]]
"""Band by the configuration in use -> band by the draft -> how many."""


class Warned(msgspec.Struct, frozen=True, kw_only=True):
    """What being at risk was worth as a warning, of looks at customers who were not lost already and came due.

    Attributes:
        looks: that came due.
        at_risk: of them at a customer at risk.
        losses: customers lost after them; who came back and was lost again counts twice.
        precision: share of looks at a customer at risk that was lost within the horizon.
        recall: share of losses before which the customer was seen at risk, within the horizon.
        lead_days: median from the first such look to the loss.
        alerts: that came due.
        alerts_right: of them of customers lost within the horizon.
        insufficient: labels do not suffice; no shares are given.
    """

    looks: int
    at_risk: int
    losses: int
    precision: float | None
    recall: float | None
    lead_days: float | None
    alerts: int
    alerts_right: int
    insufficient: bool


class Alert(msgspec.Struct, frozen=True):
    """People would have been told of a fall."""

    account: str
    at: float
    health: float


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """What one configuration would have come to.

    Attributes:
        version: of it.
        alerts: that would have left.
        alone: accounts of which only this one would have told people.
        only: their first alerts, newest first; only so many.
        writes: healths worth publishing, each a field of the CRM.
        warning: what being at risk was worth.
        skill: of the risk that was shown, since labels sufficed for models.
        cpu_s: processor seconds of the replay, by what took them.
    """

    version: str
    alerts: int
    alone: int
    only: list[Alert]
    writes: int
    warning: Warned
    skill: Skill
    cpu_s: dict[str, float]


class Mover(msgspec.Struct, frozen=True):
    """One account that the draft would show otherwise at the last look."""

    account: str
    health: float | None
    band: Band
    draft: float | None
    draft_band: Band


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison.

    Attributes:
        begins: unix seconds of the first look; None: there was none.
        ends: of the last.
        looks: how many.
        accounts: known at the last.
        last: bands at the last look.
        all: bands, summed over all looks.
        changed: accounts whose band differs at the last look.
        ever: accounts whose band differed at any.
        most: who differs most at the last look: other bands first, then by points.
        current: the configuration in use.
        draft: the draft.
        same_outcome: whether both mean the same by losing a customer; else their figures answer different questions.
    """

    begins: float | None
    ends: float | None
    looks: int
    accounts: int
    last: Matrix
    all: Matrix
    changed: int
    ever: int
    most: list[Mover]
    current: Side
    draft: Side
    same_outcome: bool


class Replay(NamedTuple):
    """A configuration, the story as its measures count it, and experts of plugins; both stories are told alike."""

    config: Config
    version: str
    told: Told
    panel: Panel | None = None


def backtest(
    current: Replay,
    draft: Replay,
    alarm: Callable[[], Alarm],
    *,
    since: float = float("-inf"),
    most: int = 10,
    draws: int = 50,
    on_tick: Callable[[str, int, int], None] = lambda _which, _done, _all: None,
) -> Backtest:
    """Replay both, one after the other.

    Args:
        current: what is in use.
        draft: what might be.
        alarm: makes the rule of alerts, anew for each.
        since: unix seconds; what was before is lived through and learned from, and not reported.
        most: how many accounts and alerts to name.
        draws: of the bootstrap, for the intervals.
        on_tick: told which of the two (`in use`, `draft`) has done how many looks, of how many.
    """
    if current.told.accounts != draft.told.accounts:
        raise ValueError("the two stories are not told alike")
    mine, theirs = (
        _replayed(one, alarm(), since, lambda done, of, name=name: on_tick(name, done, of))  # type: ignore[misc]
        for one, name in ((current, "in use"), (draft, "draft"))
    )
    counts, ever, last = np.zeros((len(BANDS), len(BANDS)), np.int64), np.zeros(len(current.told.accounts), bool), None
    for ours, other in zip(mine.looks, theirs.looks, strict=True):
        before, after = ours.shown, other.shown
        last = np.zeros_like(counts)
        np.add.at(last, (before.band, after.band), 1)
        counts += last
        ever[before.accounts[before.band != after.band]] = True
    ends = [side.looks[-1].shown for side in (mine, theirs) if side.looks]
    return Backtest(
        begins=mine.looks[0].shown.at if mine.looks else None,
        ends=mine.looks[-1].shown.at if mine.looks else None,
        looks=len(mine.looks),
        accounts=len(ends[0].accounts) if ends else 0,
        last=_matrix(np.zeros_like(counts) if last is None else last),
        all=_matrix(counts),
        changed=int((ends[0].band != ends[1].band).sum()) if ends else 0,
        ever=int(ever.sum()),
        most=_movers(ends, current.told.accounts, most) if ends else [],
        current=_side(mine, theirs, current, most, draws),
        draft=_side(theirs, mine, draft, most, draws),
        same_outcome=current.config.scorecard.outcome == draft.config.scorecard.outcome,
    )


class _Replayed(NamedTuple):
    looks: list[Look]
    played: Played


def _replayed(one: Replay, alarm: Alarm, since: float, on_tick: Callable[[int, int], None]) -> _Replayed:
    watch = Watch(len(one.told.accounts), one.config.scorecard, alarm, since)
    played = play(one.told, one.config, on_tick=on_tick, on_scores=watch, panel=one.panel)
    return _Replayed(watch.looks, played)


def _side(ours: _Replayed, other: _Replayed, of: Replay, most: int, draws: int) -> Side:
    told_by_other = {int(look.shown.accounts[place]) for look in other.looks for place in look.alerts}
    alone: dict[int, Alert] = {}
    for look in ours.looks:
        for place in look.alerts:
            account = int(look.shown.accounts[place])
            if account not in told_by_other and account not in alone:
                alone[account] = Alert(of.told.accounts[account], look.shown.at, float(look.shown.health[place]))
    return Side(
        version=of.version,
        alerts=sum(len(look.alerts) for look in ours.looks),
        alone=len(alone),
        only=sorted(alone.values(), key=lambda one: (-one.at, one.account))[:most],
        writes=sum(look.writes for look in ours.looks),
        warning=_warning(ours, of.told, of.config.scorecard.outcome),
        skill=_skill(ours, draws),
        cpu_s=ours.played.cpu,
    )


def _due(ours: _Replayed) -> list[tuple[Look, Snapshots]]:
    """Looks whose horizon is over, and what became of those who were there."""
    by_time = {look.shown.at: look for look in ours.looks}
    return [(by_time[one.at], one) for one in ours.played.snapshots if one.at in by_time]


def _warning(ours: _Replayed, told: Told, outcome: Outcome) -> Warned:
    looks = at_risk = right = lost_looks = alerts = alerts_right = 0
    first: dict[tuple[int, float], float | None] = {}
    for look, came in _due(ours):
        shown, at = look.shown, came.at
        there = ~told.already(came.accounts, at, outcome)
        who, lost = came.accounts[there], came.lost[there]
        warned = shown.band[np.searchsorted(shown.accounts, who)] == AT_RISK
        looks, at_risk, right = looks + len(who), at_risk + int(warned.sum()), right + int((warned & lost).sum())
        lost_looks += int(lost.sum())
        ends = told.lost_at(who[lost], at, outcome).tolist()
        for account, end, seen in zip(who[lost].tolist(), ends, warned[lost].tolist(), strict=True):
            if first.get((account, end)) is None:
                first[account, end] = at if seen else None
        told_of = np.isin(who, shown.accounts[look.alerts])
        alerts, alerts_right = alerts + int(told_of.sum()), alerts_right + int((told_of & lost).sum())
    leads = [(end - at) / DAY for (_, end), at in first.items() if at is not None]
    insufficient = bool(missing(looks, lost_looks).labels)
    return Warned(
        looks=looks,
        at_risk=at_risk,
        losses=len(first),
        precision=None if insufficient or not at_risk else right / at_risk,
        recall=None if insufficient or not first else len(leads) / len(first),
        lead_days=None if insufficient or not leads else float(np.median(leads)),
        alerts=alerts,
        alerts_right=alerts_right,
        insufficient=insufficient,
    )


def _skill(ours: _Replayed, draws: int) -> Skill:
    heard = [came for _, came in _due(ours) if came.trusted]
    said: Floats = np.concatenate([one.said[:, CONTENDERS.index(MIX)] for one in heard] or [np.zeros(0)])
    lost = np.concatenate([one.lost for one in heard] or [np.zeros(0, bool)])
    who: Integers = np.concatenate([one.accounts for one in heard] or [np.zeros(0, np.int64)])
    return skill(said, lost, who, draws)


def _movers(ends: Sequence[Shown], accounts: Sequence[str], most: int) -> list[Mover]:
    before, after = ends
    other = before.band != after.band
    gone = (before.band == LEFT) & (after.band == LEFT)  # shown nowhere any more
    apart = np.where(gone, 0.0, np.nan_to_num(np.abs(after.health - before.health)))
    found = []
    for place in np.lexsort((before.accounts, -apart, ~other))[:most].tolist():
        if not other[place] and apart[place] < LEAST:
            break
        found.append(
            Mover(
                accounts[before.accounts[place]],
                _known(before.health[place]),
                BANDS[before.band[place]],
                _known(after.health[place]),
                BANDS[after.band[place]],
            )
        )
    return found


def _known(health: Any) -> float | None:
    return None if np.isnan(health) else float(health)


def _matrix(counts: Integers) -> Matrix:
    return {
        band: {other: int(many) for other, many in zip(BANDS, row.tolist(), strict=True)}
        for band, row in zip(BANDS, counts, strict=True)
    }
