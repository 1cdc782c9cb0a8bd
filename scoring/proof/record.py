"""The track record of an installation's models: whether what was predicted came true, and what a visit was worth.

Everything is of predictions made a whole horizon before anyone knew (`scoring.proof.quality`), of the labels that
compare fairly. A figure for which labels do not suffice is None. Intervals count customers, not labels: a mean's
variance is that of the sums by customer (the cluster-robust one; Liang and Zeger 1986), and a share's interval is
Wilson's (1927) with the number of labels that would have had that variance, had they been independent (Korn and
Graubard 1998).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
import numpy as np
from sqlalchemy import Connection, func, select

from hub.store import schema
from scoring.arrays import Floats, Mask
from scoring.batch import Integers
from scoring.config import Config
from scoring.lessons import MIX
from scoring.model import CARD, Missing, missing, newest
from scoring.proof.growing import Growing, kept
from scoring.proof.losses import ends
from scoring.proof.quality import Quality, area, judge
from scoring.proof.visiting import Visits, visits
from scoring.published import Version, versions

_NEWEST: Final = 50_000
_GROUPS: Final = 10
_SURE: Final = 1e-6
_SAME: Final = 2e-6
_Z: Final = 1.959964  # 95 %
TOPS: Final = (5, 10, 20, 50, 100)


class Spread(msgspec.Struct, frozen=True):
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Predictions that lie near each other.

    Attributes:
        said: risk, on average.
        came: share that was lost.
        low: the 95 % interval of that share begins here.
        high: it ends here.
        labels: how many.
    """

    said: float
    came: float
    low: float
    high: float
    labels: int


class Expert(msgspec.Struct, frozen=True, kw_only=True):
    """How one expert, or the mix, did.

    Attributes:
        name: the expert's, or `mix`.
        weight: how much it is listened to now; None: the mix.
        labels: how many of its predictions matured.
        auc: over all pairs of customers.
        weekly: AUC among the customers of one week.
        log_loss: mean, in nats.
        brier: mean squared error.
        ece: expected calibration error, ten groups of equal size.
    """

    name: str
    weight: float | None
    labels: int
    auc: Spread | None
    weekly: Spread | None
    log_loss: Spread
    brier: Spread
    ece: float


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """Predictions made within one calendar month.

    Attributes:
        begins: unix seconds, UTC.
        labels: how many of them matured.
        lost: how many of those of customers who left.
        weekly: AUC of what was shown, among the customers of one week; None: insufficient labels.
        log_loss: of what was shown; None likewise.
        usual: log loss of saying that month's share lost of everybody; None likewise.
        card: AUC of the scorecard alone; None likewise.
    """

    begins: float
    labels: int
    lost: int
    weekly: Spread | None
    log_loss: Spread | None
    usual: float | None
    card: float | None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """All of it.

    Attributes:
        quality: as `scoring.proof.quality` judges; its figures are those of `experts`.
        listened: whether the labels judged are those predicted since the models are listened to (`quality.heard`); else
            all there are (`quality.skills`).
        judged: how many those are.
        judged_lost: how many of them of customers who left.
        judged_accounts: how many customers they are of.
        missing: labels still needed for figures; all 0 where there are some.
        experts: the mix first; none while labels do not suffice.
        curve: calibration of the mix, least risk first.
        visits: by how many one can visit each time.
        months: oldest first.
        expansion: how well it was foretold who pays more; None: nobody asks.
        versions: of the models, newest first.
        waiting: predictions whose horizon has not passed yet.
        next_due: unix seconds when the next of them comes due; None: none waits.
        horizon: of an outcome, seconds.
        every: time between two looks at a customer, seconds.
        config_version: of measures and scorecard.
        at: unix seconds it was told at.
    """

    quality: Quality
    listened: bool
    judged: int
    judged_lost: int
    judged_accounts: int
    missing: Missing
    experts: list[Expert]
    curve: list[Group]
    visits: list[Visits]
    months: list[Month]
    versions: list[Version]
    waiting: int
    next_due: float | None
    horizon: float
    every: float
    config_version: str
    at: float
    expansion: Growing | None = None

    @property
    def chosen(self) -> dict[int, Visits]:
        """Visits by how many."""
        return {one.top: one for one in self.visits}

    @property
    def mix(self) -> Expert | None:
        """What is shown; None while labels do not suffice."""
        return next((one for one in self.experts if one.name == MIX), None)


def record(
    connection: Connection, config: Config, at: float, tops: Sequence[int] = TOPS, newest_labels: int = _NEWEST
) -> Record:
    """Tell it, from the newest labels; some 60 microseconds a label.

    Args:
        connection: to the database.
        config: in use: what losing a customer means.
        at: unix seconds, now.
        tops: how many customers can be visited each time.
        newest_labels: so many are looked at.
    """
    labels, outcome = schema.labels, config.scorecard.outcome
    asked = (
        select(labels.c.account, labels.c.at, labels.c.lost, labels.c.predictions, labels.c.segment)
        .order_by(labels.c.matured_at.desc())
        .limit(newest_labels)
    )
    rows = connection.execute(asked).all()
    decode = msgspec.json.Decoder(dict[str, float]).decode
    said = [decode(row.predictions) for row in rows]
    model = newest(connection)
    accounts, lost = [row.account for row in rows], [bool(row.lost) for row in rows]
    segments = [row.segment for row in rows]
    found = judge(accounts, [row.at for row in rows], lost, said, model, segments=segments)
    those = _Labels(
        accounts=np.array(accounts, dtype=str),
        at=np.array([row.at for row in rows], dtype=np.float64),
        lost=np.array(lost, dtype=bool),
        said={
            name: np.array([one.get(name, math.nan) for one in said])
            for name in dict.fromkeys(skill.name for skill in (*found.skills, *found.heard))
        },
    )
    heard = those.heard()
    fair = those if heard is None else heard
    lacking = missing(len(fair.lost), int(fair.lost.sum()))
    enough = lacking.labels == 0 and MIX in fair.said
    chances = fair.said[MIX] if enough else np.zeros(0)
    over = ends(connection, outcome, fair.accounts, fair.at, fair.lost) if enough else None
    waiting, due = connection.execute(select(func.count(), func.min(schema.snapshots.c.due))).one()
    return Record(
        quality=found,
        listened=heard is not None,
        judged=len(fair.lost),
        judged_lost=int(fair.lost.sum()),
        judged_accounts=len(np.unique(fair.accounts)),
        missing=lacking,
        experts=_experts(fair, found.weights) if enough else [],
        curve=_curve(chances, fair.lost, fair.who) if enough else [],
        visits=[]
        if over is None
        else [visits(chances, fair.who, fair.at, over, every=outcome.every, top=top) for top in tops],
        months=those.months(),
        versions=versions(connection),
        waiting=waiting,
        next_due=due,
        horizon=outcome.horizon,
        every=outcome.every,
        config_version=config.version,
        at=at,
        expansion=kept(connection, config.scorecard.expansion),
    )


class _Labels:
    """Labels as columns.

    Args:
        accounts: (n,) ids.
        at: (n,) unix seconds when they were predicted.
        lost: (n,) what became of them.
        said: expert -> (n,) risks; NaN where it said nothing.
    """

    def __init__(self, accounts: Integers, at: Floats, lost: Mask, said: dict[str, Floats]) -> None:
        self.accounts, self.at, self.lost, self.said = accounts, at, lost, said
        self.who: Integers = np.unique(accounts, return_inverse=True)[1]
        self.weeks: Integers = np.floor(at / 604_800.0).astype(np.int64)

    def some(self, those: Mask) -> _Labels:
        said = {name: chances[those] for name, chances in self.said.items()}
        return _Labels(self.accounts[those], self.at[those], self.lost[those], said)

    def heard(self) -> _Labels | None:
        """Those predicted since the models are listened to; None while they do not suffice."""
        if MIX not in self.said or CARD not in self.said:
            return None
        heard: Mask = np.abs(self.said[MIX] - self.said[CARD]) > _SAME
        return None if missing(int(heard.sum()), int(self.lost[heard].sum())).labels else self.some(heard)

    def months(self) -> list[Month]:
        days = self.at.astype("datetime64[s]").astype("datetime64[M]")
        return [_month(str(month), self.some(days == month)) for month in np.unique(days)]


def _month(name: str, those: _Labels) -> Month:
    begins = datetime.fromisoformat(f"{name}-01").replace(tzinfo=UTC).timestamp()
    labels, lost = len(those.lost), int(those.lost.sum())
    if MIX not in those.said or missing(labels, lost).labels:
        return Month(begins=begins, labels=labels, lost=lost, weekly=None, log_loss=None, usual=None, card=None)
    share = lost / labels
    card = _weekly(those, CARD) if CARD in those.said else None
    return Month(
        begins=begins,
        labels=labels,
        lost=lost,
        weekly=_weekly(those, MIX),
        log_loss=_mean(losses(those.said[MIX], those.lost), those.who),
        usual=-share * math.log(share) - (1.0 - share) * math.log(1.0 - share),
        card=card.value if card else None,
    )


def _experts(fair: _Labels, weights: dict[str, float]) -> list[Expert]:
    found = []
    for name, every in fair.said.items():
        known = ~np.isnan(every)
        those = fair.some(known) if not known.all() else fair
        if not len(those.lost) or missing(len(those.lost), int(those.lost.sum())).labels:
            continue
        chances = every[known]
        auc, shares = area(chances, those.lost)
        found.append(
            Expert(
                name=name,
                weight=None if name == MIX else weights.get(name, 0.0),
                labels=len(chances),
                auc=_spread(auc, error(shares, those.who), 0.0, 1.0),
                weekly=_weekly(those, name),
                log_loss=_mean(losses(chances, those.lost), those.who),
                brier=_mean((chances - those.lost) ** 2, those.who),
                ece=_ece(chances, those.lost),
            )
        )
    return found


def losses(chances: Floats, lost: Mask) -> Floats:
    """(n,) log losses in nats, with the bounds of `scoring.proof.quality`."""
    sure = np.clip(chances, _SURE, 1.0 - _SURE)
    found: Floats = -np.log(np.where(lost, sure, 1.0 - sure))
    return found


def error(shares: Floats, who: Integers) -> float:
    """Standard error of a sum of shares (n,) about its mean, those of one customer counted as one."""
    sums = np.bincount(who, weights=shares)
    many = int((np.bincount(who) > 0).sum())
    return math.sqrt(many / max(1, many - 1) * float(sums @ sums))


def _mean(values: Floats, who: Integers) -> Spread:
    mean = float(values.mean())
    return _spread(mean, error((values - mean) / len(values), who), 0.0, math.inf)


def _spread(value: float, deviation: float, least: float, most: float) -> Spread:
    return Spread(value, max(least, value - _Z * deviation), min(most, value + _Z * deviation))


def _weekly(those: _Labels, name: str) -> Spread | None:
    """AUC within weeks, weighed as `scoring.proof.quality.within` does, and its interval."""
    chances, lost, shares = those.said[name], those.lost, np.zeros(len(those.lost))
    total = auc = 0.0
    for week in np.unique(those.weeks):
        here = np.flatnonzero(those.weeks == week)
        left = int(lost[here].sum())
        if not 0 < left < len(here) or np.isnan(chances[here]).any():
            continue
        weight = left * (len(here) - left) / len(here)
        found, parts = area(chances[here], lost[here])
        auc, total = auc + found * weight, total + weight
        shares[here] = parts * weight
    return _spread(auc / total, error(shares / total, those.who), 0.0, 1.0) if total else None


def _grouped(chances: Floats) -> list[Integers]:
    order = np.argsort(chances, kind="stable")
    return list(np.array_split(order, min(_GROUPS, len(chances))))


def _ece(chances: Floats, lost: Mask) -> float:
    apart = [abs(float((chances[those] - lost[those]).sum())) for those in _grouped(chances)]
    return sum(apart) / len(lost)


def _curve(chances: Floats, lost: Mask, who: Integers) -> list[Group]:
    found = []
    for those in _grouped(chances):
        came = float(lost[those].mean())
        low, high = share_between(lost[those], who[those])
        found.append(Group(said=float(chances[those].mean()), came=came, low=low, high=high, labels=len(those)))
    return found


def share_between(lost: Mask, who: Integers) -> tuple[float, float]:
    """The 95 % interval of a share, of labels (n,) of customers (n,).

    Where all ended alike nothing varies: then each customer counts once.
    """
    share, many = float(lost.mean()), float(len(np.unique(who)))
    if 0.0 < share < 1.0:
        variance = error((lost - share) / len(lost), who) ** 2
        many = min(float(len(lost)), max(1.0, share * (1.0 - share) / variance)) if variance else many
    middle = (share + _Z**2 / (2.0 * many)) / (1.0 + _Z**2 / many)
    half = _Z * math.sqrt(share * (1.0 - share) / many + _Z**2 / (4.0 * many**2)) / (1.0 + _Z**2 / many)
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))
