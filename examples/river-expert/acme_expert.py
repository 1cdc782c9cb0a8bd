"""A committee of regressions as an expert: each that notices that the world has changed begins anew (ADWIN)."""

import math
import pickle
from collections.abc import Iterable, Sequence

import numpy as np
from river import ensemble, linear_model, preprocessing

import hub


def pipeline(seed: int) -> ensemble.ADWINBaggingClassifier:
    member = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    return ensemble.ADWINBaggingClassifier(member, n_models=5, seed=seed)


class Committee:
    name = "acme_committee"

    def __init__(self, seed: int, state: bytes | None = None) -> None:
        self._model = pipeline(seed) if state is None else pickle.loads(state)  # noqa: S301 - checked who signed it

    def learn(self, names: Sequence[str], features: np.ndarray, lost: np.ndarray, weight: float) -> None:
        for row, ended in zip(hub.feature_rows(names, features), lost.tolist(), strict=True):
            self._model.learn_one(row, ended)

    def say(self, names: Sequence[str], features: np.ndarray) -> list[float]:
        chances = [self._model.predict_proba_one(row).get(True, 0.5) for row in hub.feature_rows(names, features)]
        return [math.log((chance + 0.001) / (1.001 - chance)) for chance in chances]

    def state(self) -> bytes:
        return pickle.dumps(self._model)


@hub.hookimpl
def register_experts() -> Iterable[type[hub.Expert]]:
    yield Committee
