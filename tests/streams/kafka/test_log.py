import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from hub.store.database import Database
from hub.streams.kafka.declaring import LARGEST, Admin
from hub.streams.log import Entry, LogError
from hub.streams.opening import open_log
from hub.streams.topics import EVENTS, HEALTH

PARTITIONS = 4
EVERYWHERE = dict.fromkeys(range(PARTITIONS), 0)


@pytest.fixture
def log(url, database):
    log = open_log(url, PARTITIONS, database)
    log.declare(EVENTS)
    yield log
    log.close()


def entry(value=b"v", partition=0, **more):
    return Entry("events", partition, b"k", value, time.time(), **more)


def test_what_is_appended_is_read_with_all_that_belongs_to_it(log):
    one = Entry("events", 2, b"acme", b"{}", 1_900_000_000.125, "scoring.rescore", 42, [("trace", b"abc")])
    log.append([one, one._replace(producer="", sequence=0, key=None)]).result(10)
    first, second = log.read("events", EVERYWHERE, 10)
    assert first == (2, 0, 1_900_000_000.125, b"acme", b"{}", "scoring.rescore", 42)
    assert second == (2, 1, 1_900_000_000.125, None, b"{}", "", 0)


def test_a_tombstone_is_a_record_without_a_value(log):
    log.append([entry(b"there"), entry(None)]).result(10)
    assert [record.value for record in log.read("events", {0: 0}, 10)] == [b"there", b""]


def test_each_partition_keeps_its_order_through_many_appends_at_once(log):
    with ThreadPoolExecutor(4) as threads:
        mine = [range(n, 8_000, 4) for n in range(4)]

        def put(partition):
            for n in mine[partition]:
                future = log.append([entry(b"%d" % n, partition), entry(b"x" * 500, partition)])
            future.result(20)

        list(threads.map(put, range(4)))
    found = log.read("events", EVERYWHERE, 100_000)
    for partition in range(4):
        said = [int(r.value) for r in found if r.partition == partition and not r.value.startswith(b"x")]
        assert said == list(mine[partition])


def test_a_large_record_goes_among_small_ones_and_one_too_large_goes_nowhere(log):
    large = b"x" * (5 * 1024 * 1024)
    log.append([entry(b"before"), entry(large), entry(b"after")]).result(20)
    with pytest.raises(ValueError, match="at most"):
        log.append([entry(b"with it"), entry(b"x" * LARGEST)])
    log.append([entry(b"last")]).result(10)
    assert [len(record.value) for record in log.read("events", {0: 0}, 10)] == [6, len(large), 5, 4]


@pytest.mark.parametrize("wrong", [entry(partition=4), entry(partition=-1), entry("text")])
def test_what_cannot_be_kept_is_refused_at_once(log, wrong):
    with pytest.raises(ValueError, match=r"no partition|are bytes"):
        log.append([entry(), wrong])
    assert sum(log.ends("events").values()) == 0


def test_reading_goes_on_from_where_it_was_and_passes_no_partition_over(log):
    log.append([entry(b"%d" % n, n % PARTITIONS) for n in range(1000)]).result(10)
    at, found = dict(EVERYWHERE), []
    while records := log.read("events", at, 100):
        assert len(records) <= 100
        if not found:
            assert {record.partition for record in records} == EVERYWHERE.keys()
        at |= {record.partition: record.offset + 1 for record in records}
        found += [int(record.value) for record in records]
    assert sorted(found) == list(range(1000))
    assert at == log.ends("events")


def test_two_prefixes_of_one_cluster_know_nothing_of_each_other(url, log, tmp_path):
    with Database(f"sqlite:///{tmp_path}/other.db") as database:
        other = open_log(f"{url}.other", PARTITIONS, database)
        other.append([entry(b"theirs")]).result(10)
        assert log.read("events", EVERYWHERE, 10) == []
        assert [record.value for record in other.read("events", EVERYWHERE, 10)] == [b"theirs"]
        other.close()


def test_a_topic_that_began_anew_counts_on_from_where_it_is_told(url, log, database):
    log.declare(HEALTH)
    log.begin("health", {0: 100, 3: 7})
    health = entry(b"first")._replace(topic="health")
    log.append([health]).result(10)
    assert log.ends("health") == {0: 101, 1: 0, 2: 0, 3: 7}
    assert log.starts("health") == {0: 100, 1: 0, 2: 0, 3: 7}
    log.begin("health", {0: 5})  # it is not empty any more
    again = open_log(url, PARTITIONS, database)
    assert [(r.partition, r.offset) for r in again.read("health", {0: 100, 3: 7}, 10)] == [(0, 100)]
    again.close()


def test_what_doors_count_is_added_up_in_the_database(url, log, database):
    other = open_log(url, PARTITIONS, database)
    log.append([entry()], {"door_duplicates": 2}).result(10)
    log.append([], {"door_duplicates": 1, "door_dead_lettered": 1}).result(10)
    other.append([], {"door_duplicates": 10}).result(10)
    assert log.counters() == {"door_duplicates": 3, "door_dead_lettered": 1}
    other.close()
    assert log.counters() == {"door_duplicates": 13, "door_dead_lettered": 1}
    log.close()
    last = open_log(url, PARTITIONS, database)
    assert last.counters() == {"door_duplicates": 13, "door_dead_lettered": 1}
    last.close()


def test_a_log_that_is_closed_has_written_what_it_was_handed_and_says_no(url, log, database):
    futures = [log.append([entry(b"%d" % n)]) for n in range(100)]
    log.close()
    assert all(future.done() and not future.exception() for future in futures)
    for question in (lambda: log.append([entry()]), lambda: log.ends("events")):
        with pytest.raises(LogError, match="is closed"):
            question()


def test_a_server_that_does_not_know_a_topic_yet_is_not_believed_that_there_is_none(url, database, monkeypatch):
    log = open_log(url, PARTITIONS, database)
    log.begin("events", {0: 100})

    async def unknown(_admin, _topic):
        return None

    with monkeypatch.context() as patch:
        patch.setattr(Admin, "partitions", unknown)  # as one says that has just started
        again = open_log(url, PARTITIONS, database)
    assert again.ends("events")[0] == log.ends("events")[0] == 100
    again.close()
    log.close()
