from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scoring.bands import BANDS
from scoring.experts.recency import sign_of_life
from scoring.loading import load
from scoring.scorer import Scorer
from tests.scoring.judging import judge

RETAIL = Path(__file__).parents[2] / "examples" / "online-retail" / "scoring"
shipped = pytest.mark.parametrize("folder", [None, RETAIL], ids=["defaults", "online-retail"])


def _bands(config, *rows):
    scores = judge(Scorer(config, None), np.array(rows, dtype=np.float64))
    return [BANDS[code] for code in scores.band]


@shipped
def test_whoever_does_everything_well_thrives_and_whoever_nothing_is_at_risk(folder):
    config = load(folder)
    best = [1000.0 if measure.direction == "up" else 0.0 for measure in config.measures]
    worst = [0.0 if measure.direction == "up" else 1000.0 for measure in config.measures]
    assert _bands(config, best, worst) == ["thriving", "at_risk"]


@shipped
def test_a_customer_of_whom_nothing_is_known_is_steady(folder):
    config = load(folder)
    assert _bands(config, [np.nan] * len(config.measures)) == ["steady"]


@shipped
def test_more_of_what_is_good_never_lowers_health(folder):
    config = load(folder)
    scorer = Scorer(config, None)
    for place, measure in enumerate(config.measures):
        rows = np.full((60, len(config.measures)), np.nan)
        rows[:, place] = np.linspace(0, 120, 60)
        climb = np.diff(judge(scorer, rows).health) * (1.0 if measure.direction == "up" else -1.0)
        assert (climb >= -1e-9).all(), measure.name


@shipped
def test_silence_is_measured(folder):
    config = load(folder)
    assert sign_of_life(config.measures, config.scorecard.outcome) == {None: "days_since_use"}.get(
        folder, "days_since_order"
    )
