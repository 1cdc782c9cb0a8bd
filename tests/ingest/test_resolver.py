"""Identity with a memory, over a real database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, insert

import hub
from hub.ingest.identity import account_id
from hub.ingest.resolver import Resolver
from hub.store import schema


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def resolver(database, clock):
    return Resolver(database, clock)


def event(account, **properties):
    return hub.Event(
        id="x:1",
        kind="usage.tracked",
        account=account,
        occurred_at=datetime(2026, 3, 1, tzinfo=UTC),
        properties=properties,
    )


def link(database, reference, account, how="record"):
    row = {"reference": reference, "account": account, "how": how, "at": 0.0}
    database.write(lambda c: c.execute(insert(schema.links), row)).result()


def merge(database, absorbed, survivor):
    row = {"absorbed": absorbed, "survivor": survivor, "at": 0.0, "why": "test"}
    database.write(lambda c: c.execute(insert(schema.merges), row)).result()


def test_links_in_the_database_decide(resolver, database):
    link(database, "z:1", "acc_one")
    link(database, "domain:acme.com", "acc_acme", "domain")

    assert resolver.resolve([event("z:1"), event("z:2", domain="acme.com"), event("z:3")]) == [
        "acc_one",
        "acc_acme",
        account_id("z:3"),
    ]


def test_a_reference_keeps_its_account_before_its_link_is_written(resolver):
    first = resolver.resolve([event("z:1")])

    assert resolver.resolve([event("z:1", external_id="K", domain="acme.com")]) == first
    assert resolver.resolve([event("s:9", external_id="K")]) == first
    assert resolver.resolve([event("s:8", email="ada@acme.com")]) == first


def test_what_is_assigned_in_one_batch_holds_within_it(resolver):
    accounts = resolver.resolve([event("z:1", domain="acme.com"), event("z:2", domain="acme.com"), event("z:1")])

    assert len(set(accounts)) == 1


def test_two_keys_of_one_domain_stay_apart_whether_linked_or_only_assigned(resolver, database):
    assert len(set(resolver.resolve([event("a:1", external_id="EU", domain="acme.com")]))) == 1
    link(database, "domain:globex.com", "acc_globex", "domain")
    link(database, "key:EU2", "acc_globex", "key")

    assert resolver.resolve([event("a:2", external_id="US", domain="acme.com")]) == [account_id("key:US")]
    assert resolver.resolve([event("a:3", external_id="US2", domain="globex.com")]) == [account_id("key:US2")]


def test_a_merge_redirects_within_a_second_and_its_undoing_too(resolver, database, clock):
    link(database, "z:1", "acc_old")
    assert resolver.resolve([event("z:1")]) == ["acc_old"]

    merge(database, "acc_old", "acc_new")
    clock.now += 2
    assert resolver.resolve([event("z:1")]) == ["acc_new"]

    database.write(lambda c: c.execute(delete(schema.merges))).result()
    clock.now += 2
    assert resolver.resolve([event("z:1")]) == ["acc_old"]


def test_a_link_written_by_applying_is_believed_after_a_second(resolver, database, clock):
    assert resolver.resolve([event("z:1")]) == [account_id("z:1")]
    link(database, "z:1", "acc_decided")

    clock.now += 2
    assert resolver.resolve([event("z:1")]) == ["acc_decided"]


def test_links_changed_by_hand_count_once_it_is_told_to_forget(resolver, database):
    link(database, "z:1", "acc_a")
    resolver.resolve([event("z:1")])
    database.write(lambda c: c.execute(schema.links.update().values(account="acc_b"))).result()

    resolver.forget()
    assert resolver.resolve([event("z:1")]) == ["acc_b"]


def test_more_references_than_a_query_takes_are_found(resolver, database):
    rows = [{"reference": f"z:{n}", "account": f"acc_{n}", "how": "record", "at": 0.0} for n in range(1700)]
    database.write(lambda c: c.execute(insert(schema.links), rows)).result()

    assert resolver.resolve([event(f"z:{n}") for n in range(1700)]) == [f"acc_{n}" for n in range(1700)]
