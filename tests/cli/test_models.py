"""`models`: what was learned, and how well it predicts, all told and by segment."""

import json

import numpy as np
import pytest
from sqlalchemy import insert

from hub.store import schema
from hub.store.database import Database
from scoring.learner import columns
from scoring.loading import load
from scoring.model import fresh
from tests.e2e.kit import document, pulsehub


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """300 labels of a segment that is predicted well, and 20 of another."""
    data = tmp_path_factory.mktemp("learned")
    chance = np.random.default_rng(0)
    model = fresh(load())
    model.version, model.labels, model.lost = 1, 320, 120
    said = np.column_stack([np.full(300, -1.0)] * len(model.mixture.weights))
    model.blends.learn("big", model.mixture.weights, said, np.ones(300, bool), weight=1.0, kept=1.0)

    def fill(connection):
        for n in range(320):
            lost = bool(chance.random() < 0.4)
            said = {"mix": round(0.25 + 0.4 * lost + chance.uniform(-0.2, 0.2), 6), "scorecard": 0.5}
            label = {"account": f"acc_{n % 90}", "at": float(n), "matured_at": n + 60.0, "lost": int(lost)}
            label |= {"predictions": json.dumps(said), "taught": 1, "segment": "big" if n < 300 else ""}
            connection.execute(insert(schema.labels).values(label))
        connection.execute(insert(schema.models).values(columns(model, 1)))

    with Database(f"sqlite:///{data}/hub.db") as database:
        database.write(fill).result(10)
    return data


def test_each_segment_has_its_figures_or_the_word_that_labels_are_insufficient(learned):
    said = pulsehub(learned, "models").stdout
    assert "what was shown" in said
    assert "in segment big: proxy 32%, scorecard_calibrated 20%, bayes 15%; 75% by its own 300 labels; odds" in said
    assert "in segment big " in said
    (rest,) = [line for line in said.splitlines() if "in no segment" in line]
    assert "insufficient labels" in rest


def test_json_has_every_figure_by_segment_and_expert(learned):
    (version,) = document(learned, "models")["versions"]
    assert version["segments"]["big"].keys() == {"labels", "credibility", "level", "weights"}
    quality = document(learned, "models")["quality"]
    big, rest = quality["segments"]
    assert (big["name"], big["labels"], big["insufficient_labels"]) == ("big", 300, False)
    assert {"name", "labels", "auc", "low", "high", "log_loss", "brier", "ece"} <= big["skills"][0].keys()
    assert [one["name"] for one in big["skills"]] == ["mix", "scorecard"]
    assert (rest["name"], rest["skills"], rest["insufficient_labels"]) == ("", [], True)
