"""River's side of the regressions: what `scoring.experts.risk` describes, as estimators that learn.

Apart from the rest because River brings SciPy with it: a second to import, which nobody needs who only predicts.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from river import linear_model, optim

from scoring.arrays import Floats, Mask
from scoring.experts.risk import Regressions, Weights

PORTION: Final = 64
"""Labels that are learned at once: a step along their mean gradient costs what a step along one does."""
_RATES: Final = {"sgd": 0.2, "adagrad": 0.4, "level": 0.6}  # of a whole portion


class Regression(linear_model.LogisticRegression):  # type: ignore[misc]  # River is untyped
    """River's logistic regression, which also learns from the rows of a matrix, as `learn_many` does from a frame's."""

    def learn_rows(self, rows: Floats, names: Sequence[str], lost: Mask, weight: float) -> None:
        """One step along the mean gradient of these labels.

        Args:
            rows: (n, F) standardized features.
            names: of them.
            lost: (n,) what became of the customers.
            weight: of the gradient.
        """
        gradient = functools.partial(self._eval_gradient_many, rows)
        saved = self._enter_learn_mode(set(names))
        try:
            self._fit(x=names, y=lost.astype(np.intp), w=weight, get_grad=gradient)
        finally:
            self._exit_learn_mode(saved)


class Teacher:
    """The regressions as River's own estimators.

    Args:
        state: where to go on from; its scaling goes on with it.
        signs: by measure, 1 where more of it may only mean more risk, -1 where only less; others are free.
    """

    def __init__(self, state: Regressions, signs: Mapping[str, float]) -> None:
        self._signs = signs
        self._weight = state.weight
        self._scaling = state.scaling
        self.models = {name: _estimator(name, weights, self._weight) for name, weights in state.models.items()}

    def learn(self, names: Sequence[str], features: Floats, lost: Mask) -> Floats:
        """Teach a portion of matured labels.

        Args:
            names: columns of `features`, as `feature_names` gives them.
            features: (n, F), at most `PORTION` rows.
            lost: (n,) what became of the customers.

        Returns:
            (n, F) the features as they were standardized.
        """
        self._scaling.learn(names, features)
        rows = self._scaling.standardized(names, features)
        for model in self.models.values():
            model.learn_rows(rows, names, lost, len(lost) / PORTION)
            weights = model._weights  # noqa: SLF001 - River has no other way to bound them
            for name in names:
                if weights[name] * self._signs.get(name, 0.0) < 0.0:
                    weights[name] = 0.0
        return rows

    def forget(self, name: str) -> None:
        """Let one of River's step as boldly as at first; what it believes stays."""
        optimizer = self.models[name].optimizer
        optimizer.n_iterations = 0
        if name == "adagrad":
            optimizer.g2.clear()

    def state(self) -> Regressions:
        """What was learned so far."""
        return Regressions(
            self._weight,
            self._scaling,
            {
                name: Weights(
                    intercept=float(model.intercept),
                    weights={feature: float(weight) for feature, weight in model.weights.items()},
                    steps=model.optimizer.n_iterations,
                    squares={feature: float(sum_) for feature, sum_ in getattr(model.optimizer, "g2", {}).items()},
                )
                for name, model in self.models.items()
            },
        )


def _estimator(name: str, state: Weights, weight: float) -> Any:
    optimizer = optim.AdaGrad(_RATES[name]) if name == "adagrad" else optim.SGD(_RATES[name])
    model = Regression(
        optimizer=optimizer,
        loss=optim.losses.Log(weight_pos=weight),
        intercept_init=state.intercept,
        intercept_lr=_RATES["level"],
    )
    model._weights.update(state.weights)  # noqa: SLF001 - River has no other way to restore them
    optimizer.n_iterations = state.steps
    if name == "adagrad":
        optimizer.g2.update(state.squares)
    return model
