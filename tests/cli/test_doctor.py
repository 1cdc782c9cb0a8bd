"""What the doctor sees, on both engines, and what it says to do."""

import asyncio
import socket
import sqlite3
from functools import partial

import pytest

from hub.cli.checks import servers
from hub.cli.checks.spelling import misspelt
from hub.store import schema
from hub.store.database import Database
from hub.store.heartbeats import Heartbeats
from tests import engines
from tests.backup import kit
from tests.e2e.kit import document
from tests.engines import engine  # noqa: F401 - a fixture
from tests.streams.kafka.cluster import cluster


def says(told, name, state=None):
    """What was said of one thing."""
    return [one["says"] for one in told["checks"] if one["name"] == name and state in (None, one["state"])]


def examined(ours, status=0, **more):
    given = {"PULSEHUB_DATABASE_URL": ours.database, "PULSEHUB_BROKER_URL": ours.stream} | more
    return document(ours.data, "doctor", settings=given, status=status)


@pytest.fixture
def large(engine, tmp_path):  # noqa: F811
    with cluster() as broker:
        ours = kit.settings(tmp_path, engines.url(tmp_path), broker, partitions=4)
        kit.score(ours, range(100))
        yield ours


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_the_books_of_the_large_engine_balance_and_its_parts_are_told(large):
    told = examined(large, status=1)  # for nobody works on it
    assert [one["name"] for one in told["checks"] if one["state"] == "wrong"] == ["processes"]
    assert (told["received"], told["applied"], told["pending"]) == (100, 100, 0)
    assert says(told, "books", "ok")
    assert says(told, "database", "ok")
    assert says(told, "log", "ok") == ["4 partitions of each topic"]
    assert any(f"schema {schema.VERSION}" in one for one in says(told, "schema"))


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_processes_and_their_versions_are_told(large):
    async def two():
        with Database(large.database) as database:
            beats = [
                Heartbeats(database, "worker", version, partial(dict, failed=failed), id=f"host:{version}:1")
                for version, failed in (("1.0", None), ("1.1", "the disk is full"))
            ]
            for one in beats:
                await one.beat()

    asyncio.run(two())
    told = examined(large, status=1)
    assert any("1.0, 1.1" in one for one in says(told, "processes", "note"))
    assert any("the disk is full" in one for one in says(told, "processes", "wrong"))


def test_what_does_not_answer_is_named_and_keeps_its_password(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    database = f"postgresql://me:s3cr3t@127.0.0.1:{port}/pulsehub"
    told = document(
        tmp_path,
        "doctor",
        settings={
            "PULSEHUB_DATABASE_URL": database,
            "PULSEHUB_BROKER_URL": f"kafka://127.0.0.1:{port}/x",
            "PULSEHUB_REDIS_URL": f"redis://:s3cr3t@127.0.0.1:{port}",
            "PULSEHUB_SMTP_URL": f"smtp://127.0.0.1:{port}",
        },
        status=1,
    )
    assert any("see that it runs" in one for one in says(told, "installation", "wrong"))
    assert says(told, "redis", "wrong")
    assert says(told, "smtp", "wrong")
    assert "s3cr3t" not in str(told)


@pytest.mark.parametrize("url", ["smtp://host:port", "mail.example", "smtp://"])
def test_a_mail_server_that_cannot_be_read_is_a_sentence(tmp_path, url):
    told = document(tmp_path, "doctor", settings={"PULSEHUB_SMTP_URL": url}, status=1)
    assert any("PULSEHUB_SMTP_URL" in one for one in says(told, "settings", "wrong"))


def test_slips_and_short_tokens_are_warned_of(tmp_path):
    given = {"PULSEHUB_DATABSE_URL": "x", "PULSEHUB_STRPE_API_KEY": "x", "PULSEHUB_API_TOKEN": "hunter2"}
    told = document(tmp_path, "doctor", settings=given)
    notes = says(told, "settings", "note")
    assert any("PULSEHUB_DATABASE_URL" in one for one in notes)
    assert any("PULSEHUB_STRIPE_API_KEY" in one for one in notes)
    assert any("openssl" in one for one in notes)
    assert "hunter2" not in str(told)


@pytest.mark.parametrize(
    "name", ["PULSEHUB_DATABASE_URL", "PULSEHUB_CONFIG", "PULSEHUB_STRIPE_ANYTHING", "PULSEHUB_PARCEL_ON"]
)
def test_what_is_right_or_a_strangers_is_no_slip(name):
    assert misspelt([name], ["stripe", "segment"]) == {}


@pytest.mark.parametrize(("theirs", "state"), [(100.0, "ok"), (101.9, "ok"), (103.0, "note"), (90.0, "note")])
def test_a_clock_that_is_off_is_said(theirs, state):
    assert servers._clock("database", theirs, 99.9, 100.1).state == state


def test_a_log_that_lost_records_unread_is_wrong_until_they_are_given_up(tmp_path):
    ours = kit.settings(tmp_path)
    kit.score(ours, range(50))
    with kit.opened(ours) as (database, log):
        kit.append(kit.Intake(log, database), range(50, 80))
        log.trim(1e12, {})
    told = examined(ours, status=1)
    assert any("--give-up" in one for one in says(told, "log", "wrong"))
    given = document(tmp_path, "streams", "--give-up")
    assert sum(one["records"] for one in given["given_up"] if one["topic"] == "events") == 30
    told = examined(ours)
    assert (told["ok"], told["applied"], told["dead_lettered"]) == (True, 50, 30)
    assert any("30 of the dead-lettered" in one for one in says(told, "books", "note"))


def test_a_database_and_a_log_of_two_installations_are_told_apart(tmp_path):
    ours = kit.settings(tmp_path, partitions=2)
    kit.score(ours, range(10))
    kit.change(tmp_path / "hub.db", "update offsets set partition = partition + 6")
    told = examined(ours, status=1)
    assert any("not of one installation" in one for one in says(told, "log", "wrong"))


def test_it_makes_and_changes_nothing(tmp_path):
    told = document(tmp_path / "data", "doctor")
    assert told["ok"]
    assert not (tmp_path / "data").exists()
    ours = kit.settings(tmp_path / "old")
    kit.score(ours, range(5))
    with sqlite3.connect(tmp_path / "old" / "hub.db") as connection:
        connection.execute("update meta set value = 1 where key in ('schema', 'speaks')")
    told = examined(ours)
    assert any("pulsehub migrate" in one for one in says(told, "schema", "note"))
    with sqlite3.connect(tmp_path / "old" / "hub.db") as connection:
        assert connection.execute("select value from meta where key = 'schema'").fetchone() == ("1",)
