"""A backup comes back, on every engine and any number of partitions, and goes on."""

import shutil

import pytest
from sqlalchemy import select

from hub.sdk.errors import ConfigError
from hub.store import schema
from hub.store.database import Database
from hub.streams.topics import partition_of
from tests.backup import kit


@pytest.mark.parametrize("partitions", [8, 3, 32])
def test_it_comes_back_on_every_engine_and_goes_on(url, taken, scored, tmp_path, partitions):
    ours = kit.settings(tmp_path, url(tmp_path), partitions=partitions)
    done = kit.bring_back(taken, ours)
    assert done.books.balanced
    assert kit.rows(ours) == kit.rows(scored)
    before, after = kit.accounted(scored), kit.accounted(ours)
    assert before == after
    goes_on(ours, scored)


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_it_moves_to_the_large_engine_and_back(large, taken, scored, tmp_path):
    assert kit.bring_back(taken, large).books.balanced
    assert kit.rows(large) == kit.rows(scored)
    goes_on(large, scored)
    kit.backup(large, tmp_path / "again")
    home = kit.settings(tmp_path / "home", partitions=8)
    done = kit.bring_back(tmp_path / "again", home)
    assert (done.manifest.engine, done.manifest.stream, done.manifest.partitions) == ("postgresql", "kafka", 16)
    assert kit.rows(home) == kit.rows(large)
    assert kit.score(home, range(1_000, 1_050)).applied == 1_050


def goes_on(ours, scored):
    """It takes repeats for what they are and scores what is new; new messages are numbered above all there were."""
    ledger = schema.ledger
    with Database(ours.database) as database, database.read() as connection:
        before = connection.execute(select(ledger.c.partition, ledger.c.sequence)).all()
        accounts = connection.execute(select(schema.accounts.c.id, schema.accounts.c.partition)).all()
    assert all(partition == partition_of(account.encode(), ours.partitions) for account, partition in accounts)
    books = kit.score(ours, range(850, 1_000))
    assert (books.applied, books.duplicates, books.pending, books.balanced) == (1_000, 150, 0, True)
    assert kit.accounted(ours)[1]
    with Database(ours.database) as database, database.read() as connection:
        after = connection.execute(select(ledger.c.partition, ledger.c.sequence)).all()
    new = set(map(tuple, after)) - set(map(tuple, before))
    assert new
    if ours.partitions != 8:
        assert min(sequence for _, sequence in new) > max(sequence for _, sequence in before)


@pytest.mark.parametrize("partitions", [8, 3])
def test_events_that_were_not_scored_yet_are_scored_afterwards(scored, tmp_path, partitions):
    ours = copy(scored, tmp_path / "ours")
    with kit.opened(ours) as (database, log):
        kit.append(kit.Intake(log, database), range(2_000, 2_300))
    manifest = kit.backup(ours, tmp_path / "backup")
    assert manifest.unread == {"events": 300}
    home = kit.settings(tmp_path / "home", partitions=partitions)
    done = kit.bring_back(tmp_path / "backup", home)
    assert (done.records, done.books.pending, done.books.balanced) == ({"events": 300}, 300, True)
    books = kit.score(home, [])
    assert (books.applied, books.pending, books.balanced) == (1_200, 0, True)


def test_messages_nobody_read_need_the_same_number_of_partitions(scored, tmp_path):
    ours = copy(scored, tmp_path / "ours")
    kit.change(tmp_path / "ours" / "hub.db", "update outlets set published = published - 1 where next > 2")
    kit.backup(ours, tmp_path / "backup")
    with pytest.raises(ConfigError, match="--drain"):
        kit.bring_back(tmp_path / "backup", kit.settings(tmp_path / "home", partitions=5))
    assert kit.bring_back(tmp_path / "backup", kit.settings(tmp_path / "other", partitions=8)).books.balanced


def test_a_slower_room_goes_on_with_its_own_record(scored, tmp_path):
    ours = copy(scored, tmp_path / "ours")
    slow = "update offsets set next = next - 1 where room = 'success.alerts' and next > 2"
    kit.change(tmp_path / "ours" / "hub.db", slow)
    with kit.opened(ours) as (_, log):
        log.trim(1e12, {})  # compacted: what it had yet to read may be superseded
        wanted = log.starts("health")
    kit.backup(ours, tmp_path / "backup")
    home = kit.settings(tmp_path / "home", partitions=8)
    kit.bring_back(tmp_path / "backup", home)
    with kit.opened(home) as (_, log):
        assert wanted.keys() == log.starts("health").keys()
    assert kit.score(home, [], range(3_000, 3_100)).balanced


def test_nothing_is_written_over(taken, scored, tmp_path):
    ours = copy(scored, tmp_path / "ours")
    with pytest.raises(ConfigError, match=r"is not empty \(.* of archive"):
        kit.bring_back(taken, ours)
    assert kit.rows(ours) == kit.rows(scored)
    log_only = kit.settings(tmp_path / "log", partitions=8)
    with kit.opened(log_only) as (database, log):
        for spec in kit.ALL:
            log.declare(spec)
        kit.append(kit.Intake(log, database), range(10))
    with pytest.raises(ConfigError, match="10 of events"):
        kit.bring_back(taken, log_only)


@pytest.mark.parametrize("file", ["hub.db", "streams.db", "manifest.json"])
def test_a_damaged_backup_is_refused_before_anything_is_written(taken, tmp_path, file):
    broken = tmp_path / "broken"
    shutil.copytree(taken, broken)
    if file == "manifest.json":
        (broken / file).unlink()
    elif file == "hub.db":
        kit.change(broken / file, "update accounts set health = health + 1 where rowid = 1")
    else:
        kit.change(broken / file, "update partitions set next = next + 1, start = start + 1")
    home = kit.settings(tmp_path / "home", partitions=8)
    with pytest.raises(ConfigError, match=r"damaged|cut off"):
        kit.bring_back(broken, home)
    assert not (tmp_path / "home" / "streams.db").exists()


def test_an_attempt_that_failed_after_the_log_may_be_repeated(taken, tmp_path, scored):
    home = kit.settings(tmp_path / "home", partitions=8)
    calls = []

    def fail(what, _done, _of):
        calls.append(what)
        if what == "writing":
            raise RuntimeError("the disk is full, say")

    with pytest.raises(RuntimeError):
        kit.bring_back(taken, home, moved=fail)
    assert "writing" in calls
    assert kit.bring_back(taken, home).books.balanced
    assert kit.rows(home) == kit.rows(scored)


def test_yesterdays_database_beside_a_log_that_went_on(url, scored, tmp_path):
    ours = copy(scored, tmp_path / "ours")
    kit.backup(ours, tmp_path / "backup")
    now = kit.score(ours, range(2_000, 2_200))
    newest = kit.rows(ours, "archive", "seen")
    home = kit.settings(tmp_path / "home", url(tmp_path), ours.stream, partitions=8)
    done = kit.bring_back(tmp_path / "backup", home, keep_log=True)
    assert done.books.pending == 200
    books = kit.score(home, [], range(2_100, 2_300))
    assert (books.applied, books.duplicates, books.balanced) == (now.applied + 100, now.duplicates + 100, True)
    assert {row[0] for row in newest["seen"]} < {row[0] for row in kit.rows(home, "seen")["seen"]}
    published(home)


def published(ours):
    """No message has the number of another one. One may be there twice: then both are the same."""
    with kit.opened(ours) as (_, log):
        positions = log.starts("health")
        messages = {(one.partition, one.sequence, one.value) for one in log.read("health", positions, 1_000_000)}
    numbers = [message[:2] for message in messages]
    with Database(ours.database) as database, database.read() as connection:
        ledger = set(map(tuple, connection.execute(select(schema.ledger.c.partition, schema.ledger.c.sequence))))
    assert len(numbers) == len(set(numbers))
    assert len(ledger & set(numbers))


def copy(scored, folder):
    shutil.copytree(scored.data, folder)
    return kit.settings(folder, partitions=8)
