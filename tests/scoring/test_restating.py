"""A measure is added or changed where there is data already: it is folded from the archive, and never a wrong zero."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sqlalchemy import delete, update

import scoring.rescore
from hub.store import schema
from scoring import folds
from scoring.accounts import measures_of, remember, stored
from scoring.clock import DAY
from scoring.config import Config
from scoring.explaining.explain import explain
from scoring.loading import load
from scoring.restating import behind
from scoring.rows import FOLDS, Layout
from scoring.scorers import Scorers
from tests.scoring.room import START, Room, event

pytestmark = pytest.mark.usefixtures("engine")
ACCOUNTS = [f"acc_{n}" for n in range(5)]
OLD = load()
SLOW = {
    "name": "slow_exports",
    "family": "count",
    "kinds": ["usage.tracked"],
    "where": {"event": "slow"},
    "half_life": "30d",
    "dimension": "support",
    "label": "{n} slow exports",
    "direction": "down",
}


def changed(*more, outcome=None):
    body = OLD.model_dump()
    named = {measure["name"] for measure in more}
    body["measures"] = [*(m for m in body["measures"] if m["name"] not in named), *more]
    weighed = [{"measure": measure["name"], "weight": 1, "low": 5, "high": 0} for measure in more]
    dimensions = body["scorecard"]["dimensions"]
    body["scorecard"]["dimensions"] = (
        [*dimensions, {"name": "more", "weight": 2, "measures": weighed}] if more else dimensions
    )
    body["scorecard"]["outcome"] |= outcome or {}
    if "mrr" in named:  # what it becomes here moves as time passes, so nobody is asked who pays more
        body["scorecard"].pop("expansion", None)
    return Config.model_validate(body)


def lived(room):
    for number, account in enumerate(ACCOUNTS):
        story = [
            event(
                "usage.tracked",
                START - (day + number) * DAY,
                account=f"acme:customer:{number}",
                contact=f"acme:user:{number}-{day % 3}",
                properties={"event": "slow" if day % 2 else "fast", "renewal_on": "2026-12-24"},
                id=f"{account}:{day}",
            )
            for day in range(0, 90, 7)
        ]
        mine = {"account": f"acme:customer:{number}"}
        story.append(event("ticket.opened", START - 9 * DAY, entity=f"acme:ticket:{number}", id=f"{account}:t", **mine))
        paid = {"entity": f"acme:subscription:{number}", "amount": 70, **mine}
        story.append(event("subscription.started", START - 80 * DAY, id=f"{account}:s", **paid))
        for first, last in itertools.pairwise([0, 5, len(story)]):
            room.take(story[first:last], account)


@pytest.fixture
def room(tmp_path):
    room = Room(tmp_path / "one", config=OLD)
    lived(room)
    yield room
    room.close()


@pytest.fixture
def wanted(tmp_path):
    """What accounts come to where the configuration was there from the beginning."""

    def come_to(config):
        other = Room(tmp_path / "other", config=config)
        lived(other)
        found = {account: other.measures(account) for account in ACCOUNTS}
        other.close()
        return found

    return come_to


@pytest.fixture(autouse=True)
def folder(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()


def restarted(room, config):
    room.config = config
    room.start()


def settled(room):
    looks = 0
    while room.tick() is not None:
        looks += 1
    return looks


def same(room, wanted):
    for account in ACCOUNTS:
        assert room.measures(account) == pytest.approx(wanted[account], rel=1e-9, nan_ok=True), account


@pytest.mark.parametrize(
    "config",
    [
        changed(SLOW),
        changed(SLOW | {"family": "exact", "window": "60d"}),
        changed(SLOW | {"family": "last", "of": "properties.none"}),
        changed(
            SLOW | {"name": "renewal", "family": "date", "read": "until", "of": "properties.renewal_on", "where": {}}
        ),
        changed(OLD.measures[0].model_dump() | {"kinds": {"ticket.opened": 2.0}}),  # of the same name and layout
        changed(OLD.measures[0].model_dump() | {"half_life": "3d"}),
        changed({m.name: m for m in OLD.measures}["mrr"].model_dump() | {"entity": "ticket", "read": "open"}),
        changed({m.name: m for m in OLD.measures}["active_people"].model_dump() | {"registers": 64}),
        changed(SLOW, SLOW | {"name": "slower", "half_life": "1d"}),
    ],
    ids=["count", "exact", "last", "date", "other kinds", "other half-life", "entities", "registers", "two"],
)
def test_it_comes_to_what_it_would_be_had_it_been_there_from_the_beginning(room, wanted, config):
    restarted(room, config)
    assert settled(room)
    same(room, wanted(config))


def test_until_it_is_folded_an_account_stands_as_it_was_judged_and_never_on_a_zero(room, wanted):
    config = changed(SLOW)
    before = len(room.healths)
    restarted(room, config)
    assert len(room.healths) == before  # nobody was judged by what is not folded
    room.take([event("usage.tracked", account="acme:customer:1", properties={"event": "fast"}, id="x")], "acc_1")
    expected = wanted(config)["acc_1"]["slow_exports"]
    assert room.measures("acc_1")["slow_exports"] == pytest.approx(expected)
    assert [one.account for one in room.healths[before:]] in (["acc_1"], [])
    for one in room.healths[before:]:
        assert one.config_version == config.version


def test_who_looks_before_that_sees_the_right_number(room, wanted):
    config = changed(SLOW)
    restarted(room, config)
    with room.database.read() as connection:
        why = explain(connection, "acc_2", config)
    assert {m.name: m.value for m in why.measures}["slow_exports"] == pytest.approx(
        wanted(config)["acc_2"]["slow_exports"]
    )


def test_it_is_done_little_by_little_and_goes_on_where_it_was(room, wanted, monkeypatch):
    monkeypatch.setattr(scoring.rescore, "_EVENTS", 30.0)
    config = changed(SLOW)
    measures = measures_of(config, Scorers(config).names)

    def waiting():
        with room.database.read() as connection:
            rows = [stored(connection, account, measures.layout) for account in ACCOUNTS]
        return sum(len(behind(row, measures)) for row in rows)

    restarted(room, config)
    left = [waiting()]
    while left[-1]:
        room.tick()
        left.append(waiting())
        if len(left) == 3:
            restarted(room, config)  # killed in the middle
    assert left[0] == len(ACCOUNTS)
    assert len(left) > 3
    assert left == sorted(left, reverse=True)
    same(room, wanted(config))


def test_what_was_there_all_along_stays_though_the_archive_is_gone(room):
    before = {account: room.measures(account) for account in ACCOUNTS}
    room.database.write(lambda connection: connection.execute(delete(schema.archive))).result()
    held = {"name": "tickets_there", "family": "entities", "entity": "ticket", "read": "open"}
    held |= {"dimension": "support", "label": "{n}", "direction": "down"}
    restarted(room, changed(SLOW, held))
    settled(room)
    for account in ACCOUNTS:
        after = room.measures(account)
        assert after.pop("slow_exports") == 0
        assert after.pop("tickets_there") == 1  # things are known by their last state
        assert after == pytest.approx(before[account], nan_ok=True)


def test_what_only_says_or_weighs_otherwise_folds_nothing(room):
    said = OLD.measures[0].model_dump() | {"label": "{n} clicks", "zero": "none", "unit": "clicks"}
    config = changed(said)
    assert folds.number(folds.folds(config)) == folds.number(folds.folds(OLD))


def test_a_row_of_before_there_were_versions_holds_what_was_in_use_then(room, wanted):
    """As release 0.1 left it: the row has no such field, and only the configuration is remembered."""
    measures = measures_of(OLD, Scorers(OLD).names)
    older = Layout([])
    older.dtype = np.dtype([d for d in measures.dtype.descr if d[0] not in (FOLDS, "") and "override" not in d[0]])

    def back(connection):
        connection.execute(delete(schema.meta).where(schema.meta.c.key.like("folds:%")))
        remember(connection, older)
        for account in ACCOUNTS:
            row, out = stored(connection, account, measures.layout), np.zeros(1, older.dtype)
            for name in older.dtype.names:
                out[name] = row[name]
            out["layout"] = older.stamp
            values = {"state": out.tobytes()}
            connection.execute(update(schema.accounts).where(schema.accounts.c.id == account).values(values))

    room.database.write(back).result()
    config = changed(SLOW)
    with room.database.read() as connection:  # who only looks, before anybody has scored
        assert folds.lacking(connection, folds.BEFORE, folds.folds(config)) == {"slow_exports"}
    restarted(room, config)
    settled(room)
    same(room, wanted(config))
    restarted(room, config)
    assert room.tick() is None


def test_a_row_that_nobody_can_read_any_more_is_folded_anew(room, wanted):
    state = {"state": b"unreadable" * 9}
    room.database.write(lambda c: c.execute(update(schema.accounts).values(state))).result()
    restarted(room, OLD)
    settled(room)
    same(room, wanted(OLD))


def test_what_losing_a_customer_means_is_folded_anew_too(room):
    room.take([event("contact.left", START - DAY, account="acme:customer:3", id="left")], "acc_3")
    assert room.healths[-1].band != "left"
    restarted(room, changed(outcome={"kinds": ["contact.left"]}))
    settled(room)
    assert [one.account for one in room.healths if one.band == "left"] == ["acc_3"]


def test_accounts_that_are_merged_before_they_are_folded_anew_lose_nothing(room, wanted):
    config = changed(SLOW)
    expected = wanted(config)
    restarted(room, config)
    room.database.write(  # beyond the archive's reach: rows are added up
        lambda connection: connection.execute(delete(schema.archive).where(schema.archive.c.event == "acc_1:t"))
    ).result()
    room.take([event("account.merged", account="acc_0", properties={"absorbed": "acc_1"}, id="m")], "acc_0")
    settled(room)
    both = expected["acc_0"]["slow_exports"] + expected["acc_1"]["slow_exports"]
    assert room.measures("acc_0")["slow_exports"] == pytest.approx(both)
