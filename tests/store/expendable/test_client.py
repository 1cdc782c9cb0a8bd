import threading
import time

import pytest

import hub
from hub.store.expendable.client import COOL_DOWN, PATIENCE, Expendable


class Clock:
    """Time that passes when we say so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def ping(client):
    return client.ping()


def test_without_a_redis_nothing_is_known_and_nothing_is_said(said):
    nothing = Expendable(None)
    nothing.tell(ping)
    assert nothing.ask(ping) is None
    assert not nothing.configured
    assert not nothing.away
    nothing.close()
    assert said.names == []


def test_going_and_coming_back_are_said_once_each(server, made, said):
    clock = Clock()
    redis = made(clock=clock)
    assert redis.ask(ping) is True
    server.stop()
    for _ in range(5):
        assert redis.ask(ping) is None
        clock.now += 10
    assert redis.away
    assert said.names == ["redis.down"]
    server.start()
    clock.now += 10
    assert redis.ask(ping) is True
    assert redis.ask(ping) is True
    assert said.names == ["redis.down", "redis.back"]


def test_a_redis_that_was_restarted_between_two_questions_was_never_away(server, expendable, said):
    assert expendable.ask(ping)
    server.stop()
    server.start()
    assert expendable.ask(ping)
    assert said.names == []


def test_a_redis_that_hangs_is_waited_for_once_and_then_not_at_all(server, made, said):
    expendable = made(url=server.near)
    assert expendable.ask(ping)
    server.pause()
    begun = time.monotonic()
    assert expendable.ask(ping) is None
    assert PATIENCE * 0.9 < time.monotonic() - begun < 10 * PATIENCE
    begun = time.monotonic()
    assert [expendable.ask(ping) for _ in range(1_000)] == [None] * 1_000
    assert time.monotonic() - begun < COOL_DOWN[0] / 2
    server.resume()
    assert said.names == ["redis.down"]


def test_one_thread_tries_while_the_others_go_on_without(silent_port, said):
    clock = Clock()
    redis = Expendable(f"redis://127.0.0.1:{silent_port}", clock=clock)
    redis.ask(ping)
    clock.now += COOL_DOWN[-1]
    asked = []
    gate = threading.Barrier(8)

    def go():
        gate.wait()
        redis.ask(lambda client: asked.append(1) or client.ping())

    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == [1]
    assert said.names == ["redis.down"]
    redis.close()


def test_attempts_become_rarer(silent_port):
    clock = Clock()
    redis = Expendable(f"redis://127.0.0.1:{silent_port}", clock=clock)
    tried = []
    while clock.now < 115:
        redis.ask(lambda client: tried.append(clock.now) or client.ping())
        clock.now += 0.5
    assert tried == [100.0, 101.0, 103.0, 108.0, 113.0]
    redis.close()


def test_a_slow_redis_is_as_good_as_none(server, made, look, said):
    expendable = made(url=server.near)
    assert expendable.ask(ping)
    look.execute_command("CLIENT", "PAUSE", 400, "ALL")
    assert expendable.ask(ping) is None
    assert said.names == ["redis.down"]


def test_a_wrong_password_is_said_once_and_never_shown(server, look, made, said):
    look.config_set("requirepass", "the-right-one")
    clock = Clock()
    redis = made(url=f"redis://:hunter2-secret@127.0.0.1:{server.port}/0", clock=clock)
    for _ in range(3):
        assert redis.ask(ping) is None
        clock.now += 10
    assert said.names == ["redis.down"]
    assert "AuthenticationError" in said.records[0]
    assert "hunter2" not in "".join(said.records)


def test_a_redis_without_memory_is_as_good_as_none(expendable, look, said):
    look.config_set("maxmemory", "1")
    assert expendable.ask(lambda client: client.set("pulsehub:test:x", "y")) is None
    assert said.names == ["redis.down"]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1",
        "redis://user:hunter2/x@host:6379",
        "redis://user:hunter2#x@host:6379",
        "redis://:hunter2@host:port",
        "redis://:hunter2@host?speed=high",
    ],
)
def test_a_url_that_cannot_be_read_says_what_to_write_and_not_what_was_written(url):
    with pytest.raises(hub.ConfigError) as told:
        Expendable(url)
    assert "PULSEHUB_REDIS_URL" in str(told.value)
    assert "hunter2" not in str(told.value)


def test_telling_never_waits_and_closing_finishes_what_was_told(server, made):
    redis = made()
    begun = time.monotonic()
    for n in range(500):
        redis.tell(lambda client, n=n: client.rpush("pulsehub:test:told", n))
    assert time.monotonic() - begun < 1.0
    redis.close()
    assert len(made().ask(lambda client: client.lrange("pulsehub:test:told", 0, -1))) == 500


def test_what_is_told_to_a_redis_that_hangs_is_dropped(server, expendable):
    server.pause()
    begun = time.monotonic()
    for _ in range(20_000):
        expendable.tell(ping)
    assert time.monotonic() - begun < 2.0
    expendable.close()
    assert time.monotonic() - begun < 5.0
    server.resume()
