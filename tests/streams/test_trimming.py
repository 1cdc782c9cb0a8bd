from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub.streams.log import Entry
from hub.streams.sqlite.log import SqliteLog
from hub.streams.topics import DAY, EVENTS, HEALTH

NOW = 1.7e9


def append(log, topic, *records, at=NOW):
    log.declare(topic)
    log.append([Entry(topic.name, 0, key, value, at) for key, value in records]).result()


def values(log, topic, offset=0):
    return [record.value for record in log.read(topic.name, {0: offset}, 10_000)]


def test_what_is_older_than_its_retention_goes_and_offsets_go_on(tmp_path):
    log = SqliteLog(tmp_path / "log.db", 1)
    append(log, EVENTS, (b"a", b"old"), (b"b", b"old"), at=NOW - 8 * DAY)
    append(log, EVENTS, (b"a", b"new"), at=NOW - 6 * DAY)
    assert log.trim(NOW, {}) == 2
    assert log.starts("events") == {0: 2}
    assert values(log, EVENTS) == [b"new"]
    assert log.trim(NOW + 90 * DAY, {}) == 1
    assert log.append_one(Entry("events", 0, None, b"next", NOW)).result() == 3
    log.close()


def test_what_a_room_has_yet_to_read_stays_however_old(tmp_path):
    log = SqliteLog(tmp_path / "log.db", 1)
    for n in range(4):
        append(log, EVENTS, (b"k", b"%d" % n), at=NOW - 8 * DAY)
    assert log.trim(NOW, {"events": {0: 2}}) == 2
    assert values(log, EVENTS) == [b"2", b"3"]
    assert log.trim(NOW, {"events": {}}) == 0
    log.close()


def test_a_superseded_record_goes_only_below_what_is_needed(tmp_path):
    log = SqliteLog(tmp_path / "log.db", 1)
    append(log, HEALTH, (b"a", b"1"), (b"b", b"1"), (None, b"keyless"))
    append(log, HEALTH, (b"a", b"2"))
    append(log, HEALTH, (b"a", b"3"))
    assert log.trim(NOW, {"health": {0: 3}}) == 1
    assert values(log, HEALTH) == [b"1", b"keyless", b"2", b"3"]
    assert log.trim(NOW, {"health": {0: 5}}) == 1
    assert values(log, HEALTH) == [b"1", b"keyless", b"3"]
    assert log.ends("health") == {0: 5}
    log.close()


def test_headers_and_absent_values_survive_compaction(tmp_path):
    log = SqliteLog(tmp_path / "log.db", 1)
    log.declare(HEALTH)
    log.append([Entry("health", 0, b"a", b"1", NOW), Entry("health", 0, b"b", None, NOW)]).result()
    log.append([Entry("health", 0, b"a", b"2", NOW, headers=[("h", b"x")])]).result()
    assert log.trim(NOW, {}) == 1
    extras = log.extras("health", 0, 0, 10)
    assert extras[1].absent
    assert extras[2].headers == (("h", b"x"),)
    log.close()


@settings(max_examples=40, deadline=None)
@example(commits=[[(b"a", False), (b"b", True)]], needed=2, start=0)
@given(
    st.lists(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c", None]), st.booleans()), min_size=1, max_size=5)),
    st.integers(0, 30),
    st.integers(0, 30),
)
def test_after_any_trim_a_reader_finds_the_newest_of_each_key_and_all_it_needs(commits, needed, start):
    with TemporaryDirectory() as folder:
        log = SqliteLog(Path(folder) / "log.db", 1)
        log.declare(HEALTH)
        everything = []
        for commit in commits:
            entries = [
                Entry("health", 0, key, b"%d" % (len(everything) + n), NOW - (8 * DAY if old else 0))
                for n, (key, old) in enumerate(commit)
            ]
            log.append(entries).result()
            everything += entries
        log.trim(NOW, {"health": {0: needed}})
        found = log.read("health", {0: start}, 1000)
        log.close()
    offsets = [record.offset for record in found]
    assert offsets == sorted(set(offsets))
    assert all(record.value == b"%d" % record.offset for record in found)
    assert set(range(max(needed, start), len(everything))) <= set(offsets)
    newest = {entry.key: n for n, entry in enumerate(everything) if entry.key is not None}
    for offset in newest.values():
        if offset >= start and everything[offset].timestamp == NOW:
            assert offset in offsets
