from __future__ import annotations

import pytest
from sqlalchemy import select

from hub import ConfigError
from hub.store import schema
from scoring.learner import Learner
from scoring.model import decode, newest
from scoring.published import forget, go_back, versions
from scoring.teaching import PORTION
from tests.scoring.strangers import Tally, panel
from tests.scoring.test_learner import CONFIG, Clock, _draft, _labels, _records, _run


@pytest.fixture
def taught(database):
    """Three versions, a portion of labels each."""
    clock, labels = Clock(), _labels(3 * PORTION)
    learner = Learner(database, CONFIG, clock)
    for start in range(0, 3 * PORTION, PORTION):
        _run(database, learner, _records(labels[start : start + PORTION], start))
        clock.now += 100
    return database


def _back(database, to):
    return database.write(lambda connection: go_back(connection, to, 5_000_000.0)).result(10)


def _listed(database):
    with database.read() as connection:
        return versions(connection)


def test_versions_are_listed_newest_first_with_what_they_know(taught):
    found = _listed(taught)
    assert [(one.version, one.labels) for one in found] == [(3, 192), (2, 128), (1, 64)]
    assert sum(found[0].weights.values()) == pytest.approx(1)


def test_going_back_makes_a_new_version_and_takes_none_away(taught):
    made = _back(taught, 1)
    assert (made.version, made.labels, made.at) == (4, 64, 5_000_000.0)
    assert [one.version for one in _listed(taught)] == [4, 3, 2, 1]
    with taught.read() as connection:
        first = decode(connection.scalar(select(schema.models.c.body).where(schema.models.c.version == 1)))
        assert newest(connection).regressions == first.regressions


def test_learning_goes_on_from_there(taught):
    _back(taught, 1)
    more = _labels(5 * PORTION)[3 * PORTION :]
    _run(taught, Learner(taught, CONFIG, Clock()), _records(more, 900))
    draft = _draft(taught)
    assert draft["labels"] == 64 + 2 * PORTION


@pytest.mark.parametrize(("to", "said"), [(9, "no version 9"), (3, "is the newest"), (0, "no version 0")])
def test_what_is_not_there_cannot_be_gone_back_to(taught, to, said):
    with pytest.raises(ConfigError, match=said):
        _back(taught, to)


def test_the_expert_of_a_plugin_can_begin_anew(database):
    clock, labels, experts = Clock(), _labels(2 * PORTION), panel(Tally)
    learner = Learner(database, CONFIG, clock, experts)
    _run(database, learner, _records(labels[:PORTION]))
    assert _draft(database)["guests"]["tally"]["labels"] == PORTION
    made = database.write(lambda connection: forget(connection, "tally", 5_000_000.0)).result(10)
    assert (made.version, made.labels) == (2, PORTION)
    with database.read() as connection:
        model = newest(connection)
    assert model.guests == {}
    assert "tally" not in model.mixture.weights
    assert sum(model.mixture.weights.values()) == pytest.approx(1.0)
    _run(database, learner, _records(labels[PORTION:], 900))
    assert _draft(database)["guests"]["tally"]["labels"] == PORTION
    assert [one.version for one in _listed(database)][-2:] == [2, 1]


def test_only_an_expert_that_the_models_know_can_be_forgotten(taught):
    for name in ("nobody", "bayes", ""):
        with pytest.raises(ConfigError, match=r"the models know no expert of a plugin called .*; they know none"):
            taught.write(lambda connection, name=name: forget(connection, name, 1.0)).result(10)


def test_going_back_takes_what_experts_of_plugins_learned_back_as_well(database):
    clock, labels = Clock(), _labels(2 * PORTION)
    learner = Learner(database, CONFIG, clock, panel(Tally))
    for start in (0, PORTION):
        _run(database, learner, _records(labels[start : start + PORTION], start))
        clock.now += 100
    _back(database, 1)
    assert _draft(database)["guests"]["tally"]["labels"] == PORTION
