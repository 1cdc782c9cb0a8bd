"""Everybody is valued once a day by a process that learns, and stopping it waits for no valuation."""

import asyncio
import threading
import time

from sqlalchemy import select, update

from hub.store import schema
from hub.worker import valuing
from hub.worker.valuing import Appraising
from scoring.loading import load
from scoring.value.kept import newest
from scoring.value.settings import Valuing
from tests.scoring.value.test_valuation import shoppers, tell


def appraising(database, *, idle=lambda: True, clock="event"):
    return Appraising(database, load(), Valuing(), clock=clock, idle=idle, look=0.01)


def made(database):
    with database.read() as connection:
        return newest(connection)


async def until(true, task, patience):
    for _ in range(patience):
        if true() or task.done():
            break
        await asyncio.sleep(0.01)
    return true()


def run(appraiser, true, patience=2_000):
    async def told():
        task = asyncio.create_task(appraiser.work(None))
        try:
            return await until(true, task, patience)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return asyncio.run(told())


def test_everybody_is_valued_once_a_day(database):
    tell(database, shoppers())
    assert run(appraising(database), lambda: made(database) is not None)
    first = made(database)
    assert first.valuation.orders["EUR"].customers == 80
    looked = []
    assert run(appraising(database, idle=lambda: looked.append(1) or True), lambda: len(looked) > 0, 30) is False
    assert made(database) == first, "that of today holds"
    past = update(schema.valuations).values(made_at=time.time() - 2 * 86_400)
    database.write(lambda connection: connection.execute(past)).result()
    assert run(appraising(database), lambda: made(database).valuation.version == 2)


def test_where_nobody_ever_was_nothing_is_done(database):
    assert run(appraising(database, idle=lambda: (_ for _ in ()).throw(AssertionError)), lambda: False, 30) is False
    assert made(database) is None


def test_it_waits_for_what_is_not_scored_yet_but_not_for_ever(database):
    tell(database, shoppers())
    asked = []
    assert run(appraising(database, idle=lambda: bool(asked.append(1))), lambda: made(database) is not None)
    assert len(asked) == valuing._PATIENCE


def test_stopped_half_way_it_ends_at_once_and_nothing_is_torn(database, monkeypatch):
    tell(database, shoppers())
    began, ended = threading.Event(), []

    def slow(*_, halted, **__):
        began.set()
        while not halted():
            time.sleep(0.001)
        ended.append(True)
        yield from ()

    monkeypatch.setattr(valuing, "value_all", slow)
    assert run(appraising(database), began.is_set)
    assert ended == [True], "the thread is over before the database may be closed"
    with database.read() as connection:
        assert connection.scalar(select(schema.worths.c.account)) is None
