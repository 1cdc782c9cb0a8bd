"""Partitions that go from one worker to another while something of them is still under way."""

import asyncio

import pytest

from hub.streams import agent, publisher
from hub.streams.log import LogError
from hub.streams.topics import ACTIONS
from tests.streams.alone import Log, feed, outlets, record, records, working
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
