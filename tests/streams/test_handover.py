"""Partitions that go from one worker to another while something of them is still under way."""

import asyncio

import pytest
from sqlalchemy.exc import OperationalError

from hub.streams import agent, publisher
from hub.streams.log import LogError
from hub.streams.topics import ACTIONS
from tests.streams.alone import Forgetful, Log, feed, outlets, record, records, working
from tests.streams.kit import Keeper, until


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(agent, "_HANDOVER", 0.05)
    monkeypatch.setattr(agent, "_MARK_EVERY", 0.0)


def test_an_acknowledgement_that_comes_after_a_partition_went_moves_nothing_of_who_has_it_now(database):
    log = Log()

    async def run():
        async with working(Keeper(says=ACTIONS), database, log, [0, 1]) as late:
            await feed(late, *records(1, 0, 5))
            log.hold()
            await feed(late, record(1, 5))
            await late.revoked()
            await late.assigned([0])
            async with working(Keeper(says=ACTIONS), database, Log(), [1]) as now:
                await feed(now, record(1, 6))
                await feed(now, record(1, 7))
                log.let_go()
                await asyncio.sleep(0.05)
                await feed(late, record(0, 0))
        return outlets(database)

    assert asyncio.run(run()) == {0: (2, 0), 1: (9, 7)}


def test_who_gives_a_partition_up_while_it_catches_up_sends_no_more_of_it(database, monkeypatch):
    monkeypatch.setattr(publisher, "_CHUNK", 10)
    log = Log()

    async def run():
        async with working(Keeper(says=ACTIONS), database, log, [0, 1]) as late:
            log.hold()
            await feed(late, *records(1, 0, 100))
            failed, _ = log.held.pop()
            failed.set_exception(LogError("the broker does not answer"))
            await until(lambda: log.held)  # it begins again, ten at a time
            await late.revoked()
            log.let_go()
            await asyncio.sleep(0.1)
            await late.assigned([0])
            await asyncio.sleep(0.1)

    asyncio.run(run())
    assert [entry.sequence for entry in log.got] == list(range(1, 11))


def test_who_stops_without_knowing_what_was_committed_leaves_it_as_it_is(database, monkeypatch):
    monkeypatch.setattr(agent, "_MARK_EVERY", 1e9)
    forgetful, log = Forgetful(database), Log()

    async def run():
        async with working(Keeper(says=ACTIONS), forgetful, log, [0]) as first:
            await feed(first, record(0, 0))
            forgetful.meanwhile = lambda: setattr(first, "_stopping", True)
            await feed(first, record(0, 1))
            await first.settle()
        left = outlets(database)
        room = Keeper(says=ACTIONS)
        async with working(room, database, log, [0]) as second:
            await feed(second, *records(0, 0, 3))
        return left, room.applied

    assert asyncio.run(run()) == ({0: (3, 0)}, [b"0:2"])
    assert [entry.sequence for entry in log.got if entry.topic == "actions"] == [1, 1, 2, 3]


class Remembering(Keeper):
    def assign(self, connection, partitions, kept=()):
        super().assign(connection, partitions)
        self.kept = sorted(kept)


def test_partitions_that_come_back_are_remembered(database):
    room = Remembering()

    async def run():
        async with working(room, database, Log(), [0, 1]) as agent:
            await feed(agent, record(0, 0))
            await agent.revoked()
            await agent.assigned([0, 2])

    asyncio.run(run())
    assert room.kept == [0]


def test_nothing_is_remembered_where_nobody_knows_what_was_committed(database):
    room, forgetful = Remembering(), Forgetful(database)

    async def run():
        async with working(room, forgetful, Log(), [0, 1]) as agent:
            forgetful.meanwhile = lambda: setattr(agent, "away", True)  # they are to be divided anew
            await feed(agent, record(0, 0))
            await agent.revoked()
            await agent.assigned([0, 1])
            assert agent.books.next[0] == 1

    asyncio.run(run())
    assert room.kept == []


def test_partitions_whose_rows_could_not_be_loaded_are_not_taken_for_loaded(database):
    class Unlucky(Remembering):
        def assign(self, connection, partitions, kept=()):
            super().assign(connection, partitions, kept)
            if self.assigned == 2:
                raise OperationalError("select", {}, Exception("server closed the connection"))

    room = Unlucky()

    async def run():
        async with working(room, database, Log(), [0]) as agent:
            await agent.revoked()
            await agent.assigned([0, 1])

    asyncio.run(run())
    assert (room.assigned, room.kept) == (3, [])


def test_what_a_catch_up_read_before_it_was_put_is_not_said_again(database):
    """It is committed, read from the outbox and sent; only then does the agent come to hand it over."""
    log = Log()

    async def run():
        async with working(Keeper(says=ACTIONS), database, log, [0]) as one:
            put, late = one.publisher.put, []
            one.publisher.put = late.extend
            await feed(one, *records(0, 0, 3))
            one.publisher.again()
            await until(lambda: len(log.got) == 3)
            one.publisher.put = put
            put(late)
            await feed(one, record(0, 3))

    asyncio.run(run())
    assert [entry.sequence for entry in log.got] == [1, 2, 3, 4]
