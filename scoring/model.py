"""Everything learned from labels: plain data that travels as JSON. `scoring.learning` teaches it."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from hub.store import schema
from scoring.arrays import logit
from scoring.config import Config, Scorecard
from scoring.experts import hazard, proxy, risk
from scoring.experts.blends import Blends
from scoring.experts.calibration import Platt
from scoring.experts.drift import Drift
from scoring.experts.guests import Guest
from scoring.experts.hazard import Hazard
from scoring.experts.mixture import LIMIT, Mixture
from scoring.experts.proxy import Proxy
from scoring.experts.rhythm import Rhythm
from scoring.growth import Growth
from scoring.lessons import Waiting
from scoring.norms import Norms
from scoring.outcome import Outcome

CARD: Final = "scorecard"
"""The scorecard at its word."""
CARD_CALIBRATED: Final = "scorecard_calibrated"
RECENCY: Final = "recency"
BASE_RATE: Final = "base_rate"
"""Says the same of everybody: what any other expert has to beat."""
RHYTHM: Final = "bg_nbd"
PROXY: Final = "proxy"
"""What half the horizon teaches, calibrated to the whole."""
HALFWAY: Final = "halfway"
"""The name under which the chance to be lost within half the horizon travels; `proxy` is made of it."""
EXPERTS: Final = (CARD, CARD_CALIBRATED, RECENCY, *risk.REGRESSIONS, RHYTHM, PROXY, BASE_RATE)
"""Those that every installation has, and that say something of every customer."""
HAZARD: Final = "renewal_hazard"
"""Only where a measure counts the days until a renewal, and silent on customers of whom no such day is known."""

DRAFT: Final = 0
"""The row of table `models` that holds what is learned and not yet published."""
ENOUGH: Final = 100
ENOUGH_OF_EACH: Final = 10
TRUST: Final = {
    CARD: 0.05,
    CARD_CALIBRATED: 0.2,
    RECENCY: 0.05,
    "sgd": 0.04,
    "adagrad": 0.04,
    "bayes": 0.15,
    RHYTHM: 0.1,
    PROXY: 0.32,
    BASE_RATE: 0.05,
}
"""What experts are believed before any of them could be judged: most of all the one that has most labels by then."""
_TRUST_BESIDE: Final = {HAZARD: 0.1}
_TRUST_GUEST: Final = 0.05
_TRUST_GUESTS: Final = 0.2  # all of them together
_PRIOR_LABELS: Final = 4.0  # what the scorecard's base rate is worth
MEMORY: Final = 20_000.0
"""Labels after which the base rate and what the experts learned have faded to a third."""
_LEAST: Final = 0.005
_MOST: Final = 0.95
_TENTH: Final = 0.1


class Missing(NamedTuple):
    """Labels still needed before the models are listened to; all 0 when they are.

    Attributes:
        labels: in all.
        lost: of customers who left.
        kept: of customers who stayed.
    """

    labels: int
    lost: int
    kept: int


def missing(labels: int, lost: int) -> Missing:
    """What is missing when there are so many labels, so many of them of customers who left."""
    rare = (max(0, ENOUGH_OF_EACH - lost), max(0, ENOUGH_OF_EACH - (labels - lost)))
    return Missing(max(0, ENOUGH - labels, sum(rare)), *rare)


def trust(config: Config, guests: Collection[str] = ()) -> dict[str, float]:
    """What each expert of an installation is believed before it could be judged; with those of plugins."""
    beside = _TRUST_BESIDE if hazard.renewal(config.measures) is not None else {}
    return TRUST | beside | dict.fromkeys(guests, min(_TRUST_GUEST, _TRUST_GUESTS / max(1, len(guests))))


def lineup(config: Config, model: Model | None = None) -> tuple[str, ...]:
    """Names of all experts whose predictions count: `EXPERTS`, then those that only some installations have."""
    more = {*trust(config), *(() if model is None else model.mixture.weights)}
    return (*EXPERTS, *sorted(more.difference(EXPERTS)))


def segments(scorecard: Scorecard) -> tuple[str, ...]:
    """Names of the segments, in the order of their codes; empty where there are none.

    Who falls under none of them is one more, with an empty name.
    """
    return tuple(card.name for card in scorecard.cards)


class Model(msgspec.Struct, kw_only=True):
    """One version of what was learned.

    Attributes:
        version: 1, 2, ...; 0 before any was published.
        at: unix seconds when it was published.
        trained_through: newest maturity among the labels it learned; 0 before any.
        config_version: of the configuration it was last taught under.
        labels: how many it learned.
        unpublished: how many of them no version has had yet.
        lost: how many of all were customers who left.
        seen: the same counted by weight (`weight_of`) and with old labels fading, begun with what the scorecard's base
            rate is worth.
        left: likewise of those who left; `left / seen` is the base rate.
        regressions: state of the regressions.
        calibrations: by expert.
        mixture: weights of the experts.
        rhythm: the paces of customers.
        proxy: what half the horizon taught.
        blends: what each segment taught.
        norms: what is usual of measures that customers are compared by; None where none are, or none were made yet.
        drift: whether experts predict worse than they used to.
        hazard: of contracts, by the time to their renewal; None before anybody had a date for it.
        guests: by name, what experts of plugins learned; also of those that are not installed any more.
        growth: who pays more; None before that was asked.
        early: how many labels of half the horizon it learned.
        waiting: labels that are counted, and taught as soon as there are enough of them to be learned at once.
        waiting_early: likewise, of half the horizon.
    """

    version: int = 0
    at: float = 0.0
    trained_through: float = 0.0
    config_version: str
    labels: int = 0
    unpublished: int = 0
    lost: int = 0
    seen: float
    left: float
    regressions: risk.Regressions
    calibrations: dict[str, Platt]
    mixture: Mixture
    rhythm: Rhythm = msgspec.field(default_factory=Rhythm)
    proxy: Proxy = msgspec.field(default_factory=Proxy)
    blends: Blends = msgspec.field(default_factory=Blends)
    norms: Norms | None = None
    drift: Drift = msgspec.field(default_factory=Drift)
    hazard: Hazard | None = None
    guests: dict[str, Guest] = msgspec.field(default_factory=dict)
    growth: Growth | None = None
    early: int = 0
    waiting: Waiting = msgspec.field(default_factory=Waiting)
    waiting_early: Waiting = msgspec.field(default_factory=Waiting)

    @property
    def through(self) -> float:
        """Unix seconds after which nothing is known to it: neither outcomes nor what was usual."""
        return max(self.trained_through, 0.0 if self.norms is None else self.norms.at)

    @property
    def missing(self) -> Missing:
        """What is missing before the models are listened to."""
        return missing(self.labels, self.lost)

    @property
    def trusted(self) -> bool:
        """Whether labels suffice; until then health is the scorecard's alone."""
        return self.missing.labels == 0

    @property
    def weights(self) -> dict[str, float]:
        """How much each expert is listened to; sum 1."""
        return dict(self.mixture.weights) if self.trusted else {CARD: 1.0}

    def weights_in(self, segment: str) -> dict[str, float]:
        """The same for customers of a segment."""
        return self.blends.weights(segment, self.weights) if self.trusted else self.weights

    def level_in(self, segment: str) -> float:
        """Log odds by which customers of a segment are likelier lost than their mix says."""
        return self.blends.level(segment) if self.trusted else 0.0

    def limits(self, scorecard: Scorecard) -> tuple[float, float]:
        """Log odds between which experts are believed.

        A risk stays within 0.5 % and 95 %, or a tenth of the base rate where that is rarer, until labels allow more: of
        n customers who all did the same, as many as 3 / n could do otherwise (Hanley and Lippman-Hand 1983).
        """
        rate = self.base_rate(scorecard)
        least, most = min(_LEAST, _TENTH * rate), max(_MOST, 1.0 - _TENTH * (1.0 - rate))
        stayed, left = (math.log(max(1.0, labels / 3.0)) for labels in (self.seen - self.left, self.left))
        return max(-LIMIT, min(logit(least), -stayed)), min(LIMIT, max(logit(most), left))

    def base_rate(self, scorecard: Scorecard) -> float:
        """Share of customers lost within the horizon: the scorecard's word until labels suffice."""
        return self.left / self.seen if self.trusted else scorecard.base_rate


def fresh(config: Config) -> Model:
    """A model that has learned nothing."""
    rate = config.scorecard.base_rate
    mixture = Mixture(dict(TRUST))
    mixture.welcome(trust(config))
    return Model(
        config_version=config.version,
        seen=_PRIOR_LABELS,
        left=_PRIOR_LABELS * rate,
        regressions=risk.fresh(rate),
        proxy=proxy.fresh(rate),
        calibrations={CARD_CALIBRATED: Platt(), RECENCY: Platt(), PROXY: Platt()},
        mixture=mixture,
        hazard=hazard.fresh(rate) if HAZARD in mixture.weights else None,
    )


def weight_of(outcome: Outcome) -> float:
    """How much of a label each label is: snapshots taken more often than once a horizon share most of their outcome.

    It is the average uniqueness (López de Prado, *Advances in financial machine learning*, 2018, 4.4) of the labels of
    a customer who is put on record all the time.
    """
    return min(1.0, outcome.every / outcome.horizon)


def encode(model: Model) -> str:
    """As it is stored: JSON in which every float is exact."""
    return msgspec.json.encode(model).decode()


def decode(body: str) -> Model:
    """Read what `encode` wrote.

    Raises:
        msgspec.ValidationError: it is not a model of this program's.
    """
    return msgspec.json.decode(body, type=Model)


def newest(connection: Connection, *, beyond: int = 0) -> Model | None:
    """The newest published version, None unless there is one newer than `beyond`."""
    models = schema.models
    body = connection.scalar(
        select(models.c.body).where(models.c.version > max(beyond, DRAFT)).order_by(models.c.version.desc()).limit(1)
    )
    return None if body is None else decode(body)
