from __future__ import annotations

from hub.sdk.health import Health
from hub.store.database import Database
from hub.store.schema import accounts, ledger, merges
from hub.streams.room import Record
from sinks.desired import Fields
from tests.sinks.kit import NOW, Bench, Crm, Pager, health, record


def test_what_a_destination_should_show_becomes_due(database: Database) -> None:
    bench = Bench(database, Crm())
    bench.link("acc_1", "crm:42")
    bench.show((1, health("acc_1", 41.3, "at_risk")))
    (row,) = bench.rows()
    assert (row.target, row.state, row.sequence, row.fields) == ("42", "due", 1, '{"band":"at_risk","score":41}')
    assert bench.woken == 1


def test_of_one_batch_only_the_newest_is_wanted(database: Database) -> None:
    bench = Bench(database, Crm())
    bench.link("acc_1", "crm:42")
    bench.show((1, health("acc_1", 60)), (2, health("acc_1", 50)), (3, health("acc_1", 40)))
    (row,) = bench.rows()
    assert (row.sequence, row.fields) == (3, '{"band":"steady","score":40}')


def test_an_older_health_changes_nothing(database: Database) -> None:
    bench = Bench(database, Crm())
    bench.link("acc_1", "crm:42")
    bench.show((5, health("acc_1", 50)))
    bench.show((4, health("acc_1", 90)))
    assert bench.rows()[0].fields == '{"band":"steady","score":50}'


def test_a_health_that_shows_the_same_is_not_pushed(database: Database) -> None:
    crm = Crm()
    bench = Bench(database, crm)
    bench.link("acc_1", "crm:42")
    bench.show((1, health("acc_1", 50.1)))
    bench.push()
    bench.show((2, health("acc_1", 49.9)))
    assert bench.rows()[0].state == "shown"
    bench.push()
    assert crm.shown == {"42": [50]}


def test_an_account_that_does_not_live_there_is_absent_until_a_link_appears(database: Database) -> None:
    bench = Bench(database, Crm())
    bench.show((1, health("acc_1", 50)))
    assert bench.rows()[0].state == "absent"
    bench.link("acc_1", "crm:42")
    bench.show((2, health("acc_1", 51)))
    assert (bench.rows()[0].state, bench.rows()[0].target) == ("due", "42")


def _known(database: Database, *names: str) -> None:
    rows = [
        {"id": n, "partition": 0, "state": b"", "scored_at": NOW, "last_event_at": NOW, "model_version": 0}
        for n in names
    ]
    database.write(lambda c: c.execute(accounts.insert(), rows)).result()


def test_the_sweep_finds_a_link_without_any_news(database: Database) -> None:
    crm = Crm()
    bench = Bench(database, crm)
    _known(database, "acc_1")
    bench.show((1, health("acc_1", 50)))
    bench.sweep()
    assert bench.rows()[0].state == "absent"
    bench.link("acc_1", "crm:42")
    bench.sweep()
    bench.push()
    assert crm.shown == {"42": [50]}


def test_an_account_linked_to_another_record_is_shown_there(database: Database) -> None:
    crm = Crm()
    bench = Bench(database, crm)
    _known(database, "acc_1")
    bench.link("acc_1", "crm:42")
    bench.show((1, health("acc_1", 50)))
    bench.push()
    bench.link("acc_2", "crm:42")
    bench.link("acc_1", "crm:43")
    bench.sweep()
    bench.push()
    assert crm.shown == {"42": [50], "43": [50]}


def test_a_destination_configured_later_is_filled_from_the_ledger(database: Database) -> None:
    crm = Crm()
    bench = Bench(database, crm)
    _known(database, "acc_1", "acc_2")
    bench.link("acc_1", "crm:42")
    rows = [
        {
            "partition": 0,
            "sequence": sequence,
            "account": "acc_1",
            "at": NOW,
            "health": score,
            "band": "steady",
            "message": record(health("acc_1", score), sequence).value,
        }
        for sequence, score in ((7, 30), (9, 55), (8, 40))
    ]
    database.write(lambda c: c.execute(ledger.insert(), rows)).result()
    bench.sweep()
    bench.push()
    assert crm.shown == {"42": [55]}
    assert [row.sequence for row in bench.rows()] == [9]


def test_an_account_that_was_merged_away_is_pushed_no_more(database: Database) -> None:
    crm = Crm()
    bench = Bench(database, crm)
    bench.link("acc_1", "crm:42")
    bench.show((1, health("acc_1", 50)))
    row = {"absorbed": "acc_1", "survivor": "acc_2", "at": NOW, "why": "same key"}
    _known(database, "acc_1")
    database.write(lambda c: c.execute(merges.insert(), row)).result()
    bench.push()
    bench.sweep()
    assert bench.rows()[0].state == "absent"
    assert crm.shown == {}
    database.write(lambda c: c.execute(merges.delete())).result()  # apart again
    bench.sweep()
    bench.push()
    assert crm.shown == {"42": [50]}


def test_a_merge_leaves_nothing_that_waits_for_ever(database: Database) -> None:
    bench = Bench(database, Crm())
    bench.link("acc_1", "crm:42")
    bench.show((1, health("acc_1", 50)))
    row = {"absorbed": "acc_1", "survivor": "acc_2", "at": NOW, "why": "same key"}
    database.write(lambda c: c.execute(merges.insert(), row)).result()  # there is no account acc_1 any more
    bench.sweep()
    assert (bench.rows()[0].state, bench.rows()[0].target) == ("absent", None)


def test_each_destination_has_a_row_of_its_own_and_sinks_of_alerts_have_none(database: Database) -> None:
    bench = Bench(database, Crm("crm"), Crm("desk"), Pager())
    bench.link("acc_1", "crm:42")
    bench.show((1, health("acc_1", 50)))
    assert [row.sink for row in bench.rows()] == ["crm", "desk"]


def test_what_is_no_health_is_a_dead_letter_and_stops_nothing(database: Database) -> None:
    room = Fields([Crm()], lambda: None)
    good: Health = health("acc_1", 50)
    batch = [record(b"{", 1), record(good, 2), Record(0, 3, NOW, b"", b"\xff\x00")]
    step = database.write(lambda connection: room.step(connection, batch)).result()
    assert [letter.record.offset for letter in step.dead] == [1, 3]


def test_the_sweep_leaves_accounts_of_other_workers_alone(database: Database) -> None:
    crm = Crm()
    bench = Bench(database, crm)
    _known(database, "acc_1")
    bench.show((1, health("acc_1", 50)))
    bench.link("acc_1", "crm:42")
    with database.read() as connection:
        bench.fields.assign(connection, [1, 2])
    bench.sweep()
    assert bench.rows()[0].state == "absent"
