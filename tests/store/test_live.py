import asyncio
import threading

import pytest

from hub.store.live import MOST_WAITING, Live, News


def test_what_another_thread_publishes_arrives_in_order():
    async def main():
        live = Live()
        with live.subscribe() as news:
            threading.Thread(target=lambda: [live.publish("health", {"n": n}) for n in range(50)]).start()
            return [(await asyncio.wait_for(anext(news), 5)).data["n"] for _ in range(50)]

    assert asyncio.run(main()) == list(range(50))


def test_nothing_is_lost_between_subscribing_and_reading():
    async def main():
        live = Live()
        news = live.subscribe()
        live.publish("events", {"count": 1})
        return await asyncio.wait_for(anext(news), 5)

    assert asyncio.run(main()).topic == "events"


def test_a_reader_that_is_behind_keeps_the_newest():
    async def main():
        live = Live()
        with live.subscribe() as news:
            for n in range(MOST_WAITING + 10):
                live.publish("health", {"n": n})
            return (await anext(news)).data["n"]

    assert asyncio.run(main()) == 10


def test_closing_ends_every_subscription_after_what_waits():
    async def main():
        live = Live()
        news = live.subscribe()
        live.publish("health", {})
        live.close()
        seen = [one.topic async for one in news]
        late = [one async for one in live.subscribe()]
        return seen, late

    assert asyncio.run(main()) == (["health"], [])


def test_a_closed_subscription_hears_no_more():
    async def main():
        live = Live()
        news = live.subscribe()
        news.close()
        live.publish("health", {})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(news), 0.05)

    asyncio.run(main())


def test_publishing_to_a_reader_whose_loop_is_gone_does_not_raise():
    live = Live()

    async def main():
        return live.subscribe()

    asyncio.run(main())
    live.publish("health", {})
    live.publish("health", {})


def test_what_is_published_is_carried_on_and_what_was_carried_here_is_not():
    live, carried = Live(), []
    live.carry(carried.append)
    live.publish("health", {"accounts": ["acc_1"]})
    live.deliver(News("events", {"count": 1}))
    live.carry(None)
    live.publish("health", {})
    assert carried == [News("health", {"accounts": ["acc_1"]})]
