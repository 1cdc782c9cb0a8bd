import os
import uuid
from collections import Counter

import psycopg
import pytest

from bench.peers import check, ours, table
from bench.peers.backlog import backlog
from bench.peers.engines import PARTITIONS, EngineError, Ran
from bench.peers.listed import Given, Listed
from bench.peers.store import TABLES, Bulk, Rows, Single, archived, connect
from bench.servers import Parts
from bench.traffic import entries

EVENTS, ACCOUNTS = 200, 30


@pytest.fixture
def database():
    url = os.environ.get("PULSEHUB_TEST_DATABASE")
    if not url:
        pytest.skip("needs PostgreSQL: make servers")
    parts, name = Parts("", url), f"bench_{uuid.uuid4().hex}"
    fresh = parts.fresh(name)
    with psycopg.connect(fresh) as connection:
        connection.execute(TABLES)
    yield fresh
    parts.drop(name)


def given(told):
    ends = Counter()
    for entry in entries(told, PARTITIONS):
        yield Given(entry.partition, ends[entry.partition], entry.key, entry.value)
        ends[entry.partition] += 1


def applied(url, way, told, size):
    with connect(url) as connection:
        listed, store, records = Listed(), way(connection), list(given(told))
        some = [listed.apply(store, records[at : at + size]) for at in range(0, len(records), size)]
    return [check.decode(message.value) for messages in some for message in messages]


def test_a_backlog_has_each_event_and_a_few_of_them_again_later():
    told = backlog(EVENTS, ACCOUNTS)
    met = Counter(one.event.id for one in told)
    assert len(met) == EVENTS
    assert sorted(met.values())[-4:] == [2, 2, 2, 2]
    assert sum(met.values()) == EVENTS + 4
    first = list(dict.fromkeys(one.event.id for one in told))
    assert first == [
        one.event.id for one in sorted({o.event.id: o for o in told}.values(), key=lambda o: o.event.occurred_at)
    ]


@pytest.mark.parametrize(("way", "size"), [(Bulk, 50), (Bulk, 1), (Single, 1)])
def test_the_listed_work_ends_where_all_events_folded_at_once_end(database, way, size):
    told = backlog(EVENTS, ACCOUNTS)
    said = applied(database, way, told, size)
    assert check.Expected(told).faults(database, check.LISTED, said) == []


def test_an_engine_that_ends_wrong_is_found_out(database):
    told = backlog(EVENTS, ACCOUNTS)
    said = applied(database, Bulk, told, 50)
    expected = check.Expected(told)
    assert any("published" in fault for fault in expected.faults(database, check.LISTED, said[:-1]))
    assert expected.faults(database, check.LISTED, [*said, said[0]]), "an older health came last"
    with connect(database) as connection:
        connection.execute("update ledger set was = 1.25 where number = 1")
    assert any("does not follow" in fault for fault in expected.faults(database, check.LISTED, said))
    with connect(database) as connection:
        connection.execute("delete from archive where place = 0")
    assert any("archived" in fault for fault in expected.faults(database, check.LISTED, said))
    more = check.Expected([*told, *backlog(EVENTS + 50, ACCOUNTS)])
    assert any("state" in fault for fault in more.faults(database, check.LISTED, said))


def test_an_event_that_is_met_again_where_it_was_met_is_no_repeat(database):
    told = backlog(20, 5)[:1]
    (entry,) = entries(told, PARTITIONS)
    rows = [archived(told[0].account, told[0].event, entry.partition, place, entry.value) for place in (0, 1)]
    with connect(database) as connection:
        returning = Bulk(connection, returns=True)
        for _ in range(2):
            with returning.transaction():
                assert returning.archive(rows) == [True, False]
    with connect(database) as connection:
        once = Bulk(connection)
        with once.transaction():
            assert once.archive(rows) == [False, False]
            once.write(Rows())


def test_ratios_are_told_of_who_ran_and_a_wrong_end_is_told():
    ran = {
        "faust": {0: Ran(100.0, 200.0, [])},
        "bytewax.map": {0: Ran(1_000.0, 1_000.0, []), 1: Ran(500.0, 1_000.0, [])},
        "bytewax.batch": {0: Ran(2_000.0, 2_000.0, []), 1: Ran(4_000.0, 2_000.0, ["3 of 4"])},
        "pulsehub": {0: Ran(9_000.0, 9_000.0, []), 1: Ran(6_000.0, 9_000.0, []), 2: Ran(1.0, 1.0, [])},
    }
    found = {one.name: one for one in table.figures(ran)}
    assert found["peers.faust.ratio"].value == 90.0
    assert found["peers.bytewax.ratio"].value == 3.0, "of the better of the two, in the same round"
    assert (found["peers.bytewax.ratio.least"].value, found["peers.bytewax.ratio.most"].value) == (1.5, 4.5)
    assert found["peers.bytewax.batch.right"].value == 0.5
    assert not found["peers.bytewax.batch.right"].holds
    assert "peers.quix.ratio" not in found
    assert "peers.two.ratio" not in found


def test_workers_are_timed_from_the_first_commit_after_all_have_begun():
    seen = [(0.0, 0), (1.0, 100), (2.0, 100), (3.0, 300), (5.0, 700)]
    assert ours._rate(seen, began=1.5) == (700 - 300) / (5.0 - 3.0)
    with pytest.raises(EngineError):
        ours._rate(seen, began=4.0)
