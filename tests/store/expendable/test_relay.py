"""News from one process to another: two `Live`, two clients and two relays stand for two processes."""

import asyncio
import contextlib
import time

import msgspec
import pytest
from sqlalchemy import insert

from hub.store.expendable.client import Expendable
from hub.store.expendable.moved import Moved
from hub.store.expendable.relay import Relay
from hub.store.heartbeats import Heartbeats
from hub.store.live import Live, News
from hub.store.schema import dead_letters, ledger, outlets, receipts


class Remembering(Live):
    """Remembers what it told."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def deliver(self, news):
        self.heard.append(news)
        super().deliver(news)


class Process:
    """A `Live` and its relay."""

    def __init__(self, redis, database, **more):
        self.live = Remembering()
        self.relay = Relay(self.live, redis, database, **more)

    @property
    def heard(self):
        return self.live.heard

    def topics(self):
        return [news.topic for news in self.heard]


@pytest.fixture
def process(database, made):
    """Makes started processes, and stops them."""
    with contextlib.ExitStack() as started:

        def make(redis=None, **more):
            one = Process(redis or made(), database, **more)
            started.enter_context(one.relay)
            return one

        yield make


@pytest.fixture
def listening(look, until):
    """Waits until so many processes listen."""

    def wait(many):
        until(lambda: dict(look.pubsub_numsub("pulsehub:test:news"))[b"pulsehub:test:news"] == many)

    return wait


def rescore(database, partition, first, *accounts):
    """What a worker's transaction leaves behind when it rescored some accounts."""
    rows = [
        {
            "partition": partition,
            "sequence": first + n,
            "account": account,
            "at": time.time(),
            "health": 50.0,
            "band": "watch",
            "message": b"{}",
        }
        for n, account in enumerate(accounts)
    ]

    def write(connection):
        connection.execute(insert(ledger), rows)
        where = (outlets.c.topic == "health") & (outlets.c.partition == partition)
        if not connection.execute(outlets.update().where(where).values(next=first + len(accounts))).rowcount:
            key = {"room": "scoring.rescore", "topic": "health", "partition": partition}
            connection.execute(insert(outlets), [{**key, "next": first + len(accounts)}])

    database.write(write).result()


def deliver(database, sink, account):
    row = {"at": 1.0, "sink": sink, "account": account, "key": "k", "outcome": "ok", "attempt": 1, "took": 0.1}
    database.write(lambda connection: connection.execute(insert(receipts), [{**row, "fields": "{}"}]) and None).result()


def fail(database):
    row = {"id": "l", "at": 5.0, "stage": "apply", "connection": "crm", "reason": "r", "version": "", "context": "{}"}
    row |= {"body": b"", "state": "open"}
    database.write(lambda connection: connection.execute(insert(dead_letters), [row]) and None).result()


def test_what_one_process_publishes_the_other_hears_at_once_and_itself_once(process, listening, until):
    worker, web = process(), process()
    listening(2)
    begun = time.monotonic()
    worker.live.publish("health", {"accounts": ["acc_1"]})
    until(lambda: web.heard)
    assert time.monotonic() - begun < 0.5
    web.live.publish("deliveries", {"sink": "crm", "accounts": []})
    until(lambda: len(worker.heard) == 2)
    assert web.heard == [
        News("health", {"accounts": ["acc_1"]}),
        News("deliveries", {"sink": "crm", "accounts": []}),
    ]
    assert worker.heard == web.heard


def test_it_reaches_an_event_loop_that_subscribed(made, database, listening):
    sender, receiver = Live(), Live()

    async def main():
        with Relay(sender, made(), database, listens=False), Relay(receiver, made(), database):
            await asyncio.to_thread(listening, 1)
            with receiver.subscribe() as news:
                sender.publish("health", {"accounts": ["acc_1"]})
                return await asyncio.wait_for(anext(news), 5)

    assert asyncio.run(main()) == News("health", {"accounts": ["acc_1"]})


def test_a_worker_tells_and_does_not_listen(process, listening, until):
    worker, web = process(listens=False), process()
    listening(1)
    worker.live.publish("health", {})
    until(lambda: web.heard)


def test_installations_do_not_hear_each_other(process, made, listening, until):
    ours, theirs, last = process(), process(made(name="other")), process()
    listening(2)
    ours.live.publish("health", {})
    until(lambda: last.heard)
    assert theirs.heard == []


def test_what_is_not_ours_on_the_channel_is_passed_over(process, look, listening, until):
    ours, theirs = process(), process()
    listening(2)
    for nonsense in (b"", b"{", b"[1]", b'["a", "health", 3]', b"\xff"):
        look.publish("pulsehub:test:news", nonsense)
    look.publish("pulsehub:test:news", msgspec.json.encode(["a process to come", "health", {}, "and more"]))
    theirs.live.publish("events", {})
    until(lambda: "events" in ours.topics())
    assert ours.topics() == ["health", "events"]


def test_without_a_redis_the_database_tells_what_moved(process, database, until):
    web = process(Expendable(None))
    until(lambda: web.relay._moved._marks)
    rescore(database, 0, 1, "acc_1")
    until(lambda: web.heard == [News("health", {"accounts": ["acc_1"]})])


def test_a_look_finds_what_came_since_the_one_before_and_nothing_twice(database):
    rescore(database, 0, 1, "acc_old")
    moved = Moved(database)
    assert moved.look() == []
    rescore(database, 0, 2, "acc_1", "acc_2", "acc_1")
    rescore(database, 5, 1, "acc_3")
    deliver(database, "crm", "acc_1")
    fail(database)
    assert moved.look() == [
        News("health", {"accounts": ["acc_1", "acc_2", "acc_3"]}),
        News("deliveries", {"sink": "crm", "accounts": ["acc_1"]}),
        News("dead_letters", {}),
    ]
    assert moved.look() == []


def test_a_process_that_came_or_has_other_partitions_is_news_and_one_that_only_lives_on_is_none(database):
    state = {"rooms": {"scoring.rescore": [0]}}
    beats, moved = Heartbeats(database, "worker", "0.1.0", lambda: state, id="worker:1:1"), Moved(database)
    moved.look()
    asyncio.run(beats.beat())
    assert moved.look() == [News("streams", {})]
    asyncio.run(beats.beat())
    assert moved.look() == []
    state["rooms"] = {"scoring.rescore": [0, 1]}
    asyncio.run(beats.beat())
    assert moved.look() == [News("streams", {})]


@pytest.mark.parametrize("how", ["stop", "pause"])
def test_while_redis_is_gone_the_database_tells_and_after_it_redis_again(  # noqa: PLR0917 - fixtures are asked for by name
    server, process, database, listening, until, said, how
):
    worker, web = process(listens=False), process()
    listening(1)
    getattr(server, how)()
    worker.live.publish("health", {"accounts": ["acc_1"]})
    rescore(database, 0, 1, "acc_1")
    until(lambda: News("health", {"accounts": ["acc_1"]}) in web.heard)
    {"stop": server.start, "pause": server.resume}[how]()

    def arrives():  # of acc_2 the database knows nothing
        worker.live.publish("health", {"accounts": ["acc_2"]})
        return News("health", {"accounts": ["acc_2"]}) in web.heard

    until(arrives)
    assert sorted(said.names) == ["redis.back"] * 2 + ["redis.down"] * 2  # once by each of the two


def test_what_moved_while_redis_went_and_came_is_not_missed(server, process, database, listening, until):
    web = process()
    listening(1)
    server.stop()
    server.start()
    rescore(database, 0, 1, "acc_1")
    listening(1)
    until(lambda: "health" in web.topics())


def test_a_flush_changes_nothing(process, look, listening, until):
    worker, web = process(), process()
    listening(2)
    look.flushall()
    worker.live.publish("health", {})
    until(lambda: web.heard)


def test_publishing_never_waits_for_a_redis_that_hangs(server, process, listening):
    worker = process()
    listening(1)
    server.pause()
    begun = time.monotonic()
    for _ in range(10_000):
        worker.live.publish("health", {"accounts": ["acc_1"]})
    assert time.monotonic() - begun < 2.0
    server.resume()


def test_stopped_it_carries_no_more(process, listening, until):
    worker, web = process(), process()
    listening(2)
    worker.relay.stop()
    worker.live.publish("events", {})
    web.relay._expendable.ask(lambda redis: redis.ping())
    listening(1)
    assert web.heard == []
