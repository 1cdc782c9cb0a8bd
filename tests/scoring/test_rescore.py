from __future__ import annotations

import itertools
from decimal import Decimal

import msgspec
import pytest
from sqlalchemy import func, select

from hub.store import schema
from scoring.clock import DAY
from tests.scoring.room import START, Room, event

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def room(tmp_path):
    room = Room(tmp_path)
    yield room
    room.close()


def test_the_first_event_of_an_account_gives_it_a_health(room):
    room.take([event("session.started", contact="acme:user:1")])
    [health] = room.healths
    assert health.account == "acc_1"
    assert health.was is None
    assert health.base + sum(d.points for d in health.drivers) + health.rest == pytest.approx(health.health, abs=1e-9)
    assert room.rows(select(schema.accounts.c.health)) == [(health.health,)]


def tickets(count, priority="urgent", at=START):
    return [
        event("ticket.opened", at + place, entity=f"acme:ticket:{place}", properties={"priority": priority})
        for place in range(count)
    ]


def test_an_event_delivered_twice_counts_once(room):
    usage = event("usage.tracked", id="u1")
    room.take([usage, usage])
    room.take([usage])
    assert room.measures()["usage_7d"] == pytest.approx(1.0)
    assert (room.applied, room.duplicates) == (1, 2)
    assert room.rows(select(func.count()).select_from(schema.archive)) == [(1,)]


def test_an_event_repeated_after_a_restart_counts_once(room):
    room.take([event("usage.tracked", id="u1")])
    room.start()
    room.take([event("usage.tracked", id="u1"), event("usage.tracked", id="u2")])
    assert room.measures()["usage_7d"] == pytest.approx(2.0)


def test_urgent_tickets_move_health_down_and_say_so(room):
    room.take([event("session.started", START - place * DAY) for place in range(20)])
    room.take(tickets(3))
    before, health = room.healths
    assert health.health < before.health
    assert health.was == before.health
    assert health.moved_by[0].text == "3 urgent tickets open"
    assert health.moved_by[0].points < 0
    assert sorted(health.causes) == sorted(one.id for one in tickets(3))


def test_what_moved_sums_to_the_difference(room, monkeypatch):
    monkeypatch.setattr("scoring.work._MOVERS", 99)
    room.take([event("session.started", START - place * DAY) for place in range(20)])
    room.take(tickets(3))
    health = room.healths[-1]
    assert sum(d.points for d in health.moved_by) == pytest.approx(health.health - health.was, abs=0.4)


def test_the_deltas_of_the_ledger_add_up(room):
    for day in range(12):
        room.now = START + day * DAY
        room.take([event("session.started", room.now, id=f"s{day}")])
        if day % 3 == 0:
            room.take(
                [event("ticket.opened", room.now, entity=f"acme:ticket:{day}", properties={"priority": "urgent"})]
            )
        room.tick()
    rows = room.rows(select(schema.ledger).order_by(schema.ledger.c.sequence))
    assert len(rows) > 3
    assert rows[0].was is None
    for before, after in itertools.pairwise(rows):
        assert after.was == before.health
        assert after.was_band == before.band


def test_a_small_change_is_no_news(room):
    room.take([event("session.started", START - day * DAY, id=str(day)) for day in range(28)])
    count = len(room.healths)
    room.take([event("email.received", id="mail"), event("note.logged", id="note")])
    moved = abs(room.rows(select(schema.accounts.c.health))[0][0] - room.healths[count - 1].health)
    assert (len(room.healths) == count) == (moved < 0.5)
    room.take([event("note.logged", id="another")])
    assert len(room.healths) - count <= 1


def test_silence_fades_health_with_no_event_to_cause_it(room):
    room.take([event("session.started", START - day * DAY, id=str(day)) for day in range(20)])
    before = room.healths[-1]
    room.pass_days(14)
    after = room.healths[-1]
    assert after.health < before.health - 5
    assert after.causes == []
    assert any(driver.name == "days_since_use" for driver in after.moved_by)


def test_late_events_give_the_same_measures(tmp_path):
    story = [
        event("session.started", START - day * DAY, id=f"s{day}", contact=f"acme:user:{day % 5}") for day in range(30)
    ]
    story += tickets(4, at=START - 3 * DAY)
    story += [event("ticket.solved", START - DAY, id="solved", entity="acme:ticket:1")]
    found = []
    for name, order, cut in (("ordered", story, 1), ("reversed", story[::-1], 7), ("at once", story, 99)):
        (tmp_path / name).mkdir()
        room = Room(tmp_path / name)
        for first in range(0, len(order), cut):
            room.take(order[first : first + cut])
        found.append(room.measures())
        room.close()
    for other in found[1:]:
        assert other == pytest.approx(found[0], rel=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not an event"),
        (b'{"id":1}', "not an event"),
        (b"1},{2", "not an event"),
        (event("usage.tracked", START + 3 * DAY), "more than a day in the future"),
        (event("usage.tracked", 86_400.0), "before 1971"),
        (event("invoice.paid", amount="1e16", currency="EUR"), "amount is not a number within"),
        (event("invoice.paid", amount="NaN", currency="EUR"), "amount is not a number within"),
        (event("csat.rated", value=1e300), "value is not a number within"),
        (event("usage.tracked", id="x"), None),
    ],
)
def test_a_poisoned_record_is_refused_with_a_reason_and_the_rest_is_applied(room, body, reason):
    if not isinstance(body, bytes) and body.amount is not None:
        body = msgspec.structs.replace(body, amount=Decimal(body.amount))
    room.take([event("session.started", id="good"), body, event("session.started", id="good too")])
    expected = 2 if reason else 3
    assert room.measures()["usage_7d"] == pytest.approx(expected)
    assert room.applied == expected
    assert [letter.reason.startswith("not an event") or reason in letter.reason for letter in room.dead] == [True] * (
        3 - expected
    )


def test_a_record_whose_key_names_nobody_is_refused(room):
    record = room.record("acc_1", event("session.started"))
    room.records([record._replace(key=None), record._replace(key=b"\xff")])
    assert [letter.reason for letter in room.dead] == ["the record's key names no account"] * 2


def test_a_step_that_is_not_committed_leaves_no_trace_in_memory(room):
    records = [room.record("acc_1", event("session.started"))]

    def step(connection):
        room.rescore.step(connection, records)
        raise OSError("disk full")

    for _ in range(2):
        with pytest.raises(OSError, match="disk full"):
            room.database.write(step).result()
    assert len(room.rescore._accounts) == 0
    room.records(records)
    assert room.measures()["usage_7d"] == pytest.approx(1.0)


def test_a_process_that_starts_again_goes_on_from_the_database(room):
    room.take([event("session.started", START - day * DAY, id=str(day)) for day in range(20)])
    room.start()
    room.take([event("session.started", id="one more")])
    assert room.measures()["usage_7d"] == pytest.approx(1.0 + sum(2 ** (-day / 7) for day in range(20)))
    healths = room.healths
    assert all(after.was == before.health for before, after in itertools.pairwise(healths))


def test_profiles_contacts_and_links_come_with_the_events(room):
    room.take(
        [
            event("account.updated", START, properties={"name": "Acme", "domain": "acme.com", "external_id": "A-1"}),
            event("account.updated", START - DAY, properties={"name": "Old name", "owner": "Kim"}),
            event(
                "session.started", contact="acme:user:1", properties={"contact_name": "Ada", "email": "ada@acme.com"}
            ),
            event("subscription.started", entity="acme:subscription:1", amount=99, currency="EUR"),
        ]
    )
    [profile] = room.rows(select(schema.profiles))
    assert (profile.name, profile.owner, profile.mrr, profile.currency) == ("Acme", "Kim", 99.0, "EUR")
    [ada] = room.rows(select(schema.contacts))
    assert (ada.reference, ada.account, ada.name, ada.email) == ("acme:user:1", "acc_1", "Ada", "ada@acme.com")
    links = {row.reference: row.how for row in room.rows(select(schema.links).where(schema.links.c.account == "acc_1"))}
    assert links == {
        "acme:customer:1": "record",
        "key:A-1": "key",
        "domain:acme.com": "domain",
        "acme:user:1": "record",
    }
    assert room.healths[-1].name == "Acme"


def test_an_unknown_kind_is_stored_and_counts_for_nothing(room):
    room.take([event("shipment.delayed")])
    assert room.rows(select(schema.archive.c.kind)) == [("shipment.delayed",)]
    assert room.applied == 1
