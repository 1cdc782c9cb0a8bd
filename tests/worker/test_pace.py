import asyncio
import threading

import pytest

from hub.streams.log import LogError
from hub.worker import pace
from hub.worker.pace import Pace


class Log:
    """A log that grows, fails or hangs as it is told."""

    def __init__(self):
        self.end = 100
        self.fails = False
        self.answers = threading.Event()
        self.answers.set()
        self.asked = 0

    def ends(self, _topic):
        self.asked += 1
        self.answers.wait(10)
        if self.fails:
            raise LogError("the broker does not answer")
        return {0: self.end, 1: 0}


class Behind:
    """Nobody is behind."""

    def seconds(self):
        return {}


async def until(true):
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - another thread changes it
            await asyncio.sleep(0.01)


def away(one):
    try:
        one.check()
    except LogError:
        return True
    return False


@pytest.fixture
def log(monkeypatch):
    monkeypatch.setattr(pace, "_SAMPLE", 0.02)
    monkeypatch.setattr(pace, "_SLOW", 0.05)
    return Log()


def test_rates_are_what_topics_grew_by_since_the_first_sample(log):
    async def run():
        one = Pace(log, Behind())
        assert one.rates() == {}
        one.start()
        await until(lambda: log.asked > 6)
        log.end = 130
        found = one.rates()
        one.stop()
        return found

    found = asyncio.run(run())
    assert set(found) == {"events", "health", "actions"}
    assert 0 < found["events"] <= 30.0


def test_while_the_log_fails_nobody_asks_it_and_when_it_is_back_they_do(log):
    async def run():
        one = Pace(log, Behind())
        one.start()
        await until(lambda: log.asked)
        log.fails = True
        await until(lambda: away(one))
        with pytest.raises(LogError):
            one.rates()
        log.fails = False
        await until(lambda: not away(one))
        one.stop()

    asyncio.run(run())


def test_while_the_log_hangs_nobody_waits_for_it(log):
    async def run():
        one = Pace(log, Behind())
        one.start()
        await until(lambda: log.asked)
        log.answers.clear()
        await until(lambda: away(one))
        log.answers.set()
        await until(lambda: not away(one))
        one.stop()

    asyncio.run(run())
