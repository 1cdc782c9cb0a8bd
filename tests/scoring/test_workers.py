"""Several workers on one database: what one of them does, the others find out before they do anything themselves."""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import msgspec
import pytest
from sqlalchemy import func, select

from hub.ingest.identity import account_id
from hub.store import schema
from hub.store.database import Database
from hub.streams.topics import partition_of
from scoring.clock import DAY
from scoring.links import MERGED
from scoring.loading import load
from scoring.merges import Merges, tell
from scoring.rescore import Rescore
from tests import engines
from tests.scoring.company import Company
from tests.scoring.room import PARTITIONS, START, event

pytestmark = pytest.mark.usefixtures("engine")
server = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)


@pytest.fixture
def databases(tmp_path):
    """One database, as three processes have it open."""
    with ExitStack() as opened:
        yield [opened.enter_context(Database(engines.url(tmp_path))) for _ in range(3)]


@server
def test_workers_may_start_together_with_measures_that_are_new(databases):
    config = load()
    for _ in range(10):
        databases[0].write(lambda c: c.execute(schema.meta.delete().where(schema.meta.c.key.like("row:%")))).result()
        ready = threading.Barrier(len(databases), timeout=10)

        def start(database, ready=ready):
            ready.wait()
            Rescore(database, config, "wall", 4)

        with ThreadPoolExecutor() as processes:
            list(processes.map(start, databases))


def merging(absorbed, survivor, committing=lambda: None):
    """A transaction that merges, and what happens before it is on disk."""

    def job(connection):
        tell(connection)
        merge = {"absorbed": absorbed, "survivor": survivor, "at": 0.0, "why": "told so"}
        connection.execute(schema.merges.insert().values(merge))
        committing()

    return job


@server
def test_of_two_merges_at_once_a_third_worker_sees_both(databases):
    first, second, third = databases
    seen = Merges()
    third.write(seen.read).result()
    begun, go = threading.Event(), threading.Event()
    one = first.write(merging("acc_1", "acc_9", lambda: (begun.set(), go.wait(10))))
    begun.wait(10)
    two = second.write(merging("acc_2", "acc_9"))
    with pytest.raises(TimeoutError):
        two.result(0.3)  # it waits for the first
    go.set()
    one.result()
    found = third.write(seen.read).result()
    two.result()
    assert found | third.write(seen.read).result() == {"acc_1", "acc_2"}
    assert seen.survivors == {"acc_1": "acc_9", "acc_2": "acc_9"}
    assert third.write(seen.read).result() == frozenset()


def test_what_went_and_came_back_unseen_cannot_be_told(database):
    seen = Merges()
    database.write(merging("acc_1", "acc_9")).result()
    database.write(seen.read).result()
    database.write(merging("acc_2", "acc_9")).result()

    def undo(connection):
        tell(connection)
        connection.execute(schema.merges.delete().where(schema.merges.c.absorbed == "acc_2"))

    database.write(undo).result()
    assert database.write(seen.read).result() is None
    assert database.write(seen.read).result() == frozenset()


@pytest.fixture
def company(tmp_path):
    company = Company(tmp_path)
    yield company
    company.close()


def account(partition, name="a"):
    """An account of ours whose events lie in this partition; the first worker has the even ones."""
    tried = (account_id(f"acme:{name}:{n}") for n in itertools.count())
    return next(one for one in tried if partition_of(one.encode(), PARTITIONS) == partition)


def say(company, of, *ids):
    for name in ids:
        company.say(event("session.started", START + len(company.log), id=name, account=f"acme:customer:{of}"), of)


def merge(company, absorbed, survivor, **more):
    properties = {"absorbed": absorbed, "why": "told so"} | more
    name = f"merge:{len(company.log)}"
    told = event(MERGED, START, id=name, account=survivor, connection="pulsehub", properties=properties)
    company.say(told, survivor)


def usage(company, of):
    return company.measures(of)["usage_7d"]


def accounts(company):
    return {row.id for row in company.rows(select(schema.accounts.c.id))}


FIRST, SECOND = account(0), account(1)


def test_what_was_merged_between_two_transactions_is_not_kept_through_a_rebalance(company):
    say(company, FIRST, "one")
    say(company, SECOND, "two", "three")
    company.settle()
    merge(company, SECOND, FIRST)
    company.turn(0)
    company.assign(1, kept=company.shares[1])
    company.now += 2 * DAY
    company.settle()
    assert accounts(company) == {FIRST}
    company.say(event("session.started", company.now, id="four", account=f"acme:customer:{SECOND}"), SECOND)
    company.settle()
    assert usage(company, FIRST) == pytest.approx(1 + 3 * 2 ** (-2 / 7), rel=1e-2)


def test_what_came_back_between_two_transactions_is_there_after_a_rebalance(company):
    say(company, FIRST, "one")
    say(company, SECOND, "two", "three")
    company.settle()
    merge(company, SECOND, FIRST)
    company.settle()
    merge(company, SECOND, FIRST, undo=True)
    company.turn(0)
    company.assign(1, kept=company.shares[1])
    say(company, SECOND, "four")
    company.settle()
    assert accounts(company) == {FIRST, SECOND}
    assert usage(company, SECOND) == pytest.approx(3.0, rel=1e-2)


@pytest.mark.parametrize("rebalance", [False, True])
def test_what_went_and_came_back_unseen_has_all_that_it_was_told_meanwhile(company, rebalance):
    say(company, FIRST, "one")
    say(company, SECOND, "two")
    company.settle()
    merge(company, SECOND, FIRST)
    company.say(event("session.started", id="three", account=f"acme:customer:{SECOND}"), FIRST)  # by a door that knows
    merge(company, SECOND, FIRST, undo=True)
    while company.turn(0, most=1):
        pass
    assert usage(company, SECOND) == pytest.approx(2.0, rel=1e-2)
    if rebalance:
        company.assign(1, kept=company.shares[1])
    say(company, SECOND, "four")
    company.settle()
    assert usage(company, SECOND) == pytest.approx(3.0, rel=1e-2)


def merges(company):
    return {(row.absorbed, row.survivor) for row in company.rows(select(schema.merges))}


THIRD = account(2)


@pytest.fixture
def three(company):
    """Customers of two workers, one session each."""
    for number, of in enumerate((FIRST, SECOND, THIRD)):
        say(company, of, f"own:{number}")
    company.settle()
    return company


CHAINS = [[(SECOND, FIRST), (THIRD, SECOND)], [(THIRD, SECOND), (SECOND, FIRST)]]


@pytest.mark.parametrize("chain", CHAINS)
def test_a_chain_of_merges_ends_at_its_end_whichever_was_told_first(three, chain):
    for absorbed, survivor in chain:
        merge(three, absorbed, survivor)
        three.settle()
    assert accounts(three) == {FIRST}
    assert usage(three, FIRST) == pytest.approx(3.0, rel=1e-2)
    assert {row.account for row in three.rows(select(schema.links.c.account))} == {FIRST}
    assert merges(three) == {(SECOND, FIRST), (THIRD, SECOND)}


@pytest.mark.parametrize("chain", CHAINS)
def test_the_middle_of_a_chain_takes_along_what_was_merged_into_it(three, chain):
    for absorbed, survivor in chain:
        merge(three, absorbed, survivor)
        three.settle()
    say(three, THIRD, "later")
    merge(three, SECOND, FIRST, undo=True)
    three.settle()
    assert accounts(three) == {FIRST, SECOND}
    assert (usage(three, FIRST), usage(three, SECOND)) == pytest.approx((1.0, 3.0), rel=1e-2)


@pytest.mark.parametrize("chain", CHAINS)
def test_the_end_of_a_chain_is_taken_back_from_where_it_is_now(three, chain):
    for number, (absorbed, survivor) in enumerate(chain):
        merge(three, absorbed, survivor)
        three.settle()
        say(three, THIRD, f"later:{number}")
        three.settle()
    merge(three, THIRD, SECOND, undo=True)
    three.settle()
    assert accounts(three) == {FIRST, THIRD}
    assert (usage(three, FIRST), usage(three, THIRD)) == pytest.approx((2.0, 3.0), rel=1e-2)
    assert merges(three) == {(SECOND, FIRST)}
    holders = {row.reference: row.account for row in three.rows(select(schema.links))}
    assert holders == {f"acme:customer:{of}": FIRST if of == SECOND else of for of in (FIRST, SECOND, THIRD)}
    say(three, THIRD, "last")
    three.settle()
    assert usage(three, THIRD) == pytest.approx(4.0, rel=1e-2)


@pytest.mark.parametrize("circle", [[(FIRST, FIRST)], [(SECOND, FIRST), (THIRD, SECOND), (FIRST, THIRD)]])
def test_a_circle_ends_where_it_would_close(three, circle):
    for absorbed, survivor in circle:
        merge(three, absorbed, survivor)
        three.settle()
    assert merges(three) == set(circle[:-1])
    assert usage(three, FIRST) == pytest.approx(float(len(circle)), rel=1e-2)


def test_a_merge_passed_on_for_another_that_was_taken_back_comes_back_to_its_account(three):
    merge(three, SECOND, FIRST)
    three.settle()
    merge(three, THIRD, SECOND)
    three.turn(1)  # passes it on to the first
    merge(three, SECOND, FIRST, undo=True)
    three.turn(1)
    first_of = [one for one in three.log if one.key == FIRST.encode()][-2:]
    three.log = [one for one in three.log if one not in first_of] + first_of[::-1]  # which the taking back overtook
    three.turn(0, most=1)
    three.look(1)
    three.settle()
    say(three, SECOND, "later")
    three.settle()
    assert accounts(three) == {FIRST, SECOND}
    assert (usage(three, FIRST), usage(three, SECOND)) == pytest.approx((1.0, 3.0), rel=1e-2)


@server
def test_what_two_workers_are_told_of_one_person_at_once_is_all_kept(company, tmp_path):
    def told(worker, of, **facts):
        of_person = event("email.received", id=f"{of}:{facts}", account=f"acme:customer:{of}", contact="acme:user:ada")
        record = company.record(of, msgspec.structs.replace(of_person, properties=facts))
        return lambda connection: company.workers[worker].step(connection, [record])

    company.database.write(lambda c: told(0, FIRST)(c).write(c)).result()
    decided = threading.Event()

    def slow(connection):
        step = told(0, FIRST, contact_name="Ada")(connection)
        decided.set()
        time.sleep(0.5)  # the other is quicker, if it may be
        step.write(connection)

    with Database(engines.url(tmp_path)) as other:
        first = company.database.write(slow)
        decided.wait(10)
        other.write(lambda c: told(1, SECOND, email="ada@acme.com")(c).write(c)).result()
        first.result()
    assert company.rows(select(schema.contacts.c.name, schema.contacts.c.email)) == [("Ada", "ada@acme.com")]


@server
@pytest.mark.parametrize("many", [3, 80])
def test_what_two_workers_are_told_at_once_is_applied_by_one_and_known_to_the_other(company, tmp_path, many):
    told = [event("usage.tracked", id=f"acme:{number}", account="acme:customer:1") for number in range(many)]

    def job(worker, account, decided):
        def apply(connection):
            step = company.workers[worker].step(connection, [company.record(account, one) for one in told])
            decided.set()
            time.sleep(0.3)  # so that both have looked before either writes
            step.write(connection)
            return step.duplicates

        return apply

    first, second = threading.Event(), threading.Event()
    with Database(engines.url(tmp_path)) as other:
        ours = company.database.write(job(0, FIRST, first))
        first.wait(10)
        theirs = other.write(job(1, SECOND, second))
        assert sorted([ours.result(), theirs.result()]) == [0, many]
    assert company.rows(select(func.count()).select_from(schema.archive)) == [(many,)]
