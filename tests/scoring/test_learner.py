from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select

from hub.store import schema
from hub.store.database import Database
from hub.streams.room import Record
from scoring.features import feature_names
from scoring.learner import Learner
from scoring.learning import taught
from scoring.model import DRAFT, encode, fresh, newest
from scoring.scorer import Scorer
from scoring.snapshots import Label
from scoring.teaching import PORTION
from tests.scoring.judging import MEASURES, config, customers, judge, outcomes

CONFIG = config()
DAY = 86_400.0


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def _labels(n, seed=0):
    rng = np.random.default_rng(seed)
    values = customers(rng, n)
    scores = judge(Scorer(CONFIG, None), values)
    return [
        Label(
            account=f"acc_{i % 17}",
            at=i * DAY,
            matured_at=(i + 60) * DAY,
            lost=bool(rng.random() < 0.3),
            features=scores.features[i].tolist(),
            predictions={name: float(chances[i]) for name, chances in scores.predictions.items()},
            config_version=CONFIG.version,
        )
        for i in range(n)
    ]


def _records(labels, first=0):
    return [
        Record(0, first + place, 0.0, label.account.encode(), msgspec.json.encode(label))
        for place, label in enumerate(labels)
    ]


def _run(database, learner, records):
    """What the agent does: a step and its writes in one transaction."""

    def job(connection):
        step = learner.step(connection, records)
        step.write(connection)
        return step

    step = database.write(job).result(10)
    step.after()
    return step


def _tick(database, learner):
    def job(connection):
        step = learner.tick(connection)
        if step:
            step.write(connection)
        return step

    return database.write(job).result(10)


def _draft(database):
    with database.read() as connection:
        return json.loads(connection.scalar(select(schema.models.c.body).where(schema.models.c.version == DRAFT)))


def _learned(database):
    """All that was learned, without when it was published."""
    body = _draft(database)
    for name in ("version", "at", "unpublished"):
        del body[name]
    return body


def _direct(labels):
    """The same taught by the pure function."""
    names = feature_names([measure["name"] for measure in MEASURES])
    lessons = outcomes(
        [one.predictions for one in labels],
        [one.lost for one in labels],
        [one.matured_at for one in labels],
        names,
        [one.features for one in labels],
    )
    body = json.loads(encode(taught(fresh(CONFIG), lessons, CONFIG)))
    for name in ("version", "at", "unpublished"):
        del body[name]
    return body


def _versions(database):
    with database.read() as connection:
        return connection.scalars(select(schema.models.c.version).order_by(schema.models.c.version)).all()


def test_a_label_is_taught_once_however_often_it_comes(database):
    labels = _labels(60)
    learner = Learner(database, CONFIG)
    first = _run(database, learner, _records([*labels[:40], *labels[:5]]))
    again = _run(database, learner, _records(labels[20:]))
    assert (first.duplicates, again.duplicates) == (5, 20)
    assert _learned(database) == _direct(labels)
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(schema.labels)) == 60


def test_half_the_horizon_teaches_the_proxy_alone_and_once(database):
    early = [
        msgspec.structs.replace(label, early=True, matured_at=label.at + 30 * DAY) for label in _labels(2 * PORTION)
    ]
    learner = Learner(database, CONFIG)
    assert _run(database, learner, _records(early)).duplicates == 0
    assert _run(database, learner, _records(early)).duplicates == 2 * PORTION
    learned, untaught = _draft(database), json.loads(encode(fresh(CONFIG)))
    assert learned["early"] == 2 * PORTION
    assert learned["proxy"]["bayes"]["weights"]
    assert (learned["labels"], learned["seen"]) == (0, untaught["seen"])
    assert learned["regressions"]["models"] == untaught["regressions"]["models"]
    whole = [msgspec.structs.replace(label, early=False) for label in early[:10]]
    assert _run(database, learner, _records(whole)).duplicates == 0


def test_a_batch_is_taught_in_the_order_in_which_labels_matured(database):
    labels = _labels(50)
    shuffled = [labels[i] for i in np.random.default_rng(0).permutation(50)]
    _run(database, Learner(database, CONFIG), _records(shuffled))
    assert _learned(database) == _direct(labels)


def test_a_restart_goes_on_where_it_stopped(database):
    labels = _labels(90)
    for start in range(0, 90, 30):
        _run(database, Learner(database, CONFIG), _records(labels[start : start + 30]))
    assert _learned(database) == _direct(labels)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 25), min_size=1, max_size=5))
def test_how_labels_are_cut_into_batches_changes_nothing(tmp_path_factory, sizes):
    labels = _labels(sum(sizes))
    with Database(f"sqlite:///{tmp_path_factory.mktemp('cut') / 'hub.db'}") as database:
        start = 0
        for size in sizes:
            _run(database, Learner(database, CONFIG), _records(labels[start : start + size]))
            start += size
        assert _learned(database) == _direct(labels)


def test_a_transaction_that_fails_leaves_neither_label_nor_lesson(database):
    labels = _labels(40)
    learner = Learner(database, CONFIG)
    _run(database, learner, _records(labels[:20]))
    before = _draft(database)

    def job(connection):
        learner.step(connection, _records(labels[20:])).write(connection)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        database.write(job).result(10)
    assert _draft(database) == before
    assert _run(database, learner, _records(labels[20:])).duplicates == 0
    assert _learned(database) == _direct(labels)


def test_a_step_by_itself_changes_nothing(database):
    learner = Learner(database, CONFIG)
    database.write(lambda connection: learner.step(connection, _records(_labels(10)))).result(10)
    assert _versions(database) == []


def test_versions_come_now_and_then_and_never_change_again(database):
    clock = Clock()
    learner, labels = Learner(database, CONFIG, clock), _labels(30)
    _run(database, learner, _records(labels[:10]))
    with database.read() as connection:
        first = newest(connection)
    assert (first.version, first.labels, first.at) == (1, 10, clock.now)
    clock.now += 10
    _run(database, learner, _records(labels[10:20]))
    assert _versions(database) == [DRAFT, 1]
    assert _tick(database, learner) is None
    clock.now += 51
    assert _tick(database, learner) is not None
    assert _tick(database, learner) is None
    with database.read() as connection:
        assert newest(connection, beyond=2) is None
        assert newest(connection, beyond=1).labels == 20
        body = connection.scalar(select(schema.models.c.body).where(schema.models.c.version == 1))
        assert body == encode(first)


def test_many_labels_at_once_are_published_at_once(database):
    clock = Clock()
    learner = Learner(database, CONFIG, clock)
    labels = _labels(520)
    _run(database, learner, _records(labels[:10]))
    _run(database, learner, _records(labels[10:]))
    assert _versions(database) == [DRAFT, 1, 2]


def test_labels_name_the_version_that_learned_them(database):
    clock = Clock()
    learner, labels = Learner(database, CONFIG, clock), _labels(30)
    for start in range(0, 30, 10):
        _run(database, learner, _records(labels[start : start + 10]))
        clock.now += 40
    with database.read() as connection:
        found = connection.execute(
            select(schema.labels.c.taught, func.count()).group_by(schema.labels.c.taught).order_by("taught")
        ).all()
    assert found == [(1, 10), (2, 20)]


def test_old_versions_are_forgotten(database):
    clock = Clock()
    learner = Learner(database, CONFIG, clock)
    for place, label in enumerate(_labels(60)):
        _run(database, learner, _records([label], place))
        clock.now += 61
    assert _versions(database) == [DRAFT, *range(11, 61)]


def test_what_is_no_label_is_dead_lettered_with_its_reason_and_stops_nothing(database):
    good = _labels(3)
    odd = msgspec.structs.replace
    broken = [
        b"{",
        b"[]",
        msgspec.json.encode(good[0]).replace(b'"lost":true', b'"lost":7').replace(b'"lost":false', b'"lost":7'),
        msgspec.json.encode(odd(good[0], features=[1.0])),
        msgspec.json.encode(odd(good[0], predictions={"scorecard": 1.5})),
        msgspec.json.encode(good[0]).replace(b'"matured_at":5184000.0', b'"matured_at":1e999'),
    ]
    records = [Record(0, place, 0.0, b"acc_1", value) for place, value in enumerate(broken)]
    step = _run(database, Learner(database, CONFIG), [*records, *_records(good, 9)])
    assert [dead.record.offset for dead in step.dead] == list(range(6))
    assert "1 features where its configuration has 8" in step.dead[3].reason
    assert "a prediction is no probability" in step.dead[4].reason
    assert _learned(database) == _direct(good)


def test_labels_of_an_older_configuration_are_read_by_its_names(database):
    older = config([MEASURES[3], *MEASURES[:3]])
    database.write(
        lambda connection: connection.execute(
            insert(schema.configs).values(version=older.version, at=0.0, body=older.body)
        )
    ).result(10)
    labels, order = _labels(PORTION), [3, 0, 1, 2]
    places = [*order, *(4 + place for place in order)]
    moved = [[label.features[place] for place in places] for label in labels]
    old = [
        msgspec.structs.replace(label, features=features, config_version=older.version)
        for label, features in zip(labels, moved, strict=True)
    ]
    _run(database, Learner(database, CONFIG), _records(old))
    regressions, wanted = _draft(database)["regressions"], _direct(labels)["regressions"]
    assert regressions["scaling"] == wanted["scaling"]
    assert regressions["models"]["sgd"]["weights"] == pytest.approx(wanted["models"]["sgd"]["weights"])
    assert regressions["bayes"]["weights"] == pytest.approx(wanted["bayes"]["weights"])


def test_labels_of_a_forgotten_configuration_teach_what_they_still_can(database):
    old = [msgspec.structs.replace(label, config_version="gone", features=[1.0]) for label in _labels(20)]
    step = _run(database, Learner(database, CONFIG), _records(old))
    assert not step.dead
    assert _draft(database)["labels"] == 20
    assert _draft(database)["regressions"]["scaling"]["counts"] == {}


def test_a_batch_of_nothing_new_writes_nothing(database):
    learner = Learner(database, CONFIG)
    labels = _labels(5)
    _run(database, learner, _records(labels))
    before = _draft(database)
    assert _run(database, learner, _records(labels)).duplicates == 5
    assert _draft(database) == before
    assert _tick(database, Learner(database, CONFIG)) is None
