"""River's side of the regressions: what `scoring.risk` describes, as estimators that learn.

Apart from the rest because River brings SciPy with it: a second to import, which nobody needs who only predicts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from river import linear_model, optim, preprocessing

from scoring.features import UNKNOWN
from scoring.risk import CLIP, FLAT, Regressions, Scaling, Weights

_RATES: Final = {"sgd": 0.005, "adagrad": 0.05}


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
            elif (variance := self.vars[name]) > FLAT:
                out[name] = min(CLIP, max(-CLIP, (value - self.means[name]) / variance**0.5))
            else:
                out[name] = 0.0
        return out


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
