"""Destinations that tolerate only so many calls."""

import asyncio
import time

from hub.sdk.contracts import Paced
from hub.store.expendable.client import Expendable
from sinks import destinations
from sinks.pace import Pace
from tests.sinks.kit import Bench, Crm, health


class Touchy(Crm):
    """A destination that counts its calls."""

    def __init__(self, per_minute, **more):
        super().__init__(**more)
        self.per_minute = per_minute


def waits(sink, many):
    pace = Pace(sink, Expendable(None))

    async def ask():
        return [await pace.wait() for _ in range(many)]

    return asyncio.run(ask())


def test_half_a_minutes_calls_go_at_once_and_then_one_waits():
    assert waits(Touchy(10), 5) == [0.0] * 5
    assert waits(Touchy(10), 6)[5] == 1.0  # looks again after a second, though it takes longer


def test_a_minute_never_sees_more_than_it_tolerates():
    sink = Touchy(60)
    burst = sum(wait == 0 for wait in waits(sink, 100))
    assert burst + 60 * 60 / 120 <= 60


def test_a_sink_that_says_nothing_is_never_held_back():
    assert not isinstance(Crm(), Paced)
    assert waits(Crm(), 500) == [0.0] * 500
    assert waits(Touchy(None), 500) == [0.0] * 500


def test_a_worker_that_waits_shows_what_is_newest_by_then(database):
    crm = Touchy(200, batch=1)
    bench = Bench(database, crm)
    database.write(lambda c: destinations.begin(c, ["crm"])).result()
    bench.link("acc_1", "crm:1")
    for _ in range(100):  # half of a minute's
        assert bench.workers[0]._pace._bucket.take() == 0

    async def push():
        bench.show((1, health("acc_1", 41.0)))
        assert await bench.once()  # waited, and pushed nothing
        assert crm.calls == []
        bench.show((2, health("acc_1", 55.0)))
        begun = time.monotonic()
        while not crm.calls and time.monotonic() < begun + 5:
            await bench.once()

    asyncio.run(push())
    assert [dict(one.fields)["score"] for call in crm.calls for one in call] == [55.0]
