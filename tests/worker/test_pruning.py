"""What is old goes, a little at a time; what is still needed stays, however old."""

import math

import pytest
from sqlalchemy import select

from hub.store import schema
from hub.worker.pruning import DAY, Pruning
from tests.engines import database, engine  # noqa: F401 - fixtures

NOW = 2_000 * DAY


def put(database, table, *rows):  # noqa: F811
    database.write(lambda connection: connection.execute(table.insert(), list(rows)) and None).result()


def change(sequence, account, days, partition=0):
    """A row of the ledger, so many days ago."""
    return {
        "partition": partition,
        "sequence": sequence,
        "account": account,
        "at": NOW - days * DAY,
        "health": 50.0,
        "band": "steady",
        "message": b"{}",
    }


def prune(database, pruning, now=NOW):  # noqa: F811
    """Until nothing is left to do; how many rounds that took."""
    for rounds in range(1, 100):
        with database.read() as connection:
            found = pruning.due(connection, now)
        database.write(lambda connection, found=found: pruning.forget(connection, found)).result()
        if not found.more:
            return rounds
    pytest.fail("it never ends")


def kept(database, *columns):  # noqa: F811
    with database.read() as connection:
        return sorted(map(tuple, connection.execute(select(*columns))))


def test_old_changes_go_and_the_newest_of_each_account_stays(database):  # noqa: F811
    outlet = {"room": "scoring.rescore", "topic": "health", "partition": 0, "next": 100, "published": 99}
    put(database, schema.outlets, outlet)
    put(
        database,
        schema.ledger,
        change(1, "a", 900),
        change(2, "a", 850),
        change(3, "a", 10),
        change(4, "silent", 950),
        change(5, "silent", 901),
    )
    prune(database, Pruning(800))
    assert kept(database, schema.ledger.c.sequence) == [(3,), (5,)]


def test_what_is_not_published_yet_stays(database):  # noqa: F811
    outlet = {"room": "scoring.rescore", "topic": "health", "partition": 0, "next": 4, "published": 1}
    put(database, schema.outlets, outlet)
    put(database, schema.ledger, change(1, "a", 900), change(2, "a", 890), change(3, "a", 1))
    prune(database, Pruning(800))
    assert kept(database, schema.ledger.c.sequence) == [(2,), (3,)]


def test_without_an_end_everything_stays(database):  # noqa: F811
    put(database, schema.ledger, change(1, "a", 5_000), change(2, "a", 4_990))
    prune(database, Pruning(math.inf))
    assert kept(database, schema.ledger.c.sequence) == [(1,), (2,)]


def test_partitions_that_an_installation_no_longer_has_are_pruned_too(database):  # noqa: F811
    put(database, schema.ledger, change(1, "a", 900, partition=63), change(200, "a", 1))
    prune(database, Pruning(800))
    assert kept(database, schema.ledger.c.sequence) == [(200,)]


def test_it_goes_on_past_what_stays_even_where_all_is_of_one_moment(database):  # noqa: F811
    put(database, schema.ledger, *(change(n, f"a{n}", 900) for n in range(1, 31)))
    put(database, schema.ledger, *(change(n + 100, f"a{n}", 1) for n in range(25, 31)))
    pruning = Pruning(800, most=7)
    assert prune(database, pruning) > 3
    assert len(kept(database, schema.ledger.c.sequence)) == 30
    with database.read() as connection:
        assert not any(pruning.due(connection, NOW).keys.values())


def test_a_restart_in_between_finds_the_rest(database):  # noqa: F811
    put(database, schema.ledger, *(change(n, "a", 1_000 - n) for n in range(1, 21)), change(50, "a", 1))
    with database.read() as connection:
        found = Pruning(800, most=5).due(connection, NOW)
    database.write(lambda connection: Pruning(800).forget(connection, found)).result()
    assert len(kept(database, schema.ledger.c.sequence)) == 16
    prune(database, Pruning(800, most=5))
    assert kept(database, schema.ledger.c.sequence) == [(50,)]


def test_letters_go_once_they_were_replayed_and_are_old(database):  # noqa: F811
    blank = {"stage": "apply", "connection": "t", "reason": "", "version": "", "context": "{}", "body": b""}
    put(
        database,
        schema.dead_letters,
        blank | {"id": "open", "at": NOW - 500 * DAY, "state": "open"},
        blank | {"id": "old", "at": NOW - 91 * DAY, "state": "replayed"},
        blank | {"id": "young", "at": NOW - 89 * DAY, "state": "replayed"},
    )
    prune(database, Pruning(800))
    assert kept(database, schema.dead_letters.c.id) == [("open",), ("young",)]


def test_labels_go_with_the_ledger_and_snapshots_once_their_account_is_gone(database):  # noqa: F811
    label = {"at": 0.0, "lost": 0, "predictions": "{}", "taught": 1}
    put(
        database,
        schema.labels,
        label | {"account": "a", "matured_at": NOW - 801 * DAY},
        label | {"account": "b", "matured_at": NOW - 799 * DAY},
    )
    put(database, schema.accounts, {"id": "a", "partition": 0, "state": b"", "scored_at": 0.0, "last_event_at": 0.0})
    blank = {"at": 0.0, "partition": 0, "features": b"", "predictions": "{}", "config_version": "", "model_version": 0}
    put(
        database,
        schema.snapshots,
        blank | {"account": "a", "due": NOW - 500 * DAY},
        blank | {"account": "gone", "due": NOW - 91 * DAY},
        blank | {"account": "just gone", "due": NOW - DAY},
    )
    prune(database, Pruning(800))
    assert kept(database, schema.labels.c.account) == [("b",)]
    assert kept(database, schema.snapshots.c.account) == [("a",), ("just gone",)]
