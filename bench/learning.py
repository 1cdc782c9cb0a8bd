"""`learning`: what it costs to learn a label, to judge an account, and to keep what was learned.

Measured: with the measures and the scorecard that come with Pulsehub, in processor time, teaching a matured label of
a whole horizon and one of half of it, all experts and the mixture (`learning.label`, `learning.early`); judging an
account in a batch of 500 with every expert, and saying its six strongest drivers in words (`learning.rescore`, of
which `learning.drivers`); the model as it is stored (`learning.state`).

Left out: the commit of a step, and what a batch of one costs beyond its share.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import numpy as np

from bench.result import Result, at_most, told
from scoring.arrays import Floats, expit
from scoring.features import feature_names, features
from scoring.learning import taught
from scoring.lessons import MIX, Lessons
from scoring.loading import load
from scoring.model import EXPERTS, HALFWAY, encode, fresh
from scoring.scorer import Scorer

LABELS = 6_400
BATCH: Final = 500
ROUNDS = 5


def run(events: int = LABELS, rounds: int = ROUNDS) -> list[Result]:
    config = load()
    chance = np.random.default_rng(1)
    values = _customers(chance, events, len(config.measures))
    lessons = _lessons([measure.name for measure in config.measures], values, chance)
    model = taught(fresh(config), [lessons], config, [lessons])  # imports River, and begins with what is known
    whole = _cost(lambda: taught(model, [lessons], config), rounds) / events
    early = _cost(lambda: taught(model, [], config, [lessons]), rounds) / events
    scorer, some = Scorer(config, model), values[:BATCH]
    nothing, none = np.full(BATCH, np.nan), np.full(BATCH, -1, np.int8)
    judge = _cost(lambda: scorer.score(some, nothing, none), rounds) / BATCH
    scores = scorer.score(some, nothing, none)
    told_of = list(zip(some.tolist(), scores.points.tolist(), strict=True))
    words = _cost(lambda: [scorer.say(row, points, 6, {}) for row, points in told_of], rounds) / BATCH
    return [
        at_most("learning.label", whole * 1e6, "µs", 100),
        told("learning.early", early * 1e6, "µs"),
        at_most("learning.rescore", (judge + words) * 1e6, "µs", 50),
        told("learning.drivers", words * 1e6, "µs"),
        at_most("learning.state", len(encode(model)) / 1024, "KB", 50),
    ]


def _cost(work: Callable[[], object], rounds: int) -> float:
    """Processor seconds, the least of some rounds: the machine is shared."""
    found = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def _customers(chance: np.random.Generator, count: int, measures: int) -> Floats:
    values = chance.lognormal(1.0, 1.5, (count, measures))
    values[chance.random(values.shape) < 0.1] = np.nan
    return values


def _lessons(names: list[str], values: Floats, chance: np.random.Generator) -> Lessons:
    odds = -2.0 + np.nan_to_num(np.log1p(values[:, :3])).sum(axis=1) / 3.0
    lost = chance.random(len(values)) < expit(odds)
    experts = (*EXPERTS, MIX, HALFWAY)
    said = expit(odds[:, None] + chance.normal(0.0, 1.0, (len(values), len(experts))))
    return Lessons(
        experts, said, lost, np.arange(len(values), dtype=np.float64), feature_names(names), features(values)
    )
