from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import select

import hub
from hub.store.database import Database
from hub.store.schema import desired
from sinks import worker
from sinks.delivery import Deliveries
from sinks.publishing import to_log
from tests.sinks.kit import Bench, Crm, Pager, action, health


async def _until(true: Callable[[], Any], longest: float = 20.0) -> None:
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > longest:
            raise TimeoutError
        await asyncio.sleep(0.005)


def _wanting(database: Database, bench: Bench, many: int = 1) -> None:
    for n in range(many):
        bench.link(f"acc_{n}", f"crm:{n}")
    bench.show(*((n + 1, health(f"acc_{n}", 10 + n)) for n in range(many)))


def test_what_a_room_writes_is_pushed_at_once_when_it_wakes_the_workers(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "IDLE", 600.0)  # left alone, it would look again in ten minutes
    crm = Crm()
    bench = Bench(database, crm)

    async def live() -> None:
        deliveries = Deliveries(database, [crm], bench.log.publish)
        await deliveries.start()
        await asyncio.sleep(0.1)  # it looked, found nothing and rests

        def room() -> None:
            _wanting(database, bench)
            deliveries.wake()

        threading.Thread(target=room).start()
        await _until(lambda: crm.shown)
        await deliveries.stop()

    asyncio.run(live())


def test_what_another_process_wrote_is_pushed_within_about_a_second(database: Database) -> None:
    crm = Crm()
    bench = Bench(database, crm)

    async def live() -> None:
        deliveries = Deliveries(database, [crm], bench.log.publish)
        await deliveries.start()
        await asyncio.sleep(0.1)
        _wanting(database, bench)
        await _until(lambda: crm.shown)
        await deliveries.stop()

    asyncio.run(live())


def test_a_dead_destination_slows_no_other(database: Database) -> None:
    dead, alive = Crm("dead", batch=1), Crm("alive", batch=1)
    bench = Bench(database, dead, alive)
    _wanting(database, bench, 40)

    async def hang(_deliveries: Sequence[hub.Delivery]) -> Sequence[hub.Outcome]:
        await asyncio.sleep(60)
        return []

    dead.push = hang

    async def live() -> None:
        deliveries = Deliveries(database, [dead, alive], bench.log.publish)
        await deliveries.start()
        await _until(lambda: len(alive.shown) == 40)
        async with asyncio.timeout(20):  # the dead one's call would take a minute
            await deliveries.stop(grace=0.2)

    asyncio.run(live())
    assert {row.state for row in bench.rows() if row.sink == "dead"} == {"due"}


def test_stopping_lets_the_call_under_way_end_and_records_it(database: Database) -> None:
    crm = Crm()
    bench = Bench(database, crm)
    _wanting(database, bench)

    async def slow(deliveries: Sequence[hub.Delivery]) -> Sequence[hub.Outcome]:
        await asyncio.sleep(0.3)
        return [crm.take(d) for d in deliveries]

    crm.push = slow

    async def live() -> None:
        deliveries = Deliveries(database, [crm], bench.log.publish)
        await deliveries.start()
        await asyncio.sleep(0.15)
        await deliveries.stop()

    asyncio.run(live())
    assert [row.state for row in bench.rows()] == ["shown"]


def test_a_paused_destination_keeps_what_is_wanted_and_shows_the_newest_when_resumed(database: Database) -> None:
    crm = Crm()
    bench = Bench(database, crm)

    async def live() -> None:
        deliveries = Deliveries(database, [crm], bench.log.publish)
        await deliveries.start()
        await deliveries.pause("crm", "moving house")
        await asyncio.to_thread(_wanting, database, bench)
        deliveries.wake()
        await asyncio.sleep(0.2)
        assert crm.shown == {}
        await asyncio.to_thread(bench.show, (9, health("acc_0", 88)))
        await deliveries.resume("crm")
        await _until(lambda: crm.shown)
        await deliveries.stop()

    asyncio.run(live())
    assert crm.shown == {"0": [88]}


def test_what_was_rejected_is_replayed_all_at_once_or_one_by_its_key(database: Database) -> None:
    pager = Pager()
    bench = Bench(database, pager)
    bench.tell(action("alert:1"), action("alert:2"), action("alert:3"))
    pager.behave = lambda d: [hub.Reject("no such mailbox")] * len(d)

    async def live() -> None:
        deliveries = Deliveries(database, [pager], bench.log.publish)
        await deliveries.start()
        await _until(lambda: all(row.state == "rejected" for row in bench.alerts()))
        pager.behave = lambda d: None
        assert await deliveries.replay("pager", "alert:2") == 1
        await _until(lambda: pager.told == ["alert:2"])
        assert await deliveries.replay("pager") == 2
        await _until(lambda: len(pager.told) == 3)
        assert await deliveries.replay("nobody") == 0
        await deliveries.stop()

    asyncio.run(live())


def test_a_destination_that_lost_what_it_showed_is_told_everything_again(database: Database) -> None:
    crm = Crm()
    bench = Bench(database, crm)
    _wanting(database, bench, 3)

    async def live() -> None:
        deliveries = Deliveries(database, [crm], bench.log.publish)
        await deliveries.start()
        await _until(lambda: len(crm.shown) == 3)
        await _until(lambda: not deliveries_due(database))
        crm.shown.clear()
        assert await deliveries.again("crm") == 3
        await _until(lambda: len(crm.shown) == 3)
        await deliveries.stop()

    asyncio.run(live())


def deliveries_due(database: Database) -> int:
    with database.read() as connection:
        states = connection.execute(select(desired.c.state)).scalars().all()
    return sum(state != "shown" for state in states)


def test_live_pages_are_told_whose_delivery_was_recorded(database: Database) -> None:
    crm = Crm()
    bench = Bench(database, crm)
    _wanting(database, bench, 2)
    told: list[tuple[str, Sequence[str]]] = []

    async def live() -> None:
        deliveries = Deliveries(database, [crm], bench.log.publish, told=lambda s, a: told.append((s, a)))
        await deliveries.start()
        await _until(lambda: told)
        await deliveries.stop()

    asyncio.run(live())
    assert told == [("crm", ["acc_0", "acc_1"])]


def test_a_database_in_trouble_is_said_once_and_waited_for(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    crm = Crm()
    bench = Bench(database, crm)
    _wanting(database, bench)
    real = database.write

    async def live() -> None:
        deliveries = Deliveries(database, [crm], bench.log.publish)
        await deliveries.start()
        await _until(lambda: crm.shown)
        database.write = lambda job: _raise()
        bench.database = Writing(database, real)
        await asyncio.to_thread(bench.show, (2, health("acc_0", 20)))
        deliveries.wake()
        await asyncio.sleep(0.3)
        database.write = real
        deliveries.wake()
        await _until(lambda: crm.shown == {"0": [10, 20]})
        await deliveries.stop()

    asyncio.run(live())
    assert [r.message for r in caplog.records if r.name.startswith("sinks")] == [
        "sinks.worker_halted",
        "sinks.worker_back",
    ]


class Writing:
    """The same database through its real writer."""

    def __init__(self, database: Database, write: Callable[..., Any]) -> None:
        self.read, self.write = database.read, write


def _raise() -> Any:
    raise OSError("disk full")


def test_starting_twice_in_two_loops_and_waking_in_between_is_harmless(database: Database) -> None:
    crm = Crm()
    bench = Bench(database, crm)
    deliveries = Deliveries(database, [crm], bench.log.publish)
    deliveries.wake()  # before any start

    async def first() -> None:
        await deliveries.start()
        await deliveries.stop()

    asyncio.run(first())
    deliveries.wake()  # after the stop, the loop being gone
    assert crm.calls == []


def test_receipts_go_to_the_partition_of_their_account() -> None:
    appended: list[Any] = []

    class FakeLog:
        partitions = 8

        def append(self, entries: Sequence[Any]) -> Any:
            from concurrent.futures import Future  # noqa: PLC0415 - of this fake only

            appended.extend(entries)
            done: Future[None] = Future()
            done.set_result(None)
            return done

    from hub.streams.room import Message  # noqa: PLC0415 - of this test only
    from hub.streams.topics import DELIVERIES, partition_of  # noqa: PLC0415 - of this test only

    asyncio.run(to_log(FakeLog(), lambda: 5.0)(DELIVERIES, [Message(b"acc_1", b"{}")]))
    assert [(e.topic, e.partition, e.key, e.timestamp) for e in appended] == [
        ("deliveries", partition_of(b"acc_1", 8), b"acc_1", 5.0),
    ]
