from __future__ import annotations

import itertools

import pytest
from sqlalchemy import select

from hub.ingest.identity import account_id
from hub.store import schema
from hub.store.questions import account
from scoring.clock import DAY
from tests.scoring.room import START, Room, event

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def room(tmp_path):
    room = Room(tmp_path)
    yield room
    room.close()


def theirs(name, *kinds, at=START):
    return [
        event(kind, at + place, id=f"{name}:{place}", account=f"acme:customer:{name}", contact=f"acme:user:{name}")
        for place, kind in enumerate(kinds)
    ]


def merge(room, absorbed="acc_2", survivor="acc_1", **more):
    properties = {"absorbed": absorbed, "why": "told so"} | more
    room.take(
        [event("account.merged", room.now, account=survivor, connection="pulsehub", properties=properties)], survivor
    )
    room.tick()


def test_a_merged_account_measures_what_both_did(room):
    room.take(theirs("one", "session.started", "session.started"), "acc_1")
    room.take(theirs("two", "session.started", "invoice.failed"), "acc_2")
    room.take([event("ticket.opened", entity="acme:ticket:7", id="t", account="acme:customer:two")], "acc_2")
    merge(room)
    found = room.measures("acc_1")
    assert found["usage_7d"] == pytest.approx(3.0, rel=1e-4)
    assert found["failed_payments"] == pytest.approx(1.0, rel=1e-4)
    assert found["open_tickets"] == 1
    assert room.rows(select(schema.accounts.c.id)) == [("acc_1",)]
    assert room.rows(select(schema.merges.c.absorbed, schema.merges.c.survivor)) == [("acc_2", "acc_1")]
    assert {row.account for row in room.rows(select(schema.links))} == {"acc_1"}
    health = room.healths[-1]
    assert health.account == "acc_1"
    assert health.causes[0].startswith("account.merged")


def test_events_of_an_account_that_was_merged_away_are_passed_on(room):
    room.take(theirs("one", "session.started"), "acc_1")
    room.take(theirs("two", "session.started"), "acc_2")
    merge(room)
    room.take([event("session.started", id="later", account="acme:customer:two")], "acc_2")
    assert room.forwarded == 1
    assert room.measures("acc_1")["usage_7d"] == pytest.approx(3.0, rel=1e-4)
    archived = room.rows(select(schema.archive.c.account).where(schema.archive.c.event == "later"))
    assert archived == [("acc_1",)]


def test_a_merge_can_be_undone(room):
    room.take(theirs("one", "session.started", "session.started"), "acc_1")
    room.take(theirs("two", "session.started", "invoice.failed"), "acc_2")
    before = {account: room.measures(account) for account in ("acc_1", "acc_2")}
    merge(room)
    room.take([event("session.started", id="later", account="acme:customer:two")], "acc_2")
    merge(room, undo=True)
    assert room.rows(select(schema.merges)) == []
    assert room.measures("acc_1") == pytest.approx(before["acc_1"], rel=1e-4, nan_ok=True)
    assert room.measures("acc_2")["usage_7d"] == pytest.approx(before["acc_2"]["usage_7d"] + 1, rel=1e-4)
    assert room.measures("acc_2")["failed_payments"] == pytest.approx(1.0, rel=1e-4)
    holders = {row.reference: row.account for row in room.rows(select(schema.links))}
    assert holders["acme:customer:two"] == holders["acme:user:two"] == "acc_2"
    assert holders["acme:customer:one"] == "acc_1"
    assert set(room.rows(select(schema.accounts.c.id))) == {("acc_1",), ("acc_2",)}
    room.take([event("session.started", id="latest", account="acme:customer:two")], "acc_2")
    assert room.forwarded == 1


def test_a_merged_account_shows_what_happened_to_both(room):
    room.take(theirs("one", "session.started", at=START), "acc_1")
    room.take(theirs("two", "invoice.failed", "dispute.opened", at=START + 60), "acc_2")
    merge(room)
    with room.database.read() as connection:
        first, rest = account.happenings(connection, "acc_1", limit=2)
        second, end = account.happenings(connection, "acc_1", limit=2, cursor=rest)
        (cause,) = account.causes(connection, "acc_1", ["two:0"]).values()
    told = [one.event.id for one in [*first, *second] if one.event.kind != "account.merged"]
    assert told == ["two:1", "two:0", "one:0"]
    assert end is None
    assert cause.kind == "invoice.failed"
    merge(room, undo=True)
    with room.database.read() as connection:
        kinds = {one.event.kind for one in account.happenings(connection, "acc_1", limit=9)[0]}
    assert kinds == {"session.started", "account.merged"}


def test_an_account_keeps_its_ledger_through_a_merge(room):
    room.take(theirs("one", *["session.started"] * 5), "acc_1")
    room.take(theirs("two", "ticket.opened", "ticket.escalated", "invoice.failed", "dispute.opened"), "acc_2")
    merge(room)
    mine = [health for health in room.healths if health.account == "acc_1"]
    assert all(after.was == before.health for before, after in itertools.pairwise(mine))


def test_one_key_at_two_accounts_merges_them(room):
    keyed = {"external_id": "A-1"}
    room.take([event("account.updated", account="crm:account:1", properties=keyed)], "acc_1")
    room.take(theirs("two", "session.started"), "acc_2")
    room.take([event("account.updated", account="acme:customer:two", properties=keyed)], "acc_2")
    assert room.rows(select(schema.merges.c.absorbed, schema.merges.c.survivor)) == [("acc_2", "acc_1")]
    assert room.measures("acc_1")["usage_7d"] == pytest.approx(1.0, rel=1e-4)


@pytest.mark.parametrize("named_first", [True, False])
def test_the_account_that_is_named_after_the_key_survives_whoever_came_first(room, named_first):
    named = account_id("key:A-1")
    first, second = (named, "acc_2") if named_first else ("acc_2", named)
    room.take([event("account.updated", account="crm:account:1", properties=KEYED)], first)
    room.take([event("account.updated", account="acme:customer:two", properties=KEYED)], second)
    assert room.rows(select(schema.merges.c.absorbed, schema.merges.c.survivor)) == [("acc_2", named)]
    assert {row.account for row in room.rows(select(schema.links))} == {named}


def test_one_domain_at_two_accounts_merges_nobody(room):
    for number in (1, 2):
        facts = {"domain": "acme.com"}
        room.take([event("account.updated", account=f"crm:account:{number}", properties=facts)], f"acc_{number}")
    assert room.rows(select(schema.merges)) == []


ACME, OTHER = {"domain": "acme.com"}, {"domain": "other.example"}
KEYED = {"external_id": "A-1"}


def founded(by, number, **facts):
    """An event of an account that the door founded: it knew nobody who had what the event carries."""
    told = event("account.updated", account=f"vendor{number}:account:{number}", properties=facts)
    return told, account_id(by)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("keyed_first", [True, False])
def test_who_was_founded_for_want_of_knowing_is_merged_with_whose_domain_it_is(room, at_once, keyed_first):
    keyed, guessed = founded("key:A-1", 1, **ACME, **KEYED), founded("domain:acme.com", 2, **ACME)
    both = [keyed, guessed] if keyed_first else [guessed, keyed]
    if at_once:
        room.records([room.record(account, one) for one, account in both])
    else:
        for one, account in both:
            room.take([one], account)
    assert room.rows(select(schema.merges.c.absorbed, schema.merges.c.survivor)) == [(guessed[1], keyed[1])]
    room.tick()
    assert room.rows(select(schema.accounts.c.id)) == [(keyed[1],)]


def test_two_keys_are_two_customers_though_the_door_did_not_know_of_both(room):
    for number in (1, 2):
        one, account = founded(f"key:A-{number}", number, **ACME, external_id=f"A-{number}")
        room.take([one], account)
    assert room.rows(select(schema.merges)) == []


def test_who_is_known_already_and_turns_out_to_share_a_domain_is_left_alone(room):
    customer, account = founded("domain:acme.com", 1, **ACME)
    room.take([customer], account)
    supplier, other = founded("domain:other.example", 2, **OTHER)
    room.take([supplier], other)
    asks = event("ticket.opened", account=supplier.account, properties={"email": "ada@acme.com"})
    room.take([asks], other)  # somebody of the one writes as the other
    assert room.rows(select(schema.merges)) == []


@pytest.mark.parametrize(
    "nonsense",
    [{"absorbed": "acc_1"}, {"absorbed": ""}, {"absorbed": 7}, {"absorbed": None}, {"absorbed": "acc_9", "undo": True}],
)
def test_a_merge_that_makes_no_sense_changes_nothing(room, nonsense):
    room.take(theirs("one", "session.started"), "acc_1")
    merge(room, **nonsense)
    assert room.rows(select(schema.merges)) == []
    assert room.measures("acc_1")["usage_7d"] == pytest.approx(1.0, rel=1e-4)


def test_merging_in_a_circle_stops(room):
    room.take(theirs("one", "session.started"), "acc_1")
    room.take(theirs("two", "session.started"), "acc_2")
    merge(room, "acc_2", "acc_1")
    merge(room, "acc_1", "acc_2")
    assert room.rows(select(schema.merges.c.absorbed, schema.merges.c.survivor)) == [("acc_2", "acc_1")]
    assert room.rows(select(schema.accounts.c.id)) == [("acc_1",)]


def test_a_chain_of_merges_ends_at_the_last_survivor_and_comes_apart_again(room):
    for number in (1, 2, 3):
        room.take(theirs(str(number), "session.started"), f"acc_{number}")
    merge(room, "acc_3", "acc_2")
    merge(room, "acc_2", "acc_1")
    assert room.measures("acc_1")["usage_7d"] == pytest.approx(3.0, rel=1e-4)
    merge(room, "acc_2", "acc_1", undo=True, why="told otherwise")
    assert room.measures("acc_1")["usage_7d"] == pytest.approx(1.0, rel=1e-4)
    assert room.measures("acc_2")["usage_7d"] == pytest.approx(2.0, rel=1e-4)


def test_a_restart_remembers_who_was_merged(room):
    room.take(theirs("one", "session.started"), "acc_1")
    room.take(theirs("two", "session.started"), "acc_2")
    merge(room)
    room.start()
    room.take([event("session.started", id="later", account="acme:customer:two")], "acc_2")
    assert room.forwarded == 1


def test_beyond_the_archive_rows_add_up(room):
    room.take(theirs("one", "session.started", "session.started", at=START - 5 * DAY), "acc_1")
    room.take(theirs("two", "session.started"), "acc_2")
    room.database.write(
        lambda connection: connection.execute(schema.archive.delete().where(schema.archive.c.account == "acc_1"))
    ).result()
    merge(room)
    assert room.measures("acc_1")["usage_7d"] == pytest.approx(1 + 2 * 2 ** (-5 / 7), rel=1e-3)
    assert room.measures("acc_1")["active_days"] == 2


def test_beyond_the_archive_things_go_to_the_survivor(room):
    room.take(theirs("one", "session.started"), "acc_1")
    theirs_too = {"account": "acme:customer:two", "entity": "acme:ticket:7"}
    room.take([event("ticket.opened", START, id="opened", **theirs_too)], "acc_2")
    room.database.write(lambda connection: connection.execute(schema.archive.delete())).result()
    merge(room)
    assert room.rows(select(schema.entities.c.account, schema.entities.c.reference)) == [("acc_1", "acme:ticket:7")]
    room.take([event("ticket.solved", START + 60, id="solved", **theirs_too)], "acc_1")
    assert room.measures("acc_1")["open_tickets"] == 0
