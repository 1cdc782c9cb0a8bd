from __future__ import annotations

from hub.store.database import Database
from sinks.alerts import NOBODY, AlertsOutbox
from tests.sinks.kit import Bench, Crm, Pager, action, record


def test_each_sink_of_alerts_gets_one_row_for_each_action(database: Database) -> None:
    bench = Bench(database, Pager("pager"), Pager("email"), Crm())
    bench.tell(action("alert:1"), action("alert:2"))
    assert [(row.sink, row.key, row.state) for row in bench.alerts()] == [
        ("email", "alert:1", "due"),
        ("email", "alert:2", "due"),
        ("pager", "alert:1", "due"),
        ("pager", "alert:2", "due"),
    ]
    assert bench.woken == 1


def test_an_action_read_again_is_not_told_again(database: Database) -> None:
    pager = Pager()
    bench = Bench(database, pager)
    for _ in range(3):
        bench.tell(action("alert:1"))
        bench.push()
    assert pager.told == ["alert:1"]


def test_an_alert_for_nobody_is_kept_with_its_reason(database: Database) -> None:
    bench = Bench(database, Pager())
    bench.tell(action("alert:1", to=[]))
    (row,) = bench.alerts()
    assert (row.state, row.reason) == ("rejected", NOBODY)


def test_what_is_no_action_is_a_dead_letter_and_stops_nothing(database: Database) -> None:
    room = AlertsOutbox([Pager()], lambda: None)
    with database.read() as connection:
        step = room.step(connection, [record(b"{}", 1), record(action("alert:1"), 2)])
    assert [letter.record.offset for letter in step.dead] == [1]


def test_a_sink_is_given_the_parts_of_the_alert(database: Database) -> None:
    pager = Pager()
    bench = Bench(database, pager)
    bench.tell(action("alert:1"))
    bench.push()
    ((delivery,),) = pager.calls
    assert delivery.key == "alert:1"
    assert delivery.target == "dana@example.com"
    assert delivery.health is not None
    assert delivery.health.health == 41.0
    assert {name: delivery.fields[name] for name in ("kind", "name", "owner", "mrr", "subject")} == {
        "kind": "band_fell",
        "name": "Northwind",
        "owner": "Dana Reyes",
        "mrr": 4200.0,
        "subject": "Northwind fell to 41 (at risk): 3 urgent tickets open",
    }
