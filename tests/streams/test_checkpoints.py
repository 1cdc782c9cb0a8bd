import sqlite3
import time

import pytest
from sqlalchemy import text

import hub
from hub.store.checkpoints import BACKSTOP, EVERY, Checkpoints
from hub.store.database import Database
from hub.streams.log import Entry
from hub.streams.sqlite.log import SqliteLog
from hub.streams.topics import EVENTS


def wait_for(true):
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.02)


def test_what_was_written_moves_into_the_file_while_it_is_open_and_the_write_ahead_log_starts_anew(tmp_path):
    path, wal = tmp_path / "log.db", tmp_path / "log.db-wal"
    log = SqliteLog(path, 1)
    log.declare(EVENTS)
    log.append([Entry("events", 0, None, b"x" * 10_000, 1.7e9)] * 1000).result()
    wait_for(lambda: path.stat().st_size > 10_000_000)
    time.sleep(1.5)  # until it has also noted that nothing is left
    grown = wal.stat().st_size
    log.append([Entry("events", 0, None, b"x" * 10_000, 1.7e9)] * 100).result()
    assert wal.stat().st_size == grown  # written from its beginning again
    log.close()


def test_beside_a_writer_that_never_pauses_the_write_ahead_log_starts_anew_too(tmp_path):
    path, wal = tmp_path / "some.db", tmp_path / "some.db-wal"
    writer = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=wal", "synchronous=off", f"wal_autocheckpoint={BACKSTOP}"):
        writer.execute(f"pragma {pragma}")
    writer.execute("create table t (x)")
    checkpoints = Checkpoints(path)
    commits = 0
    while not (anew := commits > 100 and wal.stat().st_size < commits * 750_000) and commits * 250 < BACKSTOP:
        writer.execute("begin immediate")
        writer.execute("delete from t")
        writer.execute("insert into t values (randomblob(1000000))")
        writer.execute("commit")
        checkpoints.between(writer)
        commits += 1
        time.sleep(EVERY / 100)
    assert anew
    checkpoints.close()
    writer.close()


def test_a_database_that_is_closed_leaves_no_write_ahead_log(tmp_path):
    with Database(f"sqlite:///{tmp_path}/hub.db") as database:
        database.write(lambda c: c.execute(text("insert into meta values ('k', 'v')"))).result()
    assert not (tmp_path / "hub.db-wal").exists()


def test_a_url_without_a_file_is_refused():
    for url in ("sqlite://", "sqlite:///:memory:"):
        with pytest.raises(hub.ConfigError, match="names no file"):
            Database(url)


def test_a_job_that_raises_undoes_itself_and_not_its_neighbours(tmp_path):
    def insert(key):
        return lambda c: c.execute(text("insert into meta values (:k, 'v')"), {"k": key}).rowcount

    def fail(connection):
        insert("bad")(connection)
        raise ValueError("changed my mind")

    with Database(f"sqlite:///{tmp_path}/hub.db") as database:
        slow = database.write(lambda _: time.sleep(0.2))  # what comes meanwhile is one commit
        futures = [database.write(job) for job in (insert("a"), fail, insert("b"), insert("a"))]
        slow.result()
        assert futures[0].result() == futures[2].result() == 1
        with pytest.raises(ValueError, match="changed my mind"):
            futures[1].result()
        assert futures[3].exception() is not None  # "a" is there already
        with database.read() as connection:
            keys = set(connection.execute(text("select key from meta")).scalars())
    assert keys >= {"a", "b"}
    assert "bad" not in keys
