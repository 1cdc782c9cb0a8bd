"""backup, restore, migrate, streams as people type them."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from hub.locking import Lock
from hub.settings import load
from hub.store import schema
from tests.backup import kit
from tests.e2e.kit import document, pulsehub
from tests.installations import installation


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Only to be read."""
    ours = kit.settings(tmp_path_factory.mktemp("scored"))
    kit.score(ours, range(200))
    return ours


def test_a_backup_comes_back_and_the_doctor_is_content(scored, tmp_path):
    taken = document(scored.data, "backup", tmp_path / "backup")
    assert (taken["rows"]["archive"], taken["unread"], taken["lost"]) == (200, {}, 0)
    home = tmp_path / "home"
    told = document(home, "restore", tmp_path / "backup")
    assert (told["applied"], told["pending"], told["balanced"], told["notes"]) == (200, 0, True, [])
    assert document(home, "doctor")["ok"]
    assert kit.rows(kit.settings(home)) == kit.rows(scored)


def test_another_clock_is_said(scored, tmp_path):
    document(scored.data, "backup", tmp_path / "backup")
    told = document(tmp_path / "home", "restore", tmp_path / "backup", settings={"PULSEHUB_CLOCK": "event"})
    assert any("PULSEHUB_CLOCK" in note for note in told["notes"])


def test_draining_takes_in_what_is_left_so_that_partitions_may_change(scored, tmp_path):
    ours = kit.settings(tmp_path / "ours")
    shutil.copytree(scored.data, ours.data, dirs_exist_ok=True)
    with kit.opened(ours) as (database, log):
        kit.append(kit.Intake(log, database), range(200, 300))
    kit.change(ours.data / "hub.db", "update offsets set next = next - 1 where room = 'sinks.fields' and next > 0")
    taken = document(ours.data, "backup", "--drain", tmp_path / "backup")
    assert taken["unread"] == {}
    home = tmp_path / "home"
    told = document(home, "restore", tmp_path / "backup", settings={"PULSEHUB_PARTITIONS": "5"})
    assert (told["applied"], told["pending"], told["balanced"]) == (300, 0, True)
    assert {one["partitions"] for one in document(home, "streams")["topics"]} == {5}


def test_nothing_is_restored_under_a_running_hub(run, scored, tmp_path):
    document(scored.data, "backup", tmp_path / "backup")
    with Lock(tmp_path / "home"):
        done = run(tmp_path / "home", "restore", tmp_path / "backup")
    assert (done.returncode, "already running" in done.stderr) == (1, True)


@pytest.mark.parametrize("command", ["backup", "streams"])
def test_without_an_installation_it_says_so_and_makes_none(run, tmp_path, command):
    more = [tmp_path / "backup"] if command == "backup" else []
    done = run(tmp_path / "data", command, *more)
    assert (done.returncode, "there is no installation" in done.stderr) == (1, True)
    assert not (tmp_path / "data").exists()


def test_what_is_no_backup_is_a_sentence_and_makes_nothing(run, tmp_path):
    done = run(tmp_path / "data", "restore", tmp_path)
    assert (done.returncode, "is no backup" in done.stderr) == (2, True)
    assert not (tmp_path / "data").exists()


LATER = [
    ("ledger", "parts"),
    ("snapshots", "half_due"),
    ("snapshots", "segment"),
    ("labels", "segment"),
    ("accounts", "expansion"),
]
"""Columns that release 0.1.0 did not have, by table."""


def older(folder):
    """An installation as release 0.1.0 left it."""
    with closing(sqlite3.connect(folder / "hub.db")) as connection:
        known = {name for (name,) in connection.execute("select name from sqlite_schema where type = 'table'")}
        later = {"bases", "counters", "leases", "processes", "overrides", "heard", "early_labels"}
        later |= {"expansions", "valuations", "worths", "backtests", "proposals"}
        for table in known & (later | {"alembic_version", "steps"}):
            connection.execute(f"drop table {table}")
        connection.execute("drop index if exists snapshots_half_due")
        for table, column in LATER:
            connection.execute(f"alter table {table} drop column {column}")
        connection.execute("delete from meta where key in ('speaks', 'partitions')")
        connection.execute("update meta set value = '1' where key = 'schema'")
        connection.commit()


def test_an_older_schema_is_brought_forward_and_the_backup_stays_as_it_is(scored, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(scored.data, old)
    older(old)
    checked = pulsehub(old, "migrate", "--check")
    assert (checked.returncode, f"makes it {schema.VERSION}" in checked.stdout) == (1, True)
    told = document(old, "migrate")
    assert (told["from"], told["to"], told["done"]) == (1, schema.VERSION, True)
    assert document(old, "migrate", "--check")["due"] is False
    without = tmp_path / "without"
    shutil.copytree(scored.data, without)
    for table, column in LATER:
        kit.change(without / "hub.db", f"update {table} set {column} = null")
    assert kit.rows(kit.settings(old)) == kit.rows(kit.settings(without))


def test_streams_tells_topics_rooms_and_lag(scored, tmp_path):
    ours = kit.settings(tmp_path / "ours")
    shutil.copytree(scored.data, ours.data, dirs_exist_ok=True)
    with kit.opened(ours) as (database, log):
        kit.append(kit.Intake(log, database), range(200, 230))
    told = document(ours.data, "streams")
    topics = {one["topic"]: one for one in told["topics"]}
    rooms = {one["room"]: one for one in told["rooms"]}
    assert (topics["events"]["ever"], topics["events"]["retention_days"], told["partitions"]) == (230, 7.0, 8)
    assert topics["events"]["bytes"] > 230
    assert (rooms["scoring.rescore"]["lag"], rooms["scoring.rescore"]["held"]) == (30, {})
    assert 0.0 < rooms["scoring.rescore"]["seconds"] < 60.0
    assert rooms["ingest.dead_letters"]["seconds"] == 0.0
    assert "lags" not in rooms["scoring.rescore"]
    (asked,) = [one for one in document(ours.data, "streams", "--by-partition")["rooms"] if one["topic"] == "events"]
    assert (len(asked["lags"]), sum(asked["lags"].values())) == (8, 30)
    assert topics["events"]["replicas"] is None
    words = pulsehub(ours.data, "streams").stdout
    assert "scoring.rescore" in words
    assert "nobody" in words


def test_on_the_large_engine_streams_are_told_and_a_backup_comes_home_to_files(tmp_path):
    with installation("large") as given:
        ours, _ = load({"PULSEHUB_DATA": str(tmp_path / "ours")} | given)
        kit.score(ours, range(100))
        with kit.opened(ours) as (database, log):
            kit.append(kit.Intake(log, database), range(100, 130))
        told = document(tmp_path, "streams", settings=given)
        topics = {one["topic"]: one for one in told["topics"]}
        rooms = {one["room"]: one for one in told["rooms"]}
        assert (topics["events"]["ever"], topics["events"]["retention_days"], told["partitions"]) == (130, 7.0, 8)
        assert (rooms["scoring.rescore"]["lag"], rooms["scoring.rescore"]["held"]) == (30, {})
        taken = document(tmp_path, "backup", "--drain", tmp_path / "backup", settings=given)
        assert (taken["rows"]["archive"], taken["unread"], taken["lost"]) == (130, {}, 0)
        there = kit.rows(ours)
    home = tmp_path / "home"
    told = document(home, "restore", tmp_path / "backup")
    assert (told["applied"], told["pending"], told["balanced"]) == (130, 0, True)
    assert kit.rows(kit.settings(home)) == there
