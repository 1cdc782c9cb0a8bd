import threading
import time

import pytest

from hub.store.expendable.bucket import Bucket
from hub.store.expendable.client import Expendable


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def drain(bucket):
    """How many calls may go at once."""
    many = 0
    while bucket.take() == 0:
        many += 1
    return many


def test_workers_share_one_bucket(made):
    buckets = [Bucket(made(), "zendesk", rate=0.01, burst=20) for _ in range(4)]
    went = []

    def call(bucket):
        went.append(drain(bucket))

    threads = [threading.Thread(target=call, args=(bucket,)) for bucket in buckets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(went) == 20


def test_it_says_how_long_to_wait_and_then_lets_go(expendable):
    bucket = Bucket(expendable, "zendesk", rate=20, burst=1)
    assert bucket.take() == 0
    wait = bucket.take()
    assert 0 < wait <= 1 / 20
    threading.Event().wait(wait)
    assert bucket.take() == 0


def test_the_pace_over_time_is_the_rate_and_no_more(expendable):
    bucket = Bucket(expendable, "zendesk", rate=200, burst=5)
    begun, went = time.monotonic(), 0
    while went < 60:
        if wait := bucket.take():
            threading.Event().wait(wait)
        else:
            went += 1
    assert went <= 5 + 200 * (time.monotonic() - begun) + 1


@pytest.mark.parametrize("url", [None, "there"])
def test_more_than_it_holds_is_all_it_holds(made, url):
    redis = made() if url else Expendable(None)
    bucket = Bucket(redis, "zendesk", rate=1, burst=3)
    assert bucket.take(10) == 0
    assert 2 < bucket.take(10) <= 3


def test_destinations_do_not_share(expendable):
    assert drain(Bucket(expendable, "zendesk", rate=0.01, burst=2)) == 2
    assert drain(Bucket(expendable, "salesforce", rate=0.01, burst=3)) == 3


def test_while_redis_is_away_each_process_keeps_the_rate_by_itself(server, made, said):
    clock = Clock()
    workers = [Bucket(made(), "zendesk", rate=1, burst=4, clock=clock) for _ in range(2)]
    assert workers[0].take() == 0
    server.stop()
    assert [drain(worker) for worker in workers] == [3, 4]  # what the first took is gone for itself
    clock.now += 2
    assert [drain(worker) for worker in workers] == [2, 2]
    assert workers[0].take() == 1.0
    assert said.names == ["redis.down"] * 2  # by each process


def test_back_it_is_shared_again(server, expendable, until):
    bucket = Bucket(expendable, "zendesk", rate=0.001, burst=4)
    server.stop()
    assert drain(bucket) == 4
    server.start()
    until(lambda: expendable.ask(lambda redis: redis.ping()))
    assert drain(bucket) == 4
    assert bucket.take() > 900


def test_a_flush_gives_one_more_burst(expendable, look):
    bucket = Bucket(expendable, "zendesk", rate=0.001, burst=4)
    assert drain(bucket) == 4
    look.flushall()
    assert drain(bucket) == 4


def test_without_a_redis_the_process_has_a_bucket_of_its_own():
    clock = Clock()
    bucket = Bucket(Expendable(None), "zendesk", rate=2, burst=1, clock=clock)
    assert [bucket.take(), bucket.take()] == [0, 0.5]
    clock.now += 0.5
    assert bucket.take() == 0
