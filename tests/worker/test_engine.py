"""Log, database and rooms of one process: started, stopped, built in vain."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest

from hub import ConfigError, Event
from hub.ingest.intake import seal
from hub.locking import HeldError, Lock
from hub.registry import Registry
from hub.settings import Settings, load
from hub.worker.beside import Beside
from hub.worker.engine import Engine
from tests.installations import INSTALLATIONS, installation


@pytest.fixture(params=INSTALLATIONS)
def settings(request, tmp_path):
    """Of an installation on each engine."""
    with installation(request.param) as ours:
        yield load({"PULSEHUB_DATA": str(tmp_path)} | ours)[0]


def engine(settings):
    registry = Registry()
    return Engine(settings, registry, registry.configure({}, httpx.AsyncClient()))


def happened(number):
    now = datetime.now(UTC)
    event = Event(
        id=f"t:{number}",
        kind="usage.tracked",
        account=f"t:{number % 7}",
        connection="t",
        occurred_at=now,
        received_at=now,
    )
    return seal(event, "t", now)


def append(to, numbers):
    now = datetime.now(UTC).timestamp()
    to.intake.append(to.intake.pack([happened(number) for number in numbers], now)).result(10)


def test_what_is_appended_is_scored_and_the_books_say_so(settings):
    async def told():
        async with engine(settings) as running:
            append(running, range(100))
            assert await running.drained(20)
            return running.books()

    books = asyncio.run(told())
    assert (books.received, books.applied, books.pending, books.balanced) == (100, 100, 0, True)


def test_another_process_may_append_and_wait_for_it_to_be_scored(settings):
    async def told():
        async with engine(settings):
            beside = Beside(settings)
            append(beside, range(100))
            assert await beside.drained(20)
            books = beside.books()
            beside.close()
            return books

    assert asyncio.run(told()).applied == 100


def test_waiting_in_vain_ends_when_patience_does(settings):
    beside = Beside(settings)

    async def told():
        async with engine(settings):
            pass
        append(beside, range(10))
        return await beside.drained(0.2)

    assert asyncio.run(told()) is False
    assert beside.books().pending == 10
    beside.close()


def test_only_one_engine_runs_a_data_folder_and_the_next_may_when_it_ends(tmp_path):
    first = engine(Settings(data=tmp_path))
    with pytest.raises(HeldError, match="already running"):
        engine(Settings(data=tmp_path))
    first.close()
    engine(Settings(data=tmp_path)).close()


def test_an_engine_that_cannot_be_built_lets_go_of_the_folder(tmp_path):
    (tmp_path / "hub.db").write_text("this is no database of anybody's")
    with pytest.raises(ConfigError, match=r"hub\.db"):
        engine(Settings(data=tmp_path))
    with Lock(tmp_path):
        pass


def test_doors_forget_which_ids_were_in_a_log_that_is_lost(tmp_path):
    away = "redis://127.0.0.1:1"  # nobody is there: only what things are called counts
    settings, _ = load({"PULSEHUB_DATA": str(tmp_path), "PULSEHUB_REDIS_URL": away})

    async def name():
        async with engine(settings) as running:
            append(running, range(10))
            assert await running.drained(20)
            return running.expendable.name

    before = asyncio.run(name())
    assert asyncio.run(name()) == before
    for file in tmp_path.glob("streams.db*"):
        file.unlink()
    assert asyncio.run(name()) != before
