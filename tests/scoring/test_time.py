from __future__ import annotations

import math
import random

import numpy as np
import pytest
from sqlalchemy import select

from hub.store import schema
from scoring.clock import DAY
from scoring.days import day_of, rounds
from scoring.intake import Taken
from scoring.loading import load
from scoring.model import fresh
from tests.scoring.room import START, Room, event

pytestmark = pytest.mark.usefixtures("engine")

MIDNIGHT = START - START % DAY


@pytest.fixture
def wall(tmp_path):
    room = Room(tmp_path)
    yield room
    room.close()


@pytest.fixture
def replay(tmp_path):
    room = Room(tmp_path, clock="event", now=START + 1_000 * DAY)
    yield room
    room.close()


def started(at=START):
    return event(
        "subscription.started", at, id=f"started:{at}", entity="acme:subscription:1", amount=10, currency="EUR"
    )


def cancelled(at):
    return event("subscription.cancelled", at, id=f"cancelled:{at}", entity="acme:subscription:1")


def test_a_snapshot_of_a_customer_who_stays_matures_as_kept_after_its_whole_horizon(wall):
    wall.take([started()])
    wall.pass_days(75)
    assert wall.labels
    assert not any(label.lost for label in wall.labels)
    assert all(label.matured_at == label.at + 60 * DAY for label in wall.labels)
    assert all(label.matured_at <= wall.now for label in wall.labels)


def test_a_snapshot_of_a_customer_who_leaves_waits_for_its_whole_horizon_too(wall):
    wall.take([started()])
    wall.pass_days(20)
    wall.take([cancelled(wall.now)])
    wall.pass_days(30)
    assert wall.labels == []
    wall.pass_days(40)
    assert len(wall.labels) in (2, 3)
    assert all(label.lost for label in wall.labels)
    assert all(label.matured_at == label.at + 60 * DAY for label in wall.labels)


def test_half_the_horizon_teaches_too_and_its_label_says_so(wall):
    wall.take([started()])
    wall.pass_days(45)
    assert wall.labels == []
    assert len(wall.halves) in (2, 3)
    assert all(label.matured_at == label.at + 30 * DAY and not label.lost for label in wall.halves)


@pytest.mark.parametrize("also_before", [True, False])
def test_where_the_row_knows_only_a_later_end_the_archive_tells_of_the_first_half(wall, also_before):
    wall.take([started()])
    wall.pass_days(10)
    (snapshot,) = wall.rows(select(schema.snapshots.c.at))
    wall.now = snapshot.at + 31 * DAY
    before = [cancelled(snapshot.at + 10 * DAY)] if also_before else []
    wall.take([*before, cancelled(wall.now)])
    wall.pass_days(40)
    assert {label.lost for label in wall.halves if label.at == snapshot.at} == {also_before}
    assert {label.lost for label in wall.labels if label.at == snapshot.at} == {True}


def test_labels_of_half_the_horizon_are_told_once_and_survive_a_restart(wall):
    wall.take([started()])
    wall.pass_days(33)
    wall.start()
    wall.pass_days(20)
    moments = [label.at for label in wall.halves]
    assert len(moments) == len(set(moments)) >= 3


def test_of_a_customer_who_is_gone_nothing_is_predicted_until_it_returns(wall):
    wall.take([started(), cancelled(START + 1)])
    wall.pass_days(30)
    assert wall.rows(select(schema.snapshots)) == []
    wall.take([started(wall.now)])
    wall.pass_days(15)
    assert len(wall.rows(select(schema.snapshots))) == 2


def test_a_customer_who_leaves_is_said_to_have_left_and_to_be_back_when_it_returns(wall):
    wall.take([event("subscription.started", START), event("usage.tracked", START + 1)])
    wall.take([event("subscription.cancelled", START + 60)])
    assert wall.healths[-1].band == "left"
    assert wall.rows(select(schema.accounts.c.band)) == [("left",)]
    wall.take([event("subscription.resumed", START + 120)])
    assert (wall.healths[-1].was_band, wall.healths[-1].band) == ("left", wall.healths[0].band)


def test_leaving_and_returning_may_be_heard_of_in_any_order(wall):
    wall.take([event("subscription.resumed", START + 120)])
    wall.take([event("subscription.cancelled", START + 60)])
    assert wall.healths[-1].band != "left"


def test_a_late_outcome_within_the_horizon_still_counts(wall):
    wall.take([started()])
    wall.pass_days(50)
    wall.take([cancelled(START + 21 * DAY)])
    wall.pass_days(25)
    early = [label for label in wall.labels if label.at < START + 21 * DAY]
    assert early
    assert all(label.lost for label in early)


@pytest.mark.parametrize("leaves", [True, False])
def test_a_snapshot_whose_mark_was_lost_is_judged_by_the_archive(wall, leaves):
    wall.take([started()])
    wall.pass_days(20)
    if leaves:
        wall.take([cancelled(wall.now)])
    wall.rescore._accounts.rows["marks.at"] = 0.0
    wall.pass_days(50)
    early = [label.lost for label in wall.labels if label.at < START + 15 * DAY]
    assert early
    assert set(early) == {leaves}


def test_labels_are_told_once_and_survive_a_restart(wall):
    wall.take([started()])
    wall.pass_days(40)
    wall.start()
    wall.pass_days(40)
    moments = [label.at for label in wall.labels]
    assert len(moments) == len(set(moments))
    assert 2 <= len(moments) <= 3


def test_a_label_carries_what_was_seen_and_predicted_then(wall):
    wall.take([started()])
    wall.pass_days(75)
    label = wall.labels[0]
    assert len(label.features) == 2 * len(wall.config.measures)
    assert 0 < label.predictions["scorecard"] < 1
    assert label.config_version == wall.config.version


def test_by_event_time_a_snapshot_sees_nothing_of_the_future(replay):
    quiet = [event("session.started", MIDNIGHT + day * DAY + 3_600, id=f"s{day}") for day in range(80)]
    busy = [event("session.started", MIDNIGHT + 30 * DAY + 7_200 + n, id=f"b{n}") for n in range(500)]
    replay.take(sorted(quiet + busy, key=lambda one: one.occurred_at))
    usage = [m.name for m in replay.config.measures].index("usage_7d")
    found = {row.at: row.features for row in replay.rows(select(schema.snapshots))}
    found |= {label.at: label.features for label in replay.labels}
    assert len(found) >= 10
    for at, stored in found.items():
        features = stored if isinstance(stored, list) else np.frombuffer(stored, np.float32).tolist()
        seen = [one for one in quiet + busy if one.occurred_at.timestamp() <= at]
        expected = sum(2 ** (-(at - one.occurred_at.timestamp()) / (7 * DAY)) for one in seen)
        assert features[usage] == pytest.approx(math.log1p(expected), rel=1e-5)


def test_by_event_time_the_cut_of_the_log_does_not_change_what_is_learned(tmp_path):
    chance = random.Random(3)
    story = [event("session.started", START + chance.random() * 110 * DAY, id=f"s{n}") for n in range(80)]
    story += [started(), cancelled(START + 70 * DAY)]
    story.sort(key=lambda one: one.occurred_at)
    told = []
    for cut in (2, 17, 1_000):
        (tmp_path / str(cut)).mkdir()
        room = Room(tmp_path / str(cut), clock="event", now=START + 1_000 * DAY)
        for first in range(0, len(story), cut):
            room.take(story[first : first + cut])
        found = [*room.labels, *room.halves]
        told.append([(label.at, label.matured_at, label.lost, label.features) for label in found])
        room.close()
    assert len(told[0]) >= 5
    assert {lost for _, _, lost, _ in told[0]} == {True, False}
    for other in told[1:]:
        assert [one[:3] for one in other] == [one[:3] for one in told[0]]
        for (*_, mine), (*_, theirs) in zip(other, told[0], strict=True):
            assert mine == pytest.approx(theirs, rel=1e-5)


def test_by_event_time_a_prediction_uses_no_model_that_learned_later(replay):
    for version, through in ((1, START + 10 * DAY), (2, START + 40 * DAY)):
        replay.learned(version, through)
    replay.take([event("session.started", START + day * DAY, id=f"s{day}") for day in range(60)])
    used = [(row.at, row.model_version) for row in replay.rows(select(schema.snapshots))]
    used += [(health.at, health.model_version) for health in replay.healths]
    for at, version in used:
        assert version == (0 if at < START + 10 * DAY else 1 if at < START + 40 * DAY else 2)
    assert {version for _, version in used} == {0, 1, 2}


def test_by_event_time_silence_fades_those_who_say_nothing(replay):
    names = [f"acc_{n}" for n in range(40)]
    loud = next(
        a for a in names if replay.record(a, b"").partition == replay.record("acc_1", b"").partition and a != "acc_1"
    )
    replay.take([event("session.started", START + day * DAY, id=f"s{day}") for day in range(20)])
    before = replay.healths[-1]
    others = {"account": "acme:customer:loud"}
    replay.take([event("session.started", START + day * DAY, id=f"l{day}", **others) for day in range(20, 50)], loud)
    after = [health for health in replay.healths if health.account == "acc_1"][-1]
    assert after.health < before.health - 5
    assert after.causes == []
    assert after.at <= START + 50 * DAY


def test_by_event_time_a_clock_survives_a_restart(replay):
    replay.take([event("session.started", START + day * DAY, id=f"s{day}") for day in range(20)])
    taken = len(replay.rows(select(schema.snapshots)))
    replay.start()
    replay.take([event("session.started", START + 19 * DAY + 60, id="more")])
    assert len(replay.rows(select(schema.snapshots))) == taken
    replay.start()
    replay.take([event("session.started", START + 40 * DAY, id="much later")])
    assert len(replay.rows(select(schema.snapshots))) == taken + 3


def test_a_wrong_date_among_old_data_is_survived(replay):
    replay.take([started(START), event("session.started", START + 900 * DAY, id="wrong"), cancelled(START + DAY)])
    assert replay.applied == 3


def test_a_new_model_moves_everybody_and_is_named_for_it(wall):
    for number in range(5):
        wall.take([event("session.started", account=f"acme:customer:{number}", id=str(number))], f"acc_{number}")
    wall.learned(version=1, base_rate=0.5)
    told = len(wall.healths)
    wall.tick()
    moved = wall.healths[told:]
    assert {health.account for health in moved} == {f"acc_{number}" for number in range(5)}
    assert all(health.model_version == 1 and health.causes == [] for health in moved)
    for health in moved:
        assert "model" in {driver.name for driver in health.moved_by}
        assert sum(driver.points for driver in health.moved_by) == pytest.approx(health.health - health.was, abs=0.2)
    assert wall.tick() is None


def test_a_new_model_that_moves_nobody_is_looked_at_once(wall):
    wall.take([event("session.started")])
    wall.learned(version=1)
    told = len(wall.healths)
    wall.tick()
    assert len(wall.healths) == told
    assert wall.rows(select(schema.accounts.c.model_version)) == [(1,)]
    assert wall.tick() is None


def test_accounts_last_told_of_by_many_different_models_are_all_compared_with_theirs(wall):
    for version in range(1, 31):
        wall.learned(version, base_rate=0.1 + version / 100)
        wall.take([event("session.started", account=f"acme:customer:{version}", id=str(version))], f"acc_{version}")
    assert {health.model_version for health in wall.healths} == set(range(1, 31))
    wall.learned(31)
    while wall.tick() is not None:
        pass
    told = {health.account for health in wall.healths if health.model_version == 31}
    assert told == {f"acc_{version}" for version in range(1, 31)}


def test_a_model_handed_over_is_used_and_one_that_is_gone_leaves_the_scorecard(wall):
    model = fresh(wall.config)
    model.version = 7
    wall.rescore.use(model)
    wall.take([event("session.started")])
    assert wall.healths[-1].model_version == 7
    for version in range(100, 120):
        wall.rescore._scorers._keep(version, wall.rescore._scorers.plain)
    wall.take([event("dispute.opened"), event("invoice.failed"), event("contact.left")])
    assert wall.healths[-1].model_version == 0


def test_a_midnight_belongs_to_the_day_it_ends():
    assert day_of(10 * DAY) == 9
    assert day_of(10 * DAY + 1) == 10


def test_a_batch_is_cut_where_a_partition_passes_midnight(wall):
    def taken(partition, day):
        record = wall.record("acc_1", b"")._replace(partition=partition)
        return Taken(event("note.logged"), f"acc_{partition}", (day + 0.5) * DAY, b"", record)

    log = [taken(0, 1), taken(1, 5), taken(0, 1), taken(0, 2), taken(1, 5), taken(0, 4), taken(0, 3), taken(1, 6)]
    first, second, third = rounds(log, {})
    assert [one.midnights for one in (first, second, third)] == [
        [],
        [(2 * DAY, [0]), (6 * DAY, [1])],
        [(3 * DAY, [0]), (4 * DAY, [0])],
    ]
    assert [len(one.events) for one in (first, second, third)] == [4, 2, 2]


def test_the_default_configuration_is_what_is_tested():
    assert load().scorecard.outcome.horizon == 60 * DAY
