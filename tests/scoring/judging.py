"""A small installation to judge: four measures, two dimensions, and rows of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scoring.arrays import Codes, Floats
from scoring.config import Config
from scoring.experts.mixture import LIMIT, Mixture
from scoring.features import feature_names
from scoring.learning import taught
from scoring.lessons import MIX, Lessons
from scoring.model import EXPERTS, HALFWAY, Model, fresh
from scoring.scorer import Scorer, Scores

MEASURES = [
    {
        "name": "logins",
        "family": "count",
        "kinds": {"session.started": 1},
        "half_life": "7d",
        "dimension": "adoption",
        "label": "{n} logins a week",
        "direction": "up",
    },
    {
        "name": "silence",
        "family": "recency",
        "kinds": {"session.started": 1},
        "dimension": "adoption",
        "label": "last seen {n} days ago",
        "unit": "days",
        "direction": "down",
    },
    {
        "name": "urgent",
        "family": "entities",
        "kinds": {"ticket.opened": 1},
        "entity": "ticket",
        "read": "urgent",
        "dimension": "support",
        "label": "{n} urgent tickets open",
        "direction": "down",
    },
    {
        "name": "nps",
        "family": "last",
        "kinds": {"survey.answered": 1},
        "of": "value",
        "dimension": "support",
        "label": "NPS {n}",
        "direction": "up",
    },
]
SCORECARD: dict[str, Any] = {
    "dimensions": [
        {
            "name": "adoption",
            "weight": 3,
            "measures": [
                {"measure": "logins", "weight": 2, "low": 0, "high": 10},
                {"measure": "silence", "weight": 1, "low": 30, "high": 0, "missing": "worst"},
            ],
        },
        {
            "name": "support",
            "weight": 1,
            "measures": [{"measure": "urgent", "weight": 1, "kind": "bands", "bands": [(0, 1.0), (1, 0.4), (3, 0.0)]}],
        },
    ],
    "outcome": {"horizon": "60d", "every": "7d", "kinds": ["subscription.cancelled"]},
    "base_rate": 0.1,
}


def config(measures: list[dict[str, Any]] = MEASURES, **scorecard: Any) -> Config:
    return Config.model_validate({"measures": measures, "scorecard": SCORECARD | scorecard})


def judge(scorer: Scorer, values: Floats, was_band: Codes | None = None) -> Scores:
    """Score rows of which nothing was known before."""
    n = len(values)
    return scorer.score(values, np.full(n, np.nan), np.full(n, -1, np.int8) if was_band is None else was_band)


def outcomes(
    said: Sequence[Mapping[str, float]],
    lost: Sequence[bool],
    matured_at: Sequence[float] | None = None,
    names: Sequence[str] = (),
    features: Sequence[Sequence[float]] = (),
) -> list[Lessons]:
    """Labels of customers of whom so much was predicted; nobody knows what they looked like, unless it is given."""
    known = (*EXPERTS, MIX, HALFWAY)
    experts = (*known, *sorted({name for row in said for name in row}.difference(known)))
    return [Lessons.of(experts, said, lost, matured_at or range(len(lost)), names=names, features=features)]


def lessons(scorer: Scorer, values: Floats, lost: Sequence[bool] | Floats, at: float = 1.0) -> list[Lessons]:
    """Labels of customers who looked like these values and were judged by this scorer."""
    scores = judge(scorer, values)
    said = [{name: float(chances[i]) for name, chances in scores.predictions.items()} for i in range(len(values))]
    names = feature_names(scores.names[: values.shape[1]])
    matured = [at + i for i in range(len(values))]
    return outcomes(said, [bool(one) for one in lost], matured, names, scores.features.tolist())


def mixed(mixture: Mixture, opinions: Mapping[str, float]) -> float:
    """What the mix says: the weighted mean of log odds over the experts that have an opinion, each within `LIMIT`."""
    awake = {name: weight for name, weight in mixture.weights.items() if name in opinions}
    said = {name: min(LIMIT, max(-LIMIT, opinions[name])) for name in awake}
    return sum(weight * said[name] for name, weight in awake.items()) / sum(awake.values())


def customers(rng: np.random.Generator, n: int) -> Floats:
    """Plausible measures, some of them unknown."""
    values = np.column_stack(
        [rng.exponential(5, n), rng.exponential(9, n), rng.poisson(1, n), rng.integers(-100, 100, n)]
    )
    values = values.astype(np.float64)
    values[rng.random(values.shape) < 0.15] = np.nan
    return values


def leaving(values: Floats) -> Floats:
    """How likely customers leave in a world unknown to the scorecard: the unhappy go, however much they log in."""
    return np.asarray(1.0 / (1.0 + np.exp(1.5 + np.nan_to_num(values[:, 3]) / 30.0)))


def experienced(config: Config, labels: int, seed: int = 0) -> Model:
    """A model taught by that world, 100 labels at a time, each predicted by the model before."""
    rng = np.random.default_rng(seed)
    model = fresh(config)
    for start in range(0, labels, 100):
        values = customers(rng, min(100, labels - start))
        lost = rng.random(len(values)) < leaving(values)
        model = taught(model, lessons(Scorer(config, model), values, lost), config)
    return model


any_values = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 8), st.just(len(MEASURES))),
    elements=st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.floats(-5, 50), st.just(float("nan"))),
)
