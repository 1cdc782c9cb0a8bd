"""Everything learned from labels: plain data that travels as JSON, and the pure function that teaches it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from hub.store import schema
from scoring import risk
from scoring.arrays import logit
from scoring.calibration import Platt
from scoring.config import Config, Outcome, Scorecard
from scoring.mixture import LIMIT, Mixture
from scoring.recency import center, sign_of_life

CARD: Final = "scorecard"
"""The scorecard at its word."""
CARD_CALIBRATED: Final = "scorecard_calibrated"
RECENCY: Final = "recency"
BASE_RATE: Final = "base_rate"
"""Says the same of everybody: what any other expert has to beat."""
EXPERTS: Final = (CARD, CARD_CALIBRATED, RECENCY, *risk.REGRESSIONS, BASE_RATE)
MIX: Final = "mix"
"""The name under which the mixture's own prediction travels beside its experts'."""

DRAFT: Final = 0
"""The row of table `models` that holds what is learned and not yet published."""
ENOUGH: Final = 100
ENOUGH_OF_EACH: Final = 10
_TRUST: Final = {CARD: 0.1, CARD_CALIBRATED: 0.45, RECENCY: 0.05, "sgd": 0.15, "adagrad": 0.15, BASE_RATE: 0.1}
"""What experts are believed before any of them could be judged: the scorecard most, at the level that labels show."""
_PRIOR_LABELS: Final = 4.0  # what the scorecard's base rate is worth
_MEMORY: Final = 20_000.0  # of the base rate, in labels
_LEAST: Final = 0.005
_MOST: Final = 0.95
_TENTH: Final = 0.1
_ALIKE: Final = 2e-6  # predictions are compared as they are stored, rounded


class Lesson(NamedTuple):
    """One matured label.

    Attributes:
        predictions: probabilities by expert, as predicted when the snapshot was taken.
        lost: what became of the customer.
        matured_at: unix seconds.
        features: as `scoring.features.lesson` reads them; None if nobody knows any more what they were called.
    """

    predictions: Mapping[str, float]
    lost: bool
    matured_at: float
    features: Mapping[str, float] | None


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
    return Model(
        config_version=config.version,
        seen=_PRIOR_LABELS,
        left=_PRIOR_LABELS * rate,
        regressions=risk.fresh(rate),
        calibrations={CARD_CALIBRATED: Platt(), RECENCY: Platt()},
        mixture=Mixture(dict(_TRUST)),
    )


def weight_of(outcome: Outcome) -> float:
    """How much of a label each label is: snapshots taken more often than once a horizon share most of their outcome.

    It is the average uniqueness (López de Prado, *Advances in financial machine learning*, 2018, 4.4) of the labels of
    a customer who is put on record all the time.
    """
    return min(1.0, outcome.every / outcome.horizon)


def _was_listened_to(predictions: Mapping[str, float]) -> bool:
    """Whether the models had a say in what was shown; before, they had learned nothing that could be judged."""
    if MIX not in predictions or CARD not in predictions:
        return True
    return abs(predictions[MIX] - predictions[CARD]) > _ALIKE


def taught(model: Model, lessons: Iterable[Lesson], config: Config) -> Model:
    """The model after these lessons, in this order; `model` stays as it is.

    What was learned under another configuration is kept by name: a measure that is new begins with no weight.
    """
    from scoring.teaching import Teacher  # noqa: PLC0415 - it brings River and SciPy: a second that no start waits for

    after = decode(encode(model))
    teacher = Teacher(after.regressions, {m.name: 1.0 if m.direction == "down" else -1.0 for m in config.measures})
    zero, weight = logit(config.scorecard.base_rate), weight_of(config.scorecard.outcome)
    kept = 1.0 - weight / _MEMORY
    silence, middle = sign_of_life(config.measures, config.scorecard.outcome), center(config.scorecard.outcome)
    for lesson in lessons:
        opinions = {name: opinion(chance) for name, chance in lesson.predictions.items() if name != MIX}
        if _was_listened_to(lesson.predictions):
            after.mixture.learn(opinions, lost=lesson.lost, weight=weight)
        if CARD in opinions:
            after.calibrations[CARD_CALIBRATED].learn(opinions[CARD] - zero, lost=lesson.lost, weight=weight)
        if lesson.features is not None:
            if silence is not None and silence in lesson.features:
                said = lesson.features[silence] - middle
                after.calibrations[RECENCY].learn(said, lost=lesson.lost, weight=weight)
            teacher.learn(lesson.features, lost=lesson.lost)
        after.labels += 1
        after.unpublished += 1
        after.lost += lesson.lost
        after.seen = after.seen * kept + weight
        after.left = after.left * kept + weight * lesson.lost
        after.trained_through = max(after.trained_through, lesson.matured_at)
    for calibration in after.calibrations.values():
        calibration.settle(zero)
    after.regressions = teacher.state()
    after.config_version = config.version
    return after


def opinion(chance: float) -> float:
    """Log odds of a predicted probability, within the experts' limit whatever the number."""
    if not math.isfinite(chance):
        return 0.0
    return min(LIMIT, max(-LIMIT, logit(min(1.0 - 1e-9, max(1e-9, chance)))))


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
