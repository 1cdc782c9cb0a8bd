from __future__ import annotations

import asyncio
import math
import os
import time
from typing import Any

import pytest
from sqlalchemy import select, update

from hub.store.database import Database
from hub.store.heartbeats import SILENT, Heartbeats, alive, identity
from hub.store.schema import processes


def _alive(database: Database, *args: Any, **more: Any) -> list[Any]:
    with database.read() as connection:
        return alive(connection, *args, **more)


async def _first(database: Database) -> list[Any]:
    """Those alive, as soon as there is one."""
    for _ in range(500):
        if found := await asyncio.to_thread(_alive, database):
            return found
        await asyncio.sleep(0.01)
    raise TimeoutError


def _age(database: Database, name: str, seconds: float) -> None:
    """Let it have been silent for so long."""
    older = update(processes).where(processes.c.id == name).values(beat_at=processes.c.beat_at - seconds)
    database.write(lambda c: c.execute(older)).result()


def test_a_process_is_alive_from_its_start_to_its_clean_stop_and_says_what_it_does(database: Database) -> None:
    state = {"rooms": {"scoring": [0, 1]}}

    async def live() -> None:
        beats = Heartbeats(database, "worker", "0.1.0", lambda: state)
        await beats.start()
        (one,) = await _first(database)
        assert (one.id, one.role, one.version, one.state) == (identity(), "worker", "0.1.0", state)
        assert 0 <= one.age < 5
        assert abs(one.started_at - time.time()) < 60
        state["rooms"] = {}
        await beats.beat()
        assert _alive(database)[0].state == {"rooms": {}}
        await beats.stop()
        await beats.stop()

    asyncio.run(live())
    assert _alive(database, within=math.inf) == []


def test_what_changes_of_a_process_is_said_at_once_and_once(database: Database) -> None:
    state: dict[str, Any] = {"rooms": {"scoring": [0, 1]}}
    told: list[Any] = []

    async def live() -> None:
        changed = asyncio.Event()
        beats = Heartbeats(database, "worker", "0.1.0", lambda: state, changed.set)

        async def next_() -> None:
            async with asyncio.timeout(4):  # it beats every five
                await changed.wait()
            changed.clear()
            told.extend(one.state for one in _alive(database))

        await beats.start()
        await next_()
        state["rooms"] = {"scoring": [0]}
        await next_()
        await beats.beat()
        assert not changed.is_set()
        await beats.stop()
        await next_()

    asyncio.run(live())
    assert told == [{"rooms": {"scoring": [0, 1]}}, {"rooms": {"scoring": [0]}}]


def test_who_is_silent_is_not_alive_and_forgotten_after_a_day_by_any_other(database: Database) -> None:
    async def live() -> None:
        for name in ("silent", "long gone", "well"):
            await Heartbeats(database, "worker", "0.1.0", dict, id=name).beat()
        _age(database, "silent", SILENT + 1)
        _age(database, "long gone", 86_401.0)
        assert [one.id for one in _alive(database)] == ["well"]
        ages = {one.id: one.age for one in _alive(database, within=math.inf)}
        assert ages["silent"] == pytest.approx(SILENT + 1, abs=3)
        await Heartbeats(database, "web", "0.1.0", dict, id="another").beat()

    asyncio.run(live())
    with database.read() as connection:
        assert set(connection.scalars(select(processes.c.id))) == {"silent", "well", "another"}


def test_age_is_counted_from_the_moment_asked_for(database: Database) -> None:
    asyncio.run(Heartbeats(database, "learner", "0.1.0", dict).beat())
    (one,) = _alive(database, time.time() + 100, within=1_000)
    assert one.age == pytest.approx(100, abs=5)


def test_a_process_says_where_it_runs_and_which_start_it_is() -> None:
    host, pid, start = identity().rsplit(":", 2)
    assert host
    assert pid == str(os.getpid())
    assert int(start) > 1_700_000_000_000
    assert identity() == identity()


def test_a_database_that_fails_is_said_once_and_beats_go_on_when_it_is_back(
    database: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.store.heartbeats.EVERY", 0.01)
    real, tries = database.write, []

    def failing(job: Any) -> Any:
        tries.append(job)
        if len(tries) < 4:
            raise OSError("connection refused")
        return real(job)

    told: list[str] = []

    async def live() -> None:
        monkeypatch.setattr(database, "write", failing)
        beats = Heartbeats(database, "web", "0.1.0", dict, lambda: told.append("something new"))
        await beats.start()
        await _first(database)
        assert told == ["something new"]  # what could not be said is news once it could
        await beats.stop()

    asyncio.run(live())
    assert [r.message for r in caplog.records] == ["heartbeats.halted", "heartbeats.back"]
