"""Several processes deliver to one destination; they are paused, cut off and killed at the worst moments."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

import hub
from hub.store.database import Database
from hub.store.leases import Lease, LeaseLostError, Leases
from hub.store.schema import leases, receipts
from sinks.delivery import Deliveries, queue_of
from sinks.outcomes import JOB_LIFE
from sinks.worker import Worker
from tests.engines import url
from tests.sinks.kit import Bench, Clock, Crm, Pager, action, health, record

PATIENCE = 60.0


class Line:
    """How one process reaches the destination that all share: it may be stopped before a call leaves, or before its
    answer is back."""

    def __init__(self, there: Crm) -> None:
        self.there = there
        self.name, self.vendor, self.shape, self.batch = there.name, there.vendor, there.shape, there.batch
        self.target, self.fields, self.poll = there.target, there.fields, there.poll
        self.leave, self.back = asyncio.Event(), asyncio.Event()
        self.reached, self.called = asyncio.Event(), asyncio.Event()
        self.flow()

    def flow(self) -> None:
        """Calls leave at once, and are answered at once."""
        self.leave.set()
        self.back.set()

    async def push(self, deliveries: Sequence[hub.Delivery]) -> Sequence[hub.Outcome]:
        self.called.set()
        await self.leave.wait()
        answer = await self.there.push(deliveries)
        self.reached.set()
        await self.back.wait()
        return answer


class Process:
    """A delivering process whose lease ends when the test says so, and which does not notice unless it asks."""

    def __init__(self, database: Database, bench: Bench, sink: Crm, name: str) -> None:
        self.line = Line(sink)
        self.monotonic = Clock()
        self.leases = Leases(database, name, monotonic=self.monotonic)
        self.worker = Worker(
            self.line,
            queue_of(sink),
            database,
            publish=bench.log.publish,
            clock=bench.clock,
            rng=Random(1),
            patience=PATIENCE,
        )
        self.lease: Lease | None = None

    async def take_over(self) -> None:
        """Hold the lease, whoever had it: its term is over."""
        _over(self.leases.database, self.line.name)
        self.lease = await self.leases.acquire(f"deliver:{self.line.name}")
        await self.worker._take_over()

    async def once(self) -> bool:
        assert self.lease is not None
        return await self.worker.once(self.lease)

    @asynccontextmanager
    async def stopped(self, *, arrived: bool) -> AsyncIterator[None]:
        """A call is made and the process stopped, after it `arrived` there or before it left; then it wakes up, finds
        its lease gone, and says so."""
        (self.line.back if arrived else self.line.leave).clear()
        self.line.called.clear()
        self.line.reached.clear()
        call = asyncio.create_task(self.once())
        await (self.line.reached if arrived else self.line.called).wait()
        yield
        self.line.flow()
        with pytest.raises(LeaseLostError):
            await call
        await self.worker.stand_by()


def _over(database: Database, sink: str = "crm") -> None:
    ended = update(leases).where(leases.c.name == f"deliver:{sink}").values(until=0.0)
    database.write(lambda c: c.execute(ended)).result()


def _ready(database: Database, sink: Crm, many: int = 1, processes: int = 2) -> tuple[Bench, list[Process]]:
    bench = Bench(database, sink)
    for n in range(many):
        bench.link(f"acc_{n}", f"crm:{n}")
    return bench, [Process(database, bench, sink, f"process {n}") for n in range(processes)]


def _kept(database: Database) -> int:
    with database.read() as connection:
        return len(connection.execute(select(receipts)).all())


async def _until(true: Callable[[], Any], longest: float = 20.0) -> float:
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > longest:
            raise TimeoutError
        await asyncio.sleep(0.005)
    return time.monotonic() - began


def test_a_call_that_arrives_after_its_successors_is_told_over_again(database: Database) -> None:
    crm = Crm()
    bench, (old, new) = _ready(database, crm)

    async def live() -> None:
        await old.take_over()
        bench.show((1, health("acc_0", 10)))
        async with old.stopped(arrived=False):
            bench.show((2, health("acc_0", 20)))
            await new.take_over()
            await new.once()
            assert bench.rows()[0].state == "shown"
        assert crm.shown == {"0": [20, 10]}  # that is what cannot be helped
        await new.once()

    asyncio.run(live())
    assert crm.shown == {"0": [20, 10, 20]}
    assert [(row.state, row.shown) for row in bench.rows()] == [("shown", '{"band":"steady","score":20}')]


def test_a_late_call_casts_doubt_on_the_call_its_successor_has_under_way(database: Database) -> None:
    crm = Crm()
    bench, (old, new) = _ready(database, crm)

    async def live() -> None:
        await old.take_over()
        bench.show((1, health("acc_0", 10)))
        async with old.stopped(arrived=False):
            bench.show((2, health("acc_0", 20)))
            await new.take_over()
            new.line.back.clear()
            call = asyncio.create_task(new.once())
            await new.line.reached.wait()  # 20 is there, its answer on the way, and now 10 arrives
        new.line.flow()
        await call
        assert bench.rows()[0].state == "due"  # not believed
        await new.once()

    asyncio.run(live())
    assert crm.shown == {"0": [20, 10, 20]}
    assert bench.rows()[0].state == "shown"


def test_a_stale_holder_records_nothing_of_its_call(database: Database) -> None:
    crm = Crm()
    bench, (old, new) = _ready(database, crm)

    async def live() -> None:
        await old.take_over()
        bench.show((1, health("acc_0", 10)))
        old.line.back.clear()
        call = asyncio.create_task(old.once())
        await old.line.reached.wait()
        await new.take_over()
        before = bench.rows(), _kept(database)
        old.line.flow()
        with pytest.raises(LeaseLostError):
            await call
        assert (bench.rows(), _kept(database)) == before
        with pytest.raises(LeaseLostError):
            await old.once()
        assert len(crm.calls) == 1  # it did not even call

    asyncio.run(live())


def test_a_holder_that_slept_past_its_deadline_makes_no_call(database: Database) -> None:
    crm = Crm()
    bench, (old, new) = _ready(database, crm)

    async def live() -> None:
        await old.take_over()
        bench.show((1, health("acc_0", 10)))
        begin = old.worker.queue.begin

        def sleeps(*args: Any) -> None:
            begin(*args)
            old.monotonic.now += 1_000.0

        old.worker.queue.begin = sleeps
        real, old.leases.renew = old.leases.renew, _others(new, old.leases.renew)
        with pytest.raises(LeaseLostError):
            await old.once()
        old.leases.renew = real
        assert crm.calls == []
        await new.once()

    asyncio.run(live())
    assert crm.shown == {"0": [10]}


def _others(new: Process, renew: Callable[[Lease], Any]) -> Callable[[Lease], Any]:
    """While it slept another took over, which its renewal is told."""

    async def told(lease: Lease) -> float:
        await new.take_over()
        return await renew(lease)

    return told


def test_a_holder_killed_while_its_call_was_on_the_way_is_outlasted(database: Database) -> None:
    """It cannot say that it came late: its successor tells everything that was under way once more, later."""
    crm = Crm()
    bench, (old, new) = _ready(database, crm)

    async def live() -> None:
        await old.take_over()
        bench.show((1, health("acc_0", 10)))
        old.line.leave.clear()
        old.line.back.clear()
        old.line.called.clear()
        call = asyncio.create_task(old.once())
        await old.line.called.wait()
        bench.show((2, health("acc_0", 20)))
        await new.take_over()
        await new.once()
        old.line.leave.set()
        await old.line.reached.wait()
        call.cancel()  # and its memory is gone
        await asyncio.gather(call, return_exceptions=True)
        assert crm.shown == {"0": [20, 10]}
        bench.clock.now += PATIENCE
        await new.once()

    asyncio.run(live())
    assert crm.shown == {"0": [20, 10, 20]}


def test_a_call_cut_off_at_the_end_of_the_lease_is_doubted_now_and_when_it_has_surely_ended(
    database: Database,
) -> None:
    crm = Crm()
    bench, (old, new) = _ready(database, crm)

    async def live() -> None:
        await old.take_over()
        bench.show((1, health("acc_0", 10)))
        old.line.leave.clear()
        old.line.called.clear()
        call = asyncio.create_task(old.once())
        await old.line.called.wait()
        call.cancel()  # as `Led` does
        await asyncio.gather(call, return_exceptions=True)
        await new.take_over()
        await new.once()
        await old.worker.stand_by()
        await new.once()
        crm.take(crm.calls[0][0])  # what was on the wire
        bench.clock.now += PATIENCE
        await old.worker.stand_by()
        await new.once()

    asyncio.run(live())
    assert len(crm.calls) == 3
    assert bench.rows()[0].state == "shown"


def test_a_job_that_was_started_too_late_is_watched_by_who_started_it(database: Database) -> None:
    crm = Crm()
    bench, (old, new) = _ready(database, crm)
    late: list[hub.Delivery] = []

    def queues(deliveries: Sequence[hub.Delivery]) -> Sequence[hub.Outcome]:
        late.extend(deliveries)
        crm.behave = lambda _: None
        return [hub.Pending("late")] * len(deliveries)

    async def live() -> None:
        await old.take_over()
        bench.show((1, health("acc_0", 10)))
        crm.behave = queues
        async with old.stopped(arrived=True):
            bench.show((2, health("acc_0", 20)))
            await new.take_over()
            await new.once()
        await new.once()  # doubted, told again
        for _ in range(3):
            await old.worker.stand_by()  # it asks, and waits
            assert not await new.once()
        crm.take(late[0])
        crm.jobs["late"] = [hub.Ok()]
        await old.worker.stand_by()
        await old.worker.stand_by()
        await new.once()

    asyncio.run(live())
    assert crm.shown == {"0": [20, 20, 10, 20]}
    assert bench.rows()[0].state == "shown"


def test_a_job_nobody_can_be_asked_about_is_not_watched_for_ever(database: Database) -> None:
    crm = Crm()
    bench, (old, new) = _ready(database, crm)

    async def live() -> None:
        await old.take_over()
        bench.show((1, health("acc_0", 10)))
        crm.behave = lambda d: [hub.Pending("late")] * len(d)
        async with old.stopped(arrived=True):
            await new.take_over()
        assert old.worker._late._jobs
        bench.clock.now += JOB_LIFE
        await old.worker.stand_by()
        assert not old.worker._late._jobs

    asyncio.run(live())


def test_a_job_under_way_is_asked_after_by_the_next_holder(database: Database) -> None:
    crm = Crm()
    bench, (old, new) = _ready(database, crm)

    async def live() -> None:
        await old.take_over()
        bench.show((1, health("acc_0", 10)))
        crm.behave = lambda d: [hub.Pending("j1")] * len(d)
        await old.once()
        await new.take_over()
        crm.jobs["j1"] = [hub.Ok()]
        bench.clock.now += 30
        await new.once()

    asyncio.run(live())
    assert len(crm.calls) == 1
    assert bench.rows()[0].state == "shown"


def test_an_alert_that_a_stale_holder_sent_is_not_sent_again(database: Database) -> None:
    pager = Pager()
    bench, (old, new) = _ready(database, pager)

    async def live() -> None:
        bench.tell(action("alert:1"))
        await old.take_over()
        async with old.stopped(arrived=True):
            await new.take_over()  # and has not looked yet
        assert not await new.once()

    asyncio.run(live())
    assert pager.told == ["alert:1"]
    assert bench.alerts()[0].state == "sent"


def test_an_alert_whose_end_nobody_knows_is_sent_again_with_its_key_and_once(database: Database) -> None:
    pager = Pager()
    bench, (old, new) = _ready(database, pager)

    async def live() -> None:
        bench.tell(action("alert:1"))
        await old.take_over()
        async with old.stopped(arrived=True):
            await new.take_over()
            await new.once()
        for _ in range(3):
            bench.clock.now += PATIENCE
            await new.once()
            await old.worker.stand_by()

    asyncio.run(live())
    assert pager.told == ["alert:1", "alert:1"]
    assert bench.alerts()[0].state == "sent"


def test_what_a_stale_holder_sent_stays_sent_when_its_successor_fails_to_send_it(database: Database) -> None:
    pager = Pager()
    bench, (old, new) = _ready(database, pager)

    async def live() -> None:
        bench.tell(action("alert:1"))
        await old.take_over()
        async with old.stopped(arrived=True):
            await new.take_over()
            new.line.back.clear()
            pager.behave = lambda d: [hub.Retry("greylisted")] * len(d)
            call = asyncio.create_task(new.once())
            await new.line.reached.wait()
        new.line.flow()
        await call

    asyncio.run(live())
    assert bench.alerts()[0].state == "sent"


class Storm:
    """Processes that succeed each other, each stopped in the middle of a call, to wake up long after."""

    def __init__(self, database: Database, seed: int, accounts: int = 6) -> None:
        self.rng = Random(seed)
        self.database = database
        self.crm = Crm(batch=4)
        self.bench, _ = _ready(database, self.crm, accounts)
        self.newest = dict.fromkeys(range(accounts), 0)
        self.sequence = 0
        self.asleep: list[tuple[Process, asyncio.Task[bool]]] = []
        self.killed = 0

    def show(self) -> None:
        for one in self.rng.sample(sorted(self.newest), self.rng.randrange(1, len(self.newest))):
            self.sequence += 1
            self.newest[one] = self.sequence  # scores only rise: order shows
            self.bench.show((self.sequence, health(f"acc_{one}", float(self.sequence))))

    async def succeed(self, name: str) -> Process:
        process = Process(self.database, self.bench, self.crm, name)
        await process.take_over()
        if self.asleep and self.rng.random() < 0.2:
            await process.once()
            await self.kill(*self.asleep.pop())
            self.bench.clock.now += PATIENCE
            await process.once()
        for _ in range(self.rng.randrange(3)):
            self.show()
            await process.once()
            if self.asleep and self.rng.random() < 0.4:
                await self.wake(*self.asleep.pop(self.rng.randrange(len(self.asleep))))
        return process

    async def stop(self, process: Process) -> None:
        """Before its call leaves, mostly, or before the answer is back."""
        line, leaves = process.line, self.rng.random() < 0.3
        (line.back if leaves else line.leave).clear()
        line.called.clear()
        line.reached.clear()
        self.asleep.append((process, asyncio.create_task(process.once())))
        await (line.reached if leaves else line.called).wait()
        self.bench.clock.now += self.rng.uniform(0, 20)

    async def wake(self, process: Process, call: asyncio.Task[bool]) -> None:
        """Its call arrives now, if it had not; it finds its lease gone, and says so."""
        process.line.flow()
        with pytest.raises(LeaseLostError):
            await call
        await process.worker.stand_by()

    async def kill(self, process: Process, call: asyncio.Task[bool]) -> None:
        """Its call arrives now, if it had not, and that is the last of it."""
        self.killed += 1
        process.line.back.clear()
        process.line.leave.set()
        await process.line.reached.wait()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)


def test_a_value_wanted_while_another_is_on_its_way_does_not_hide_that_it_is(
    database: Database, tmp_path: Path
) -> None:
    """The room and the worker are two processes: what the room read must still be so when it writes."""
    crm = Crm()
    bench = Bench(database, crm)
    bench.link("acc_0", "crm:0")
    bench.show((1, health("acc_0", 10)))
    queue = queue_of(crm)
    read, begun = threading.Event(), threading.Event()

    def room(connection: Connection) -> None:
        step = bench.fields.step(connection, [record(health("acc_0", 20), 2)])
        read.set()
        assert not begun.wait(0.3)  # it cannot be: the row is ours
        step.write(connection)

    with Database(url(tmp_path)) as other:
        with other.read() as connection:
            items = queue.due(connection, bench.clock(), 5)
        wanted = database.write(room)
        read.wait(5)
        pushing = other.write(lambda c: queue.begin(c, items))
        pushing.add_done_callback(lambda _: begun.set())
        wanted.result(10)
        pushing.result(10)
    (row,) = bench.rows()
    assert (row.fields, row.pushing) == ('{"band":"steady","score":20}', '{"band":"steady","score":10}')


@pytest.mark.parametrize("seed", range(4))
def test_fifty_takeovers_at_the_worst_moments_end_at_the_newest_value(database: Database, seed: int) -> None:
    storm = Storm(database, seed)

    async def live() -> None:
        for n in range(50):
            process = await storm.succeed(f"process {n}")
            storm.show()
            await storm.stop(process)
        last = await storm.succeed("last")
        while storm.asleep:
            await storm.wake(*storm.asleep.pop())
            await last.once()
        while await last.once():
            pass

    asyncio.run(live())
    late = sum(b < a for shown in storm.crm.shown.values() for a, b in pairwise(shown))
    print(f"seed {seed}: {late} moments out of order in {storm.sequence} values; {storm.killed} killed")
    assert {int(target): shown[-1] for target, shown in storm.crm.shown.items()} == storm.newest
    assert {row.state for row in storm.bench.rows()} == {"shown"}
    assert late > 0  # else this does not reach what it is about
    assert storm.killed > 0


def test_of_two_that_deliver_one_pushes_and_the_other_goes_on_when_it_dies(database: Database, tmp_path: Path) -> None:
    crm, one = Crm(), database
    with Database(url(tmp_path)) as two:
        bench = Bench(two, crm)
        bench.link("acc_0", "crm:0")

        class Dying(Leases):
            dead = False

            async def renew(self, lease: Lease) -> float:
                if self.dead:
                    raise OSError("cut off")
                return await super().renew(lease)

        async def live() -> None:
            dies = Dying(one, "one", 3.0)
            first = Deliveries(one, [crm], bench.log.publish, leases=dies)
            second = Deliveries(two, [crm], bench.log.publish, leases=Leases(two, "two", 3.0))
            await first.start()
            await _until(lambda: first.holds)
            await second.start()
            for n in range(1, 5):
                await asyncio.to_thread(bench.show, (n, health("acc_0", float(n))))
                await _until(lambda n=n: crm.shown.get("0", [])[-1:] == [n])
                assert (first.holds, second.holds) == (["crm"], [])
            dies.dead = True
            await _until(lambda: second.holds)
            assert first.holds == []
            await asyncio.to_thread(bench.show, (9, health("acc_0", 9.0)))
            await _until(lambda: crm.shown["0"][-1] == 9)
            await first.stop()
            await second.stop()

        asyncio.run(live())
    assert crm.shown == {"0": [1, 2, 3, 4, 9]}


def test_who_stops_hands_over_within_a_second_and_its_call_is_not_repeated(database: Database, tmp_path: Path) -> None:
    crm, one = Crm(), database
    with Database(url(tmp_path)) as two:
        bench = Bench(two, crm)
        bench.link("acc_0", "crm:0")

        async def live() -> float:
            first = Deliveries(one, [crm], bench.log.publish, leases=Leases(one, "one"))
            second = Deliveries(two, [crm], bench.log.publish, leases=Leases(two, "two"))
            await first.start()
            await _until(lambda: first.holds)
            await second.start()
            await asyncio.to_thread(bench.show, (1, health("acc_0", 1.0)))
            await _until(lambda: crm.shown)
            await first.stop()
            took = await _until(lambda: second.holds)
            await second.stop()
            return took

        assert asyncio.run(live()) < 1.0
    assert crm.shown == {"0": [1]}


def test_who_delivers_obeys_within_a_second_what_another_process_was_told(database: Database, tmp_path: Path) -> None:
    crm = Crm()
    with Database(url(tmp_path)) as other:
        bench = Bench(other, crm)
        bench.link("acc_0", "crm:0")

        async def live() -> None:
            delivers = Deliveries(database, [crm], bench.log.publish, leases=Leases(database, "worker"))
            pages = Deliveries(other, [crm], bench.log.publish, leases=Leases(other, "web"))  # never started
            await delivers.start()
            await _until(lambda: delivers.holds)
            await pages.pause("crm", "moving house")
            await asyncio.to_thread(bench.show, (1, health("acc_0", 1.0)))
            await asyncio.sleep(1.2)
            assert crm.shown == {}
            crm.behave = lambda d: [hub.Reject("no such field")] * len(d)
            await pages.resume("crm")
            await _until(lambda: [row.state for row in bench.rows()] == ["rejected"])
            crm.behave = lambda _: None
            assert await pages.replay("crm") == 1
            assert await _until(lambda: crm.shown == {"0": [1]}) < 2.0
            await _until(lambda: [row.state for row in bench.rows()] == ["shown"])
            assert await pages.again("crm") == 1
            assert await _until(lambda: crm.shown == {"0": [1, 1]}) < 2.0
            await delivers.stop()

        asyncio.run(live())


def test_a_call_that_outlasts_its_lease_is_cut_off_and_told_again_by_the_next_holder(
    database: Database, tmp_path: Path
) -> None:
    here, there = Crm(), Crm()
    there.shown = here.shown  # one destination, two ways to it
    with Database(url(tmp_path)) as other:
        bench = Bench(other, here)
        bench.link("acc_0", "crm:0")
        calling, cut_off = asyncio.Event(), asyncio.Event()

        class CutOff(Leases):
            async def renew(self, lease: Lease) -> float:
                raise OSError("no route to the database")

        async def hangs(deliveries: Sequence[hub.Delivery]) -> Sequence[hub.Outcome]:
            calling.set()
            try:
                await asyncio.sleep(60)
            finally:
                [here.take(d) for d in deliveries]  # it was on the wire
                cut_off.set()
            return []

        here.push = hangs

        async def live() -> None:
            first = Deliveries(database, [here], bench.log.publish, leases=CutOff(database, "one", 1.0))
            second = Deliveries(other, [there], bench.log.publish, leases=Leases(other, "two", 1.0))
            await asyncio.to_thread(bench.show, (1, health("acc_0", 1.0)))
            await first.start()
            await _until(calling.is_set)
            await second.start()
            await _until(cut_off.is_set)
            await asyncio.to_thread(bench.show, (2, health("acc_0", 2.0)))
            await _until(lambda: here.shown["0"].count(2) > 0)
            await _until(lambda: [row.state for row in bench.rows()] == ["shown"])
            await first.stop()
            await second.stop()

        asyncio.run(live())
    assert here.shown["0"][0] == 1
    assert here.shown["0"][-1] == 2
