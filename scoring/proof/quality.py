"""How well it predicted: every number from predictions made a whole horizon before anyone knew.

An account is labeled again and again and its labels resemble each other, so intervals count accounts, not labels:
the AUC's is DeLong's with the structural components summed by account (Obuchowski 1997).

Who needs help first is asked among the customers of one moment, by one version of the models. So beside the AUC of all
pairs stands that of the pairs of one week (van Elteren 1960): the first also compares what was said in spring with what
was said in autumn, and so a level that moved, rightly or not, changes it as much as a wrong order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from sqlalchemy import Connection, select

from hub.store import schema
from scoring.arrays import Floats
from scoring.lessons import MIX
from scoring.model import CARD, EXPERTS, HALFWAY, Missing, Model, missing, newest

_SURE: Final = 1e-6  # predictions are stored with six digits
_SAME: Final = 2e-6
_Z: Final = 1.959964  # 95 %
_NEWEST: Final = 50_000
_WEEK: Final = 604_800.0
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Places = np.ndarray[Any, np.dtype[np.intp]]


class Bin(msgspec.Struct, frozen=True):
    """Predictions that lie near each other: what was said on average, what came true, and how many they are."""

    predicted: float
    lost: float
    labels: int


class Skill(msgspec.Struct, frozen=True, kw_only=True):
    """How well one expert, or the mix, predicted.

    Attributes:
        name: the expert's, or `mix`.
        labels: how many of its predictions have matured.
        auc: chance that a customer who left had been given more risk than one who stayed; ties count half. None
            unless there are both.
        low: the AUC's 95 % interval begins here.
        high: it ends here.
        weekly: the AUC within weeks of snapshots, averaged; None unless a week has both.
        log_loss: mean, in nats.
        brier: mean squared error.
        ece: how far what was said lies from what came true, on average over the bins (expected calibration error).
        bins: calibration, ten groups of equal size, least risk first.
    """

    name: str
    labels: int
    auc: float | None
    low: float | None
    high: float | None
    weekly: float | None = None
    log_loss: float
    brier: float
    ece: float
    bins: list[Bin]


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """How well customers of one segment were predicted, on the labels that compare fairly.

    Attributes:
        name: of the card they were weighed by when it was predicted; empty: no card fit.
        labels: how many of them are known to be of this segment.
        lost: how many of those were customers who left.
        accounts: how many customers they are of.
        missing: labels still needed before anything can be said.
        skills: the mix, the scorecard, then the other experts; empty while labels do not suffice.
    """

    name: str
    labels: int
    lost: int
    accounts: int
    missing: Missing
    skills: list[Skill]


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """What the matured labels say of the models.

    Attributes:
        labels: how many were looked at, the newest if there are very many.
        lost: how many of them were customers who left.
        accounts: how many customers they are of.
        since: unix seconds of the oldest snapshot among them, None if there is none.
        until: of the newest.
        skills: the mix, the scorecard, then the other experts, on all of them.
        heard: the same on labels predicted since the models are listened to; empty before.
        gain: AUC of the mix beyond the scorecard's, on those same labels; None before.
        gain_low: its 95 % interval begins here; above 0, the models earn their keep.
        gain_high: it ends here.
        weights: how much each expert is listened to now.
        missing: labels still needed before the models are listened to.
        model_version: the newest published.
        trained_through: newest maturity it learned, unix seconds.
        segments: by name, on the labels of `heard` if there are any, else on all; labels that do not know their
            segment are left out. Empty where there are no segments.
    """

    labels: int
    lost: int
    accounts: int
    since: float | None
    until: float | None
    skills: list[Skill]
    heard: list[Skill]
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    weights: dict[str, float]
    missing: Missing
    model_version: int
    trained_through: float
    segments: list[Segment] = msgspec.field(default_factory=list)

    @property
    def fair(self) -> dict[str, Skill]:
        """By name, on the labels that compare fairly: those predicted since the models are listened to, else all.

        Before, what was shown was the scorecard's own prediction, at the level that people had guessed.
        """
        return {skill.name: skill for skill in self.heard or self.skills}


def quality(connection: Connection, newest_labels: int = _NEWEST) -> Quality:
    """Judge the predictions by the newest matured labels; some 10 microseconds a label."""
    labels = schema.labels
    rows = connection.execute(
        select(labels.c.account, labels.c.at, labels.c.lost, labels.c.predictions, labels.c.segment)
        .order_by(labels.c.matured_at.desc())
        .limit(newest_labels)
    ).all()
    decoder = msgspec.json.Decoder(dict[str, float])
    predictions = [decoder.decode(row.predictions) for row in rows]
    return judge(
        [row.account for row in rows],
        [row.at for row in rows],
        [bool(row.lost) for row in rows],
        predictions,
        newest(connection),
        segments=[row.segment for row in rows],
    )


def judge(
    accounts: Sequence[str],
    at: Sequence[float],
    lost: Sequence[bool],
    predictions: Sequence[Mapping[str, float]],
    model: Model | None,
    *,
    segments: Sequence[str | None] = (),
) -> Quality:
    """As `quality`, of labels given as columns; `segments` may be left out."""
    left = np.array(lost, dtype=bool)
    _, who = np.unique(np.array(accounts, dtype=str), return_inverse=True)
    named = dict.fromkeys((MIX, *EXPERTS, *sorted({name for row in predictions for name in row} - {HALFWAY})))
    said = {
        name: np.array([row.get(name, math.nan) for row in predictions], dtype=np.float64)
        for name in named
        if any(name in row for row in predictions)
    }
    weeks = np.floor(np.array(at, dtype=np.float64) / _WEEK).astype(np.intp)
    listened = _listened(said)
    gain, gain_error = _gain(said, listened, left, who)
    fair = listened if listened.any() else np.ones(len(left), dtype=bool)
    return Quality(
        labels=len(left),
        lost=int(left.sum()),
        accounts=len(set(accounts)),
        since=min(at, default=None),
        until=max(at, default=None),
        skills=_skills(said, np.ones(len(left), dtype=bool), left, who, weeks),
        heard=_skills(said, listened, left, who, weeks),
        gain=gain,
        gain_low=None if gain is None else gain - _Z * gain_error,
        gain_high=None if gain is None else gain + _Z * gain_error,
        weights=model.weights if model else {CARD: 1.0},
        missing=model.missing if model else missing(0, 0),
        model_version=model.version if model else 0,
        trained_through=model.trained_through if model else 0.0,
        segments=[
            _segment(name, those & fair, said, (left, who, weeks)) for name, those in by_segment(segments).items()
        ],
    )


def by_segment(segments: Sequence[str | None]) -> dict[str, Mask]:
    """Which of n labels are of which segment, by name, whoever no card fits last; some are of none that is known."""
    names = sorted({name for name in segments if name is not None}, key=lambda name: (not name, name))
    return {name: np.array([one == name for one in segments], dtype=bool) for name in names}


def area(chances: Floats, lost: Mask) -> tuple[float, Floats]:
    """AUC, and each label's share in its error (n,): the sum over labels is 0, the variance that of the AUC.

    Args:
        chances: (n,) predicted; only their order counts, ties count half.
        lost: (n,) booleans, both kinds among them.
    """
    stayed, left = np.sort(chances[~lost]), np.sort(chances[lost])
    wins = (np.searchsorted(stayed, chances, "left") + np.searchsorted(stayed, chances, "right")) / 2.0 / len(stayed)
    falls = (np.searchsorted(left, chances, "left") + np.searchsorted(left, chances, "right")) / 2.0 / len(left)
    auc = float(wins[lost].mean())
    return auc, np.where(lost, (wins - auc) / len(left), (1.0 - falls - auc) / len(stayed))


def within(chances: Floats, lost: Mask, weeks: Places) -> float | None:
    """Mean of the AUCs of single weeks, by how much each can say: `left * stayed / labels`, van Elteren's weights.

    Args:
        chances: (n,) predicted.
        lost: (n,) booleans.
        weeks: (n,) in which week each was predicted.

    Returns:
        None unless some week has customers who left and customers who stayed.
    """
    found = [(chances[those], lost[those]) for those in (weeks == week for week in np.unique(weeks))]
    judged = [(area(said, left)[0], left.sum() * (~left).sum() / len(left)) for said, left in found if _both(left)]
    total = sum(weight for _, weight in judged)
    return float(sum(auc * weight for auc, weight in judged) / total) if judged else None


def _both(lost: Mask) -> bool:
    return bool(0 < lost.sum() < len(lost))


def _error(shares: Floats, who: Places) -> float:
    """Standard error of a mean made of shares, those of one account counted as one."""
    sums = np.bincount(who, weights=shares)
    clusters = len(sums)
    return math.sqrt(clusters / max(1, clusters - 1) * float(sums @ sums))


def _segment(name: str, some: Mask, said: Mapping[str, Floats], labels: tuple[Mask, Places, Places]) -> Segment:
    lost, who, weeks = labels
    count, left = int(some.sum()), int(lost[some].sum())
    needed = missing(count, left)
    return Segment(
        name=name,
        labels=count,
        lost=left,
        accounts=len(np.unique(who[some])),
        missing=needed,
        skills=[] if needed.labels else _skills(said, some, lost, who, weeks),
    )


def _skills(said: Mapping[str, Floats], some: Mask, lost: Mask, who: Places, weeks: Places) -> list[Skill]:
    """The skills, on some of the labels, of those that predicted any of them."""
    judged = ((name, some & ~np.isnan(chances)) for name, chances in said.items())
    return [
        _skill(name, said[name][those], lost[those], who[those], weeks[those]) for name, those in judged if those.any()
    ]


def _skill(name: str, chances: Floats, lost: Mask, who: Places, weeks: Places) -> Skill:
    auc = low = high = None
    if _both(lost):
        auc, shares = area(chances, lost)
        error = _error(shares, np.unique(who, return_inverse=True)[1])
        low, high = max(0.0, auc - _Z * error), min(1.0, auc + _Z * error)
    sure = np.clip(chances, _SURE, 1.0 - _SURE)
    order = np.array_split(np.argsort(chances, kind="stable"), min(10, len(chances)))
    bins = [Bin(float(chances[those].mean()), float(lost[those].mean()), len(those)) for those in order]
    return Skill(
        name=name,
        labels=len(chances),
        auc=auc,
        low=low,
        high=high,
        weekly=within(chances, lost, weeks),
        log_loss=float(-np.log(np.where(lost, sure, 1.0 - sure)).mean()),
        brier=float(((chances - lost) ** 2).mean()),
        ece=sum(abs(one.predicted - one.lost) * one.labels for one in bins) / len(chances),
        bins=bins,
    )


def _listened(said: Mapping[str, Floats]) -> Mask:
    """(n,) whether the mix was something else than the scorecard."""
    if MIX not in said or CARD not in said:
        return np.zeros(len(next(iter(said.values()), ())), dtype=bool)
    return np.abs(said[MIX] - said[CARD]) > _SAME


def _gain(said: Mapping[str, Floats], some: Mask, lost: Mask, who: Places) -> tuple[float | None, float]:
    """What the mix's AUC is beyond the scorecard's on some labels, and its standard error."""
    lost = lost[some]
    if not _both(lost):
        return None, 0.0
    mix, of_mix = area(said[MIX][some], lost)
    card, of_card = area(said[CARD][some], lost)
    return mix - card, _error(of_mix - of_card, np.unique(who[some], return_inverse=True)[1])
