"""Two logistic regressions that never stop learning: River teaches them, NumPy applies them.

Both read the same standardized features and differ in how they step: `sgd` follows what is new, `adagrad` settles. Rare
losses weigh more in the loss function, or the first hundred customers who stay would teach that nobody leaves; the log
of that weight is subtracted from the logit afterwards, which makes it a probability again.

A measure never weighs against its declared direction: of two that say the same, such as orders in a month and in a
quarter, a regression likes to believe one too much and hold the other against the customer, and nobody believes a
driver like "silent for 93 days: +2". It costs .0015 of AUC on Online Retail.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
from river import linear_model, optim, preprocessing

from scoring.arrays import Floats, logit
from scoring.features import UNKNOWN

CLIP: Final = 4.0
"""Standard deviations beyond which a feature says no more."""
_FLAT: Final = 1e-9
"""A variance below this is rounding; what is constant says nothing (and River's may even turn negative)."""
_MOST_WEIGHT: Final = 10.0
_RATES: Final = {"sgd": 0.005, "adagrad": 0.05}
REGRESSIONS: Final = tuple(_RATES)


class Standardize(preprocessing.StandardScaler):  # type: ignore[misc]  # River is untyped
    """River's scaler, clipped at `CLIP`, safe on constant columns; flags of the unknown pass as they are.

    >>> scaler = Standardize()
    >>> scaler.learn_one({"logins": 1.0})
    >>> scaler.learn_one({"logins": 3.0, "mrr?": 1.0})
    >>> scaler.transform_one({"logins": 99.0, "mrr?": 1.0})
    {'logins': 4.0, 'mrr?': 1.0}
    """

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Learn mean and variance of the features that are known."""
        super().learn_one({name: value for name, value in x.items() if not name.endswith(UNKNOWN)})

    def transform_one(self, x: Mapping[str, float]) -> dict[str, float]:
        """Standard deviations from the mean, within `CLIP`."""
        out = {}
        for name, value in x.items():
            if name.endswith(UNKNOWN):
                out[name] = value
            elif (variance := self.vars[name]) > _FLAT:
                out[name] = min(CLIP, max(-CLIP, (value - self.means[name]) / variance**0.5))
            else:
                out[name] = 0.0
        return out


class Scaling(msgspec.Struct):
    """What `Standardize` knows, by feature."""

    counts: dict[str, int] = msgspec.field(default_factory=dict)
    means: dict[str, float] = msgspec.field(default_factory=dict)
    variances: dict[str, float] = msgspec.field(default_factory=dict)


class Weights(msgspec.Struct):
    """One regression: what it believes, and how far its optimizer has come."""

    intercept: float
    weights: dict[str, float] = msgspec.field(default_factory=dict)
    steps: int = 0
    squares: dict[str, float] = msgspec.field(default_factory=dict)


class Regressions(msgspec.Struct):
    """Everything the regressions have learned; travels as JSON and goes on learning as if it had not.

    Attributes:
        weight: how much more a loss weighs than a stay, in the loss function.
        scaling: of the features.
        models: by name, `sgd` and `adagrad`.
    """

    weight: float
    scaling: Scaling
    models: dict[str, Weights]


def fresh(base_rate: float) -> Regressions:
    """Regressions that have seen nothing: all say the base rate."""
    weight = min(_MOST_WEIGHT, max(1.0, (1.0 - base_rate) / base_rate))
    start = logit(base_rate) + math.log(weight)
    return Regressions(weight, Scaling(), {name: Weights(start) for name in REGRESSIONS})


class Teacher:
    """The regressions as River's own estimators.

    Args:
        state: where to go on from; left as it is.
        signs: by measure, 1 where more of it may only mean more risk, -1 where only less; others are free.
    """

    def __init__(self, state: Regressions, signs: Mapping[str, float]) -> None:
        self._signs = signs
        self._weight = state.weight
        self._scaler = Standardize()
        self._scaler.counts.update(state.scaling.counts)
        self._scaler.means.update(state.scaling.means)
        self._scaler.vars.update(state.scaling.variances)
        self.models = {name: _estimator(name, weights, self._weight) for name, weights in state.models.items()}

    def learn(self, lesson: Mapping[str, float], *, lost: bool) -> None:
        """Teach one matured label; `lesson` as `scoring.features.lesson` reads a snapshot."""
        self._scaler.learn_one(lesson)
        standardized = self._scaler.transform_one(lesson)
        for model in self.models.values():
            model.learn_one(standardized, lost)
            weights = model._weights  # noqa: SLF001 - River has no other way to bound them
            for name in standardized:
                if weights[name] * self._signs.get(name, 0.0) < 0.0:
                    weights[name] = 0.0

    def predict(self, lesson: Mapping[str, float]) -> dict[str, float]:
        """Log odds of losing the customer, by regression, unclipped; what `Applied` computes for many at once."""
        standardized = self._scaler.transform_one(lesson)
        surplus = math.log(self._weight)
        return {name: float(model._raw_dot_one(standardized)) - surplus for name, model in self.models.items()}  # noqa: SLF001 - predict_proba_one would lose digits

    def state(self) -> Regressions:
        """What was learned so far."""
        return Regressions(
            self._weight,
            Scaling(dict(self._scaler.counts), dict(self._scaler.means), dict(self._scaler.vars)),
            {
                name: Weights(
                    intercept=float(model.intercept),
                    weights={feature: float(weight) for feature, weight in model.weights.items()},
                    steps=model.optimizer.n_iterations,
                    squares=dict(getattr(model.optimizer, "g2", {})),
                )
                for name, model in self.models.items()
            },
        )


@dataclass(frozen=True, slots=True)
class Applied:
    """The regressions laid out for a matrix of features.

    Attributes:
        means: (M,) of the known features.
        scales: (M,) 1 / standard deviation; 0 where a feature is constant.
        weights: (2M, R) by standardized feature and flag, and regression.
        intercepts: (R,) log odds of a customer who is average or unknown in everything.
    """

    means: Floats
    scales: Floats
    weights: Floats
    intercepts: Floats

    def standardize(self, features: Floats) -> Floats:
        """(n, 2M) as the regressions read them: clipped standard deviations, 0 where unknown; then the flags."""
        half = len(self.means)
        out = features.copy()
        known = out[:, :half]
        known -= self.means
        known *= self.scales
        np.clip(known, -CLIP, CLIP, out=known)
        known[features[:, half:] > 0.0] = 0.0
        return out


def apply(state: Regressions, names: Sequence[str]) -> Applied:
    """Lay out what was learned for features of these names; a name it never saw weighs nothing."""
    half = names[: len(names) // 2]
    variances = np.array([state.scaling.variances.get(name, 0.0) for name in half])
    varied = variances > _FLAT
    models = [state.models[name] for name in REGRESSIONS]
    return Applied(
        means=np.array([state.scaling.means.get(name, 0.0) for name in half]),
        scales=np.where(varied, 1.0 / np.sqrt(np.where(varied, variances, 1.0)), 0.0),
        weights=np.array([[model.weights.get(name, 0.0) for model in models] for name in names]).reshape(
            -1, len(models)
        ),
        intercepts=np.array([model.intercept for model in models]) - math.log(state.weight),
    )


def _estimator(name: str, state: Weights, weight: float) -> Any:
    optimizer = optim.AdaGrad(_RATES[name]) if name == "adagrad" else optim.SGD(_RATES[name])
    model = linear_model.LogisticRegression(
        optimizer=optimizer,
        loss=optim.losses.Log(weight_pos=weight),
        intercept_init=state.intercept,
    )
    model._weights.update(state.weights)  # noqa: SLF001 - River has no other way to restore them
    optimizer.n_iterations = state.steps
    if name == "adagrad":
        optimizer.g2.update(state.squares)
    return model
