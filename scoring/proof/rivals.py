"""Who else predicts: a rule, and what a data team would train every week on all there is."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from scoring.arrays import Floats, Mask, expit

RULE: Final = "rule"
LOGISTIC: Final = "logistic_weekly"
BOOSTING: Final = "gradient_boosting_weekly"
_ROUNDS: Final = 30
_STILL: Final = 1e-5
_SPREAD: Final = 1e-9


class Rule:
    """The longer silent, the likelier lost: one feature, its line fitted anew every time.

    Args:
        place: of the feature, log days of silence.
    """

    name = RULE

    def __init__(self, place: int) -> None:
        self._place = place
        self._fit = Logistic()

    def train(self, features: Floats, lost: Mask) -> None:
        """Fit the line."""
        self._fit.train(self._column(features), lost)

    def predict(self, features: Floats) -> Floats:
        """(n,) probabilities."""
        return self._fit.predict(self._column(features))

    def _column(self, features: Floats) -> Floats:
        half = features.shape[1] // 2
        return features[:, [self._place, half + self._place]]


class Logistic:
    """Logistic regression on standardized features with a ridge of 1, the default of libraries; Newton's method."""

    name = LOGISTIC

    def __init__(self) -> None:
        self._means = self._scales = self._weights = np.zeros(0)

    def train(self, features: Floats, lost: Mask) -> None:
        """Fit anew; the weights found last time are where the search begins."""
        self._means, spread = features.mean(axis=0), features.std(axis=0)
        self._scales = np.where(spread > _SPREAD, 1.0 / np.maximum(spread, _SPREAD), 0.0)
        rows = self._rows(features)
        ridge = np.diag([_SPREAD, *[1.0] * features.shape[1]])
        weights = self._weights if len(self._weights) else np.zeros(rows.shape[1])
        penalty = ridge.diagonal()

        def loss(weights: Floats) -> float:
            said = rows @ weights
            return float((np.logaddexp(0.0, said) - lost * said).sum() + 0.5 * penalty @ weights**2)

        for _ in range(_ROUNDS):
            chances = expit(rows @ weights)
            bend = (rows * (chances * (1.0 - chances))[:, None]).T @ rows + ridge
            step = np.linalg.solve(bend, rows.T @ (chances - lost) + penalty * weights)
            now, share = loss(weights), 1.0
            while share > _STILL and not loss(weights - share * step) <= now:
                share /= 2.0  # a whole step overshoots where classes are all but apart, and never comes back
            weights = weights - share * step
            if np.abs(step).max() < _STILL:
                break
        self._weights = weights

    def predict(self, features: Floats) -> Floats:
        """(n,) probabilities."""
        return expit(self._rows(features) @ self._weights)

    def _rows(self, features: Floats) -> Floats:
        return np.column_stack([np.ones(len(features)), (features - self._means) * self._scales])


class Boosting:
    """LightGBM, slow and cautious: 200 trees of 15 leaves, one thread.

    Raises:
        ImportError: it is not installed.
    """

    name = BOOSTING

    def __init__(self) -> None:
        import lightgbm  # noqa: PLC0415 - an extra

        self._library: Any = lightgbm
        self._trees: Any = None

    def train(self, features: Floats, lost: Mask) -> None:
        """Grow all trees anew."""
        settings = {
            "objective": "binary",
            "learning_rate": 0.03,
            "num_leaves": 15,
            "min_child_samples": 100,
            "num_threads": 1,
            "seed": 1,
            "deterministic": True,
            "verbose": -1,
        }
        self._trees = self._library.train(settings, self._library.Dataset(features, lost.astype(float)), 200)

    def predict(self, features: Floats) -> Floats:
        """(n,) probabilities."""
        return np.asarray(self._trees.predict(features, num_threads=1), np.float64)
