import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from concurrent.futures import wait

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hub
from hub.streams.log import Entry, LogError
from hub.streams.sqlite.log import SqliteLog
from hub.streams.sqlite.logfile import LogReader, path_of, position
from hub.streams.topics import EVENTS, HEALTH, TopicSpec


@pytest.fixture
def path(tmp_path):
    return tmp_path / "streams.db"


def test_records_of_a_partition_come_back_in_order_with_all_they_carry(path):
    log = SqliteLog(path, 2)
    log.declare(EVENTS)
    entries = [
        Entry("events", n % 2, b"k%d" % n if n % 3 else None, b"v" * n, 1.7e9 + n, "room", n) for n in range(1000)
    ]
    wait([log.append(entries[n : n + 7]) for n in range(0, 1000, 7)])
    records = log.read("events", {0: 0, 1: 0}, 5000)
    for partition in (0, 1):
        mine = [record for record in records if record.partition == partition]
        theirs = entries[partition::2]
        assert [record.offset for record in mine] == list(range(500))
        assert [tuple(record)[2:] for record in mine] == [
            (e.timestamp, e.key, e.value, e.producer, e.sequence) for e in theirs
        ]
    log.close()


def test_reading_stops_at_the_limit_and_starves_no_partition(path):
    log = SqliteLog(path, 3)
    log.declare(EVENTS)
    log.append([Entry("events", 0, None, b"x", 1.0)] * 5000).result()
    log.append([Entry("events", p, None, b"x", 1.0) for p in (1, 2)]).result()
    records = log.read("events", {0: 10, 1: 0, 2: 0}, 300)
    assert len(records) == 300
    assert {record.partition for record in records} == {0, 1, 2}
    assert next(record.offset for record in records if record.partition == 0) == 10
    log.close()


def test_a_reopened_log_keeps_its_records_its_counters_and_its_partitions(path):
    log = SqliteLog(path, 3)
    log.declare(EVENTS)
    log.append([Entry("events", 2, b"k", b"v", 1.0)], {"door_duplicates": 2}).result()
    log.append([], {"door_duplicates": 3, "other": 1}).result()
    log.close()
    log = SqliteLog(path, 64)
    assert log.partitions == 3
    assert log.ends("events") == {0: 0, 1: 0, 2: 1}
    assert log.counters() == {"door_duplicates": 5, "other": 1}
    assert [record.value for record in log.read("events", {2: 0}, 10)] == [b"v"]
    log.close()


def test_a_log_of_another_format_is_refused_and_says_what_to_do(path):
    SqliteLog(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("update meta set value = '99' where key = 'format'")
    connection.close()
    with pytest.raises(hub.ConfigError, match="format 99 and this program speaks 1: start the version that wrote it"):
        SqliteLog(path)
    with pytest.raises(hub.ConfigError, match="format 99"):
        LogReader(path)


def test_a_file_that_is_no_log_is_refused(path):
    path.write_bytes(b"these are not the bytes you are looking for" * 100)
    with pytest.raises(hub.ConfigError, match="not a database"):
        SqliteLog(path)


def test_somebody_elses_database_is_refused_and_left_as_it_is(path):
    with sqlite3.connect(path) as connection:
        connection.execute("create table letters (body text)")
    connection.close()
    with pytest.raises(hub.ConfigError, match="not a log of ours"):
        SqliteLog(path)


def test_looking_at_a_log_that_is_not_there_makes_none(path):
    with pytest.raises(hub.ConfigError):
        LogReader(path)
    assert not path.exists()


def test_urls_are_read_as_sqlalchemy_reads_them(tmp_path):
    assert str(path_of("sqlite:///data/streams.db")) == "data/streams.db"
    assert str(path_of("sqlite:////data/streams.db")) == "/data/streams.db"
    for url in ("kafka://localhost", "sqlite://data/x.db", "sqlite://", "sqlite:///:memory:"):
        with pytest.raises(hub.ConfigError):
            path_of(url)
    SqliteLog.at(f"sqlite:///{tmp_path}/deep/in/here.db").close()
    assert (tmp_path / "deep/in/here.db").exists()


def test_what_cannot_be_a_record_is_refused_before_it_reaches_the_others(path):
    log = SqliteLog(path, 2)
    log.declare(EVENTS)
    with pytest.raises(ValueError, match="no partition 2"):
        log.append([Entry("events", 2, None, b"v", 1.0)])
    with pytest.raises(ValueError, match="bytes"):
        log.append([Entry("events", 0, "text", b"v", 1.0)])
    with pytest.raises(KeyError):
        log.append([Entry("nowhere", 0, None, b"v", 1.0)])
    log.close()
    with pytest.raises(LogError, match="closed"):
        log.append([Entry("events", 0, None, b"v", 1.0)])


def test_a_full_disk_is_told_to_every_waiter_and_passes(path):
    log = SqliteLog(path, 1)
    log.declare(EVENTS)
    log.append([Entry("events", 0, None, b"first", 1.0)]).result()
    pages = log._do(lambda c: c.execute("pragma page_count").fetchone()[0]).result()
    log._writing.execute(f"pragma max_page_count={pages + 2}")
    big = [Entry("events", 0, None, b"x" * 100_000, 1.0)]
    for future in [log.append(big), log.append(big)]:
        with pytest.raises(LogError, match="full"):
            future.result(10)
    log._writing.execute("pragma max_page_count=1000000")
    assert log.append_one(Entry("events", 0, None, b"second", 1.0)).result(10) == 1
    assert [record.value for record in log.read("events", {0: 0}, 10)] == [b"first", b"second"]
    log.close()


def test_a_waiter_that_gives_up_does_not_stop_the_writer(path):
    log = SqliteLog(path, 1)
    log.declare(EVENTS)
    held = threading.Event()
    log._do(lambda _: held.wait(5))
    given_up = log.append([Entry("events", 0, None, b"a", 1.0)])
    given_up.cancel()
    held.set()
    log.append([Entry("events", 0, None, b"b", 1.0)]).result(10)
    log.close()


def test_listeners_hear_of_an_append_at_once_and_of_other_processes_soon(path):
    ours, theirs = SqliteLog(path, 1), SqliteLog(path, 1)  # a second Log on the file is what another process has
    ours.declare(EVENTS)
    heard = threading.Event()
    topics: list[set[str]] = []

    def listen(names):
        topics.append(set(names))
        heard.set()

    end = ours.listen(listen)
    ours.append([Entry("events", 0, None, b"v", 1.0)]).result()
    assert heard.wait(5)
    assert {"events"} in topics
    time.sleep(0.1)
    heard.clear()
    theirs.append([Entry("events", 0, None, b"v", 1.0)]).result()
    begun = time.monotonic()
    assert heard.wait(5)
    assert time.monotonic() - begun < 1.0
    end()
    ours.close()
    theirs.close()


def _append_until_killed(path, number, progress):
    log = SqliteLog(path, 2)
    log.declare(EVENTS)
    for n in range(100_000):
        log.append([Entry("events", n % 2, b"%d" % number, b"%d" % n, 1.0)] * 2).result()
        progress.value = n


def test_processes_append_beside_each_other_and_one_that_dies_leaves_whole_commits(path):
    context = multiprocessing.get_context("spawn")
    progress = [context.Value("q", -1) for _ in range(2)]
    children = [context.Process(target=_append_until_killed, args=(path, n, progress[n])) for n in range(2)]
    for child in children:
        child.start()
    deadline = time.monotonic() + 60
    while min(p.value for p in progress) < 20:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for child in children:
        os.kill(child.pid, signal.SIGKILL)
        child.join()
    acknowledged = [p.value for p in progress]
    log = LogReader(path)
    for number in range(2):
        for partition, end in log.ends("events").items():
            records = log.read("events", {partition: 0}, end)
            assert [record.offset for record in records] == list(range(end))
            values = [int(record.value) for record in records if record.key == b"%d" % number]
            assert values[::2] == values[1::2] == sorted(values[::2])  # both of each pair, in order
            assert len(values) // 2 >= (acknowledged[number] + 1) // 2
    assert log.check() == []
    log.close()


def test_topics_may_have_partitions_of_their_own_and_stay_as_declared(path):
    log = SqliteLog(path, 4)
    log.declare(TopicSpec("replies", 60.0), partitions=1)
    log.declare(TopicSpec("replies", 90.0), partitions=7)
    assert log.topic("replies").partitions == 1
    assert log.topic("replies").retention == 90.0
    log.declare(HEALTH)
    assert log.topics()["health"].compact
    log.close()


@given(st.integers(1, 1023), st.integers(0, 8191), st.integers(0, 2**40 - 1))
def test_positions_order_as_topic_partition_and_offset_do(topic, partition, offset):
    here = position(topic, partition, offset)
    assert 0 < here < 2**63
    assert here < position(topic, partition + 1, 0) <= position(topic + 1, 0, 0)
    assert (here >> 53, here >> 40 & 8191, here & (2**40 - 1)) == (topic, partition, offset)
