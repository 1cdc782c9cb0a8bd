"""Experts of plugins in a worker and a learner: what they say is put on record, and none of them stops anything."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from sqlalchemy import select

from hub.store import schema
from hub.streams.room import Record
from scoring.clock import DAY
from scoring.experts.guests import Panel
from scoring.explaining.explain import explain
from scoring.learner import Learner
from scoring.model import EXPERTS, decode, fresh
from scoring.scorers import Scorers
from tests.engines import engine  # noqa: F401 - a fixture
from tests.scoring import strangers
from tests.scoring.room import START, Room, event
from tests.scoring.strangers import KEY, Tally, panel


class Knowing(Tally):
    """Says the same of everybody it knows: who was measured in the first place."""

    name = "knowing"

    def say(self, names, features):
        known = features[:, len(names) // 2] == 0.0
        return np.where(known, 2.0, np.nan)


def known(room: Room, *kinds: type, version: int = 1):
    """Models that know these experts, and listen to each as much as to all of ours."""
    model = fresh(room.config)
    model.version, model.labels, model.lost = version, 1_000, 500
    sealed = panel(*kinds)
    for seat in sealed.pupils({}):
        seat.learn(("a", "a?"), np.zeros((1, 2)), np.array([True]), 1.0)
        guest = seat.guest()
        assert guest is not None
        model.guests[seat.name] = guest
        model.mixture.welcome({seat.name: 0.5})
    return model


@pytest.fixture
def room(engine, tmp_path):  # noqa: F811
    made = Room(tmp_path, panel=panel(Knowing))
    yield made
    made.close()


def begun(room: Room, panel: Panel | None) -> None:
    """As a process that has other plugins."""
    room.panel = panel
    room.start()


def test_what_it_says_is_put_on_record_and_where_it_is_silent_nothing_is(room):
    room.publish(known(room, Knowing))
    measured = room.config.measures[0]
    assert measured.name == "usage_7d"
    room.take([event("session.started", START, id="s")])
    room.take([event("account.updated", START, id="a", account="acme:customer:2")], "acc_2")
    room.pass_days(16)
    said = {
        row.account: msgspec.json.decode(row.predictions, type=dict[str, float])
        for row in room.rows(select(schema.snapshots))
    }
    assert set(said) == {"acc_1", "acc_2"}
    assert said["acc_1"]["knowing"] == pytest.approx(1 / (1 + np.exp(-2.0)))
    for one in said.values():
        assert set(EXPERTS) <= one.keys()
        assert all(0.0 < chance < 1.0 for chance in one.values())


def test_its_share_is_explained_and_in_the_ledger(room):
    room.publish(known(room, Knowing))
    room.take([event("session.started", START, id="s")])
    health = room.healths[-1]
    named = {driver.name: driver for driver in health.drivers}
    assert named["expert:knowing"].text == "what the expert knowing sees"
    assert health.base + sum(d.points for d in health.drivers) + health.rest == pytest.approx(health.health, abs=1e-9)
    with room.database.read() as connection:
        why = explain(connection, "acc_1", room.config, Scorers(room.config, room.panel), START)
    assert why is not None
    assert why.base + sum(driver.points for driver in why.drivers) == pytest.approx(why.health, abs=1e-9)
    assert "expert:knowing" in {driver.name for driver in why.drivers}


def test_a_worker_that_does_not_have_it_takes_over_and_gives_back(room):
    room.publish(known(room, Knowing))
    with_it = room.take([event("session.started", START, id="s1")])
    first = room.healths[-1]
    begun(room, None)
    room.take([event("session.started", START + 60, id="s2")])
    without = room.healths[-1]
    assert "expert:knowing" not in {driver.name for driver in without.drivers}
    assert without.health > first.health + 5  # it had warned
    begun(room, panel(Knowing))
    room.take([event("session.started", START + 120, id="s3")])
    again = room.healths[-1]
    assert again.health == pytest.approx(first.health, abs=2)
    for one in (first, without, again):
        assert one.base + sum(d.points for d in one.drivers) + one.rest == pytest.approx(one.health, abs=1e-9)
    assert not room.dead
    assert not with_it.dead


@pytest.mark.parametrize(
    "kind", [strangers.Raising, strangers.Infinite, strangers.Wordy, strangers.Quitting, strangers.Hanging]
)
def test_a_worker_scores_on_whatever_one_does(engine, tmp_path, kind):  # noqa: F811
    room = Room(tmp_path, panel=panel(kind, patience=0.2))
    room.publish(known(room, kind))
    for day in range(20):
        room.now = START + day * DAY
        room.take([event("session.started", room.now, id=f"s{day}")])
        room.tick()
    said = [msgspec.json.decode(row.predictions) for row in room.rows(select(schema.snapshots))]
    assert said
    assert not any(kind.name in one for one in said)
    assert all(np.isfinite(health.health) for health in room.healths)
    assert room.applied == 20
    assert kind.name in room.panel.troubles
    room.close()


def test_a_worker_whose_key_is_another_scores_on(engine, tmp_path):  # noqa: F811
    room = Room(tmp_path, panel=panel(Knowing, key="z" * 32))
    room.publish(known(room, Knowing))
    room.take([event("session.started", START, id="s")])
    assert "expert:knowing" not in {driver.name for driver in room.healths[-1].drivers}
    assert KEY not in str(room.panel.troubles)
    room.close()


@pytest.mark.parametrize("kind", [strangers.Unlearned, strangers.Vast, strangers.Waiting])
def test_a_learner_learns_on_whatever_one_does(engine, tmp_path, kind):  # noqa: F811
    room = Room(tmp_path)
    room.take([event("session.started", START, id="s")])
    room.pass_days(80)
    learner = Learner(room.database, room.config, lambda: room.now, panel(kind, patience=0.2))
    records = [
        Record(0, place, 0.0, label.account.encode(), msgspec.json.encode(label))
        for place, label in enumerate(_many(room.labels, 70))
    ]

    def run(connection):
        step = learner.step(connection, records)
        step.write(connection)
        return step

    step = room.database.write(run).result(30)
    assert not step.dead
    with room.database.read() as connection:
        draft = decode(connection.scalar(select(schema.models.c.body).where(schema.models.c.version == 0)))
    assert draft.labels == len(records)
    assert draft.guests == {}
    assert kind.name in learner._panel.troubles
    room.close()


def _many(labels, times):
    """The same of so many customers."""
    return [
        msgspec.structs.replace(one, account=f"{one.account}-{number}") for number in range(times) for one in labels
    ]
