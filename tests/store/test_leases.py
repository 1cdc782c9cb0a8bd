from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import select, update

from hub.store import clocks
from hub.store.database import Database
from hub.store.leases import Lease, LeaseLostError, Leases
from hub.store.led import LOOK, Led
from hub.store.schema import counters
from hub.store.schema import leases as rows
from tests.engines import url


class Clock:
    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def _over(database: Database, name: str = "one") -> None:
    """The term ends, by the database's clock."""
    database.write(lambda c: c.execute(update(rows).where(rows.c.name == name).values(until=0.0))).result()


def _row(database: Database, name: str = "one") -> Any:
    with database.read() as connection:
        return connection.execute(select(rows).where(rows.c.name == name)).one_or_none()


def _note(word: str) -> Callable[[Any], Any]:
    return lambda connection: connection.execute(counters.insert().values(name=word, value=1))


def _noted(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.scalars(select(counters.c.name)))


async def _take(leases: Leases, name: str = "one") -> Lease:
    lease = await leases.acquire(name)
    assert lease is not None
    return lease


async def _until(true: Callable[[], Any], longest: float = 20.0) -> float:
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > longest:
            raise TimeoutError
        await asyncio.sleep(0.005)
    return time.monotonic() - began


def test_one_has_it_until_its_term_ends_and_every_new_holder_has_a_higher_token(database: Database) -> None:
    async def live() -> None:
        a, b = Leases(database, "a"), Leases(database, "b")
        first = await _take(a)
        assert await b.acquire("one") is None
        assert await b.acquire("another") is not None
        _over(database)
        second = await _take(b)
        assert await a.acquire("one") is None
        _over(database)
        third = await _take(a)
        assert first.token < second.token < third.token

    asyncio.run(live())


def test_what_a_stale_holder_writes_is_not_written(database: Database) -> None:
    async def live() -> None:
        a, b = await _take(Leases(database, "a")), Leases(database, "b")
        await a.write(_note("held"))
        _over(database)
        await a.write(_note("over, but nobody else has it"))
        theirs = await _take(b)
        with pytest.raises(LeaseLostError, match="one is held by another process"):
            await a.write(_note("stale"))
        with pytest.raises(LeaseLostError):
            await a.renew()
        await a.release()  # of what is not ours: changes nothing
        await theirs.write(_note("theirs"))

    asyncio.run(live())
    assert _noted(database) == {"held", "over, but nobody else has it", "theirs"}


def test_what_is_released_is_anybodys_at_once(database: Database) -> None:
    async def live() -> None:
        held = await _take(Leases(database, "a"))
        await held.release()
        assert (await _take(Leases(database, "b"))).token > held.token

    asyncio.run(live())


def test_many_that_ask_at_once_have_one_holder(database: Database) -> None:
    async def live() -> None:
        many = [Leases(database, f"process {n}") for n in range(12)]
        for _ in range(5):
            got = await asyncio.gather(*(one.acquire("one") for one in many))
            assert sum(lease is not None for lease in got) == 1
            _over(database)

    asyncio.run(live())


def test_our_deadline_is_earlier_than_the_databases_and_counts_from_before_we_asked(database: Database) -> None:
    clock = Clock()

    class Slow(Leases):
        def _take(self, *args: Any) -> int | None:
            clock.now += 3.0  # the database thought about it for three seconds
            return super()._take(*args)

    async def live() -> None:
        lease = await _take(Slow(database, "a", 10.0, monotonic=clock, clock=clock))
        assert lease.left() == pytest.approx(10 * 0.9 - 3)
        clock.now += 5.0
        await lease.ensure()  # less than half is left: it renews
        assert lease.left() == pytest.approx(9.0)
        clock.now += 9.0
        assert lease.left() <= 0

    asyncio.run(live())


def test_a_renewal_keeps_it_and_a_term_that_is_over_can_still_be_renewed_while_nobody_took_it(
    database: Database,
) -> None:
    async def live() -> None:
        a, b = await _take(Leases(database, "a")), Leases(database, "b")
        _over(database)
        await a.renew()
        assert await b.acquire("one") is None
        assert _row(database).token == a.token

    asyncio.run(live())


def test_nothing_is_begun_when_the_deadline_passed_and_the_lease_is_anothers(database: Database) -> None:
    clock = Clock()

    async def live() -> None:
        a = await _take(Leases(database, "a", 10.0, monotonic=clock))
        _over(database)
        await _take(Leases(database, "b"))
        await a.ensure()  # by what it knows there is time
        clock.now += 10.0  # it was paused
        with pytest.raises(LeaseLostError):
            await a.ensure()

    asyncio.run(live())


def test_a_holder_may_take_again_what_it_gave_up_itself_under_a_new_token(database: Database) -> None:
    async def live() -> None:
        leases = Leases(database, "a")
        first = await _take(leases)
        assert (await _take(leases)).token > first.token
        with pytest.raises(LeaseLostError):
            await first.write(_note("stale"))

    asyncio.run(live())


def test_whoever_is_alone_waits_for_nobody_and_leaves_no_term_behind(database: Database) -> None:
    async def live() -> None:
        await _take(Leases(database, "crashed"))
        alone = await _take(Leases(database, "b", alone=True))
        assert alone.left() == float("inf")
        await alone.ensure()
        await alone.renew()
        await alone.write(_note("alone"))
        assert (await _take(Leases(database, "c"))).token > alone.token
        with pytest.raises(LeaseLostError):
            await alone.write(_note("stale"))

    asyncio.run(live())
    assert _noted(database) == {"alone"}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_clock_that_began_anew_holds_nobody_up(database: Database) -> None:
    before, after = Clock(5_000_000.0), Clock(30.0)  # seconds since the machine started

    async def live() -> None:
        await _take(Leases(database, "a", clock=before))
        assert await Leases(database, "b", clock=before).acquire("one") is None
        assert await Leases(database, "b", clock=after).acquire("one") is not None

    asyncio.run(live())


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_on_postgresql_the_servers_clock_decides_and_ours_does_not(database: Database) -> None:
    async def live() -> None:
        await _take(Leases(database, "a", clock=Clock(-1e9)))
        assert await Leases(database, "b", clock=Clock(1e9)).acquire("one") is None

    asyncio.run(live())
    assert _row(database).until == pytest.approx(time.time() + 15, abs=5)


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_lease_whose_holder_is_stopped_inside_a_transaction_holds_nobody_up(
    database: Database, tmp_path: Path
) -> None:
    with Database(url(tmp_path)) as other:

        async def live() -> None:
            a = await _take(Leases(database, "a"))
            _over(database)
            entered, go_on = asyncio.Event(), asyncio.Event()
            loop = asyncio.get_running_loop()

            def stopped(_connection: Any) -> None:
                loop.call_soon_threadsafe(entered.set)
                asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(20)

            writing = asyncio.create_task(a.write(stopped))
            await entered.wait()
            began = time.monotonic()
            assert await Leases(other, "b").acquire("one") is None
            assert time.monotonic() - began < 2
            go_on.set()
            await writing
            assert await Leases(other, "b").acquire("one") is not None

        asyncio.run(live())


class Doing:
    """Work that says who does it."""

    def __init__(self) -> None:
        self.by: list[str] = []
        self.both = False

    def of(self, name: str) -> Callable[[Lease], Awaitable[None]]:
        async def work(_lease: Lease) -> None:
            self.both = self.both or bool(self.by)
            self.by.append(name)
            try:
                await asyncio.Event().wait()
            finally:
                self.by.remove(name)

        return work


def test_a_graceful_handover_takes_less_than_a_second(database: Database) -> None:
    async def live() -> float:
        doing = Doing()
        led = {name: Led(Leases(database, name), "one", doing.of(name), rng=Random(1)) for name in "abc"}
        tasks = {name: asyncio.create_task(one.run()) for name, one in led.items()}
        await _until(lambda: doing.by)
        gone = doing.by[0]
        assert [name for name, one in led.items() if one.holds] == [gone]
        tasks[gone].cancel()
        took = await _until(lambda: doing.by and doing.by[0] != gone)
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        assert not doing.both
        assert doing.by == []
        return took

    assert LOOK < 1.0
    assert asyncio.run(live()) < 1.0
    assert _row(database).holder == ""


def test_a_holder_whose_renewals_do_not_arrive_stops_before_another_begins(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    class Deaf(Leases):
        async def renew(self, lease: Lease) -> float:
            raise OSError("no route to the database")

    async def live() -> None:
        doing = Doing()
        deaf = asyncio.create_task(Led(Deaf(database, "deaf", 0.6), "one", doing.of("deaf")).run())
        await _until(lambda: doing.by == ["deaf"])
        well = asyncio.create_task(Led(Leases(database, "well", 1.5), "one", doing.of("well")).run())
        await _until(lambda: not doing.by)  # stopped by itself
        deaf.cancel()
        await _until(lambda: doing.by == ["well"])
        await asyncio.sleep(1.8)  # more than a term: renewals keep it
        assert doing.by == ["well"]
        well.cancel()
        await asyncio.gather(deaf, well, return_exceptions=True)
        assert not doing.both

    asyncio.run(live())


def test_a_holder_that_dies_is_succeeded_after_its_term(database: Database) -> None:
    async def live() -> float:
        await _take(Leases(database, "dies", 0.7))  # and never renews
        doing = Doing()
        well = asyncio.create_task(Led(Leases(database, "well", 0.7), "one", doing.of("well")).run())
        took = await _until(lambda: doing.by)
        well.cancel()
        await asyncio.gather(well, return_exceptions=True)
        return took

    assert 0.5 < asyncio.run(live()) < 0.7 + LOOK + 1.0


def test_work_that_fails_is_said_and_begun_again_and_work_that_is_lost_is_not_a_failure(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    tried: list[int] = []

    async def work(lease: Lease) -> None:
        tried.append(lease.token)
        if len(tried) == 1:
            raise ValueError("no such table")
        if len(tried) == 2:
            raise LeaseLostError("gone")

    asyncio.run(Led(Leases(database, "a"), "one", work, rng=Random(1)).run())  # ends when the work does
    assert len(set(tried)) == 3
    assert [r.message for r in caplog.records] == ["leases.work_failed"]


def test_a_database_that_cannot_be_asked_is_said_once_and_once_when_it_is_back(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Leases):
        times = 2

        async def acquire(self, name: str) -> Lease | None:
            if self.times:
                self.times -= 1
                raise OSError("connection refused")
            return await super().acquire(name)

    async def work(_lease: Lease) -> None:
        return

    asyncio.run(Led(Failing(database, "a"), "one", work, rng=Random(1)).run())
    assert [r.message for r in caplog.records] == ["leases.halted", "leases.back"]


_HOLDER = """
import asyncio, sys
from hub.store.database import Database
from hub.store.leases import Leases
from hub.store.led import Led

async def work(lease):
    print("holds", flush=True)
    while True:
        before = lease.left()
        if before > 0:
            print("acts", flush=True)
        await asyncio.sleep(0.01)

async def main():
    with Database(sys.argv[1]) as database:
        await Led(Leases(database, "other", 1.0), "one", work).run()

asyncio.run(main())
"""


def test_a_process_that_was_stopped_acts_no_more_when_it_goes_on(database: Database, tmp_path: Path) -> None:
    """Another has it meanwhile; it did not need to be told."""
    command = [sys.executable, "-c", _HOLDER, url(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout
            assert other.stdout.readline() == "holds\n"
            other.send_signal(signal.SIGSTOP)

            async def live() -> None:
                leases = Leases(database, "us", 100.0)
                await _until(lambda: leases._free("one"))
                ours = await _take(leases)
                other.send_signal(signal.SIGCONT)
                await asyncio.sleep(1.0)
                await ours.write(_note("ours"))

            asyncio.run(live())
        finally:
            other.kill()
        told = other.stdout.read().split()
    assert set(told) <= {"acts"}  # it never held it again
    assert len(told) < 60  # and acted only before it was stopped: a second of going on would be a hundred


def test_the_clock_of_the_machine_only_goes_on() -> None:
    assert clocks.since_boot() <= clocks.since_boot()
    assert clocks.since_boot() >= time.monotonic() - 1
