"""Whatever losing a customer means, a label is what the events say: held to a reckoning that knows nothing but them."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from hub.store import schema
from scoring.archive import Stale, forget
from scoring.clock import DAY
from scoring.config import Config
from scoring.explaining.explain import explain
from scoring.measures import MeasureSet
from scoring.proof.story import Story
from scoring.ways import Cancelled, Contraction, NotRenewed, Silent
from tests.scoring.room import START, Room, event

MIDNIGHT = START - START % DAY
MEASURES = [
    {"name": "mrr", "family": "entities", "entity": "subscription", "read": "sum"},
    {"name": "seats", "family": "last", "of": "properties.seats", "kinds": ["subscription.changed"]},
    {"name": "open", "family": "gauge", "kinds": {"chat.opened": 1, "chat.closed": -1}},
    {
        "name": "renewal",
        "family": "date",
        "read": "until",
        "of": "properties.renewal_on",
        "kinds": ["contract.renewed"],
    },
]
WAYS = {
    "cancelled": [{"cancelled": "subscription.cancelled"}],
    "silent": [{"silent": ["usage.tracked", "chat.opened"]}],
    "silent for less": [{"silent": "usage.tracked", "after": "3d"}],
    "not renewed": [{"not_renewed": "renewal", "grace": "2d"}],
    "not renewed at once": [{"not_renewed": "renewal"}],
    "contraction": [{"contraction": "mrr", "by": "20%"}],
    "fewer seats": [{"contraction": "seats", "by": "50%"}],
    "fewer chats": [{"contraction": "open", "by": "34%"}],
}
WAYS["any of them"] = [one for some in list(WAYS.values()) for one in some][1:8]
WAYS["any that leaves"] = [*WAYS["silent for less"], *WAYS["contraction"], *WAYS["fewer seats"], *WAYS["fewer chats"]]
WAYS["two silences"] = [*WAYS["silent"], *WAYS["silent for less"]]
BACK = ["subscription.started"]


def config(ways, horizon=8, every=2):
    common = {"dimension": "any", "label": "{n}", "direction": "up"}
    card = {
        "dimensions": [
            {"name": "any", "weight": 1, "measures": [{"measure": "mrr", "weight": 1, "low": 0, "high": 1}]}
        ],
        "outcome": {"any": ways, "back": BACK, "horizon": f"{horizon}d", "every": f"{every}d"},
    }
    return Config.model_validate({"measures": [common | one for one in MEASURES], "scorecard": card})


# --- the reckoning --------------------------------------------------------------------------------------------------


def when(one):
    return one.occurred_at.timestamp()


def renewal(events, until):
    said = [
        (when(e), _midnight(e.properties["renewal_on"]))
        for e in events
        if e.kind == "contract.renewed" and when(e) <= until
    ]
    return max(said)[1] if said else np.nan


def _midnight(day):
    return np.datetime64(day).astype("datetime64[s]").astype(float)


def stands(events, name, until):
    """What a number stood at, nan unless anybody knows."""
    some = sorted((e for e in events if when(e) <= until), key=lambda e: (when(e), e.id))
    if name == "open":
        level = sum({"chat.opened": 1, "chat.closed": -1}.get(e.kind, 0) for e in some)
        return float(max(level, 0))
    if name == "seats":
        said = [(when(e), e.properties["seats"]) for e in some if e.kind == "subscription.changed"]
        return float(max(said)[1]) if said else np.nan
    status, worth = {}, {}
    for e in some:
        if e.kind.startswith("subscription."):
            if e.kind != "subscription.changed":
                status[e.entity] = e.kind
            if e.amount is not None:
                worth[e.entity] = float(e.amount)
    return sum(value for what, value in worth.items() if status.get(what) != "subscription.cancelled")


def truth(ways, events, at, end):
    """Whether a customer of these events was lost in (at, end]."""

    def one(way):
        match way:
            case Cancelled():
                return any(at < when(e) <= end for e in events if e.kind in way.cancelled)
            case Silent():
                begins = max(at, end - way.after)
                return not any(begins < when(e) <= end for e in events if e.kind in way.silent)
            case NotRenewed():
                return bool(renewal(events, end) + way.grace <= end)
            case Contraction():
                was, now = stands(events, way.contraction, at), stands(events, way.contraction, end)
                return bool(was > 0 and now < was * (1 - way.by) - 1e-3)

    return any(map(one, ways))


# --- what happens ---------------------------------------------------------------------------------------------------


def happening(chance, at, number, whose="1"):
    kind = chance.choice(
        ["usage.tracked"] * 3
        + ["subscription.changed"] * 3
        + ["contract.renewed"] * 2
        + [
            "chat.opened",
            "chat.opened",
            "chat.closed",
            "chat.closed",
            "subscription.cancelled",
            "subscription.started",
            "note.logged",
        ]
    )
    more = {"account": f"acme:customer:{whose}"}
    if kind.startswith("subscription."):
        more["entity"] = f"acme:subscription:{whose}{chance.choice('ab')}"
        if kind != "subscription.cancelled":
            more |= {"amount": chance.choice([50, 60, 70, 80, 100, 125]), "currency": "EUR"}
        more["properties"] = {"seats": chance.choice([2, 5, 10, 12])}
    if kind == "contract.renewed":
        day = np.datetime64(int(at), "s") + np.timedelta64(chance.randint(0, 9), "D")
        more["properties"] = {"renewal_on": str(day)[:10]}
    return event(kind, at, id=f"{whose}:{number}", **more)


def story(seed, days=24, whose="1", per_day=1.2):
    """(event, when it is heard of), by when it is heard of: some are days late."""
    chance, told, at = random.Random(seed), [], START - 3 * DAY
    for number in itertools.count():
        at += chance.expovariate(per_day) * DAY
        if at > START + days * DAY:
            break
        late = chance.choice([0.0, 0.0, 0.0, chance.uniform(0.0, 5.0)]) * DAY
        told.append((happening(chance, round(at), number, whose), max(at, START) + late))
    return sorted(told, key=lambda pair: pair[1])


def a_story(ways):
    """The first one of whose looks some end lost and some kept."""
    for seed in itertools.count():
        told = story(seed)
        events, looks = [one for one, _ in told], [START + (0.5 + 2 * number) * DAY for number in range(10)]
        if 3 <= sum(truth(ways, events, at, at + 8 * DAY) for at in looks) <= 7:
            return told
    raise AssertionError


# --- the stored past, told at once ----------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(WAYS)), st.integers(0, 10_000), st.sampled_from([2.0, 8.0, 9.5]))
def test_of_a_past_told_as_a_whole_the_labels_are_what_the_events_say(name, seed, span):
    declared = config(WAYS[name], horizon=max(span, 3.0))
    outcome = declared.scorecard.outcome
    told, events = Story(MeasureSet(declared)), [one for one, _ in story(seed)]
    if not events:
        return
    told.tell(events, ["a"] * len(events))
    past = told.end()
    for day in range(-3, 24, 2):
        at = MIDNIGHT + day * DAY
        for horizon in (outcome.horizon, outcome.horizon / 2.0):
            wanted = truth(outcome.ways, events, at, at + horizon)
            assert past.lost(np.array([0]), at, outcome, horizon).tolist() == [wanted]
        if past.lost(np.array([0]), at, outcome)[0]:
            assert past.lost_at(np.array([0]), at, outcome)[0] <= at + outcome.horizon


# --- production, on both engines --------------------------------------------------------------------------------------


def live(room, queue, days=36, step=0.5, heard=()):
    """Let everything be heard of in its time; each label with the moment at which it was told, and what was known."""
    heard, found, until = list(heard), [], room.now + days * DAY
    while room.now < until:
        room.now += step * DAY
        while queue and queue[0][1] <= room.now - step * DAY / 4:
            one, _ = queue.pop(0)
            room.take([one])
            heard.append(one)
        before = len(room._labels)
        while room.tick() is not None:
            pass
        found += [(label, room.now, list(heard)) for label in room._labels[before:]]
    return found


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.usefixtures("engine")
def test_labels_are_what_the_events_say_that_were_heard_of_by_then_however_late(tmp_path, name):
    declared = config(WAYS[name])
    ways, room = declared.scorecard.outcome.ways, Room(tmp_path, config=declared)
    found = live(room, a_story(ways))
    room.close()
    assert len([label for label, _, _ in found if not label.early]) >= 3  # of who has left nothing is predicted
    for label, now, heard in found:
        assert label.matured_at == label.at + (4 if label.early else 8) * DAY  # whichever way it ended
        assert now >= label.matured_at
        assert label.lost is truth(ways, heard, label.at, label.matured_at), (label.at, label.early)
    assert len({label.lost for label, _, _ in found}) == 2, "a story in which nothing is decided proves little"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.usefixtures("engine")
def test_after_a_merge_labels_are_what_the_events_of_both_say(tmp_path, seed):
    declared = config(WAYS["any that leaves"])
    ways, room = declared.scorecard.outcome.ways, Room(tmp_path, config=declared)
    mine, theirs = story(seed), story(seed + 100, whose="2")
    everything = [one for one, _ in mine]
    others = [one for one, at in theirs if when(one) <= START]
    room.take(others, "acc_2")
    live(room, mine, days=12)
    late = [one for one, at in theirs if START < at <= room.now]
    room.take(late, "acc_2")
    others += late
    taken = everything[: len(everything) - len(mine)]
    said = {"absorbed": "acc_2", "why": "told so"}
    room.take([event("account.merged", room.now, account="acc_1", connection="pulsehub", properties=said)])
    after = live(room, mine, days=25, heard=[*taken, *others])
    room.close()
    ours = [one for one in after if one[0].account == "acc_1"]
    assert [label for label, _, _ in ours if not label.early and label.at < START + 12 * DAY]
    for label, _, heard in ours:
        assert label.lost is truth(ways, heard, label.at, label.matured_at), (label.at, label.early)


@pytest.mark.parametrize("name", ["cancelled", "silent for less", "any of them"])
@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_by_event_time_labels_are_what_the_events_say_wherever_the_log_is_cut(tmp_path, name, size):
    declared = config(WAYS[name], horizon=7)  # of which half is no whole day
    ways, room = declared.scorecard.outcome.ways, Room(tmp_path, clock="event", now=START + 90 * DAY, config=declared)
    events = sorted((one for one, _ in story(5, per_day=3.0)), key=when)
    events.append(event("note.logged", START + 40 * DAY, id="end"))
    for start in range(0, len(events), size):
        room.take(events[start : start + size])
    labels = room._labels
    room.close()
    assert len(labels) >= 10
    for label in labels:
        assert label.lost is truth(ways, events, label.at, label.matured_at), (label.at, label.early)


@pytest.mark.usefixtures("engine")
def test_beyond_the_archives_reach_a_number_is_compared_with_what_was_put_on_record(tmp_path):
    declared = config(WAYS["contraction"])
    room = Room(tmp_path, config=declared)

    def pays(name, amount, at):
        kind = "subscription.changed" if name.startswith("changed") else "subscription.started"
        return event(kind, at, id=name, entity=f"acme:subscription:{name[-1]}", amount=amount, currency="EUR")

    room.take([pays("started a", 100, START), pays("started b", 100, START)])
    room.pass_days(5)
    rows = [row for (row,) in room.rows(select(schema.archive.c.row))]
    room.database.write(lambda connection: forget(connection, Stale(rows, []))).result()
    room.take([pays("changed a", 50, room.now)])
    room.pass_days(12)
    first = [label for label in room.labels if label.at < START + 5 * DAY]
    assert first
    assert all(label.lost for label in first)
    assert not any(label.lost for label in room.labels if label.at > START + 5 * DAY)
    room.close()


@pytest.mark.usefixtures("engine")
def test_of_a_customer_whose_contract_has_run_out_nothing_is_predicted_until_it_is_renewed(tmp_path):
    room = Room(tmp_path, config=config(WAYS["not renewed"]))

    def renewed(day, until):
        on = str(np.datetime64(int(START + until * DAY), "s"))[:10]
        return event("contract.renewed", START + day * DAY, id=f"{day}", properties={"renewal_on": on})

    room.take([renewed(0, 5)])
    room.pass_days(12)
    assert room.healths[-1].band == "left"
    with room.database.read() as connection:
        left = explain(connection, "acc_1", room.config).left
    assert left == ("contract not renewed within 2 days of its end (renewal)", _midnight("2026-03-09"))
    taken = room.rows(select(schema.snapshots.c.at))
    room.pass_days(4)
    assert set(room.rows(select(schema.snapshots.c.at))) <= set(taken)
    room.take([renewed(16, 60)])
    assert room.healths[-1].band != "left"
    room.pass_days(5)
    assert max(room.rows(select(schema.snapshots.c.at))) > max(taken)
    room.close()


@pytest.mark.usefixtures("engine")
def test_an_account_nobody_holds_is_judged_by_the_archive(tmp_path):
    room = Room(tmp_path, config=config(WAYS["cancelled"]))
    room.take([event("usage.tracked", START, id="u")])
    room.pass_days(3)
    room.take([event("subscription.cancelled", room.now, id="c")])
    room.database.write(lambda connection: connection.execute(delete(schema.accounts))).result()
    room.start()
    room.pass_days(8)
    assert {label.lost for label in room.labels} == {True}
    room.close()
