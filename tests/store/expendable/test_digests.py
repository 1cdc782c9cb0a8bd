import hashlib

import pytest

from hub.store.expendable import digests as module
from hub.store.expendable.client import Expendable
from hub.store.expendable.digests import Digests


def digest(n):
    return hashlib.blake2b(str(n).encode(), digest_size=16).digest()


@pytest.fixture
def cache(expendable):
    return Digests(expendable)


@pytest.fixture
def settled(expendable, until):
    """Waits until all that was told is done."""

    def wait():
        done = []
        expendable.tell(lambda _: done.append(True))
        until(lambda: done)

    return wait


def test_what_one_door_added_the_other_knows(cache, made, settled):
    cache.add([digest(n) for n in range(1_234)])
    settled()
    asked = [digest(n) for n in range(2_000)]
    assert Digests(made()).among(asked) == set(asked[:1_234])


def test_another_installation_knows_nothing_of_it(cache, made, settled):
    cache.add([digest(1)])
    settled()
    assert Digests(made(name="other")).among([digest(1)]) == set()


def test_flushed_it_knows_nothing_and_goes_on(cache, look, settled, said):
    cache.add([digest(1)])
    settled()
    look.flushall()
    assert cache.among([digest(1)]) == set()
    cache.add([digest(2)])
    settled()
    assert cache.among([digest(1), digest(2)]) == {digest(2)}
    assert said.names == []


def test_away_it_knows_nothing_and_is_back_by_itself(server, cache, until, said):
    server.stop()
    cache.add([digest(1)])
    assert cache.among([digest(1)]) == set()
    server.start()

    def knows():
        cache.add([digest(2)])
        return cache.among([digest(2)])

    until(knows)
    assert cache.among([digest(1)]) == set()
    assert said.names == ["redis.down", "redis.back"]


def test_under_a_new_name_it_knows_nothing_of_what_was_in_a_log_that_is_lost(cache, expendable, settled):
    cache.add([digest(1)])
    settled()
    expendable.name = "anew"
    assert cache.among([digest(1)]) == set()
    cache.add([digest(2)])
    settled()
    assert cache.among([digest(1), digest(2)]) == {digest(2)}


def test_its_memory_is_bounded_and_it_expires(cache, expendable, look):
    per_set = 300
    script = module._ADD.replace(str(module._MOST), str(per_set))
    for at in range(0, 64 * 600, 6_400):
        look.eval(script, 0, expendable.key("known"), *(digest(n) for n in range(at, at + 6_400)))
    keys = look.keys("pulsehub:test:known:*")
    assert len(keys) == 64
    assert all(look.scard(key) == per_set for key in keys)
    assert all(0 < look.ttl(key) <= 2 * module._SLOT for key in keys)


def test_without_a_redis_it_knows_nothing():
    cache = Digests(Expendable(None))
    cache.add([digest(1)])
    assert cache.among([digest(1)]) == set()
