import threading

import msgspec
import pytest

from hub.store.expendable.hot import REST, STALE, WORTH, Hot


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Question:
    """Answers 1, 2, 3 ..., and takes as long as the test says."""

    def __init__(self, clock, cost):
        self.clock = clock
        self.cost = cost
        self.asked = 0

    def __call__(self):
        self.asked += 1
        self.clock.now += self.cost
        return [self.asked]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def shared(expendable, until):
    """Waits until an answer is in Redis."""
    return lambda key: until(lambda: expendable.ask(lambda redis: redis.exists(expendable.key("hot", key))))


def test_an_answer_serves_for_its_seconds_and_no_longer(clock):
    hot, question = Hot(clock=clock), Question(clock, cost=0.5)
    assert hot.get("q", 2.0, question, list[int]) == [1]
    clock.now += 1.99
    assert hot.get("q", 2.0, question, list[int]) == [1]
    clock.now += 0.01
    assert hot.get("q", 2.0, question, list[int]) == [2]


def test_what_costs_little_is_asked_again_soon(clock):
    hot, question = Hot(clock=clock), Question(clock, cost=0.001)
    assert hot.get("q", 2.0, question, list[int]) == [1]
    clock.now += 0.011
    assert hot.get("q", 2.0, question, list[int]) == [2]


def test_processes_share_an_answer_and_its_age(made, clock, shared):
    ours, theirs = Question(clock, cost=0.5), Question(clock, cost=0.5)
    one, two = Hot(made(), clock), Hot(made(), clock)
    assert one.get("q", 60.0, ours, list[int]) == [1]
    shared("q")
    assert two.get("q", 60.0, theirs, list[int]) == [1]
    assert theirs.asked == 0
    clock.now += 5.1  # ten times what it cost: Redis' own time has not passed, the process's has
    assert two.get("q", 60.0, theirs, list[int]) == [1]
    assert theirs.asked == 0


def test_a_shared_answer_ends_in_redis_too(made, clock, look, shared):
    one = Hot(made(), clock)
    one.get("q", 2.0, Question(clock, cost=0.5), list[int])
    shared("q")
    assert 0 < look.pttl("pulsehub:test:hot:q") <= 2_000


def test_redis_is_not_bothered_with_what_costs_little(made, clock, look):
    redis = made()
    hot, question = Hot(redis, clock), Question(clock, cost=WORTH / 2)
    for _ in range(5):
        hot.get("q", 2.0, question, list[int])
        clock.now += 1
    redis.close()
    assert look.keys("*") == []
    assert look.info("commandstats").get("cmdstat_get", {"calls": 0})["calls"] <= 1


def test_one_thread_computes_and_the_others_take_what_it_found():
    hot = Hot()
    begun, go = threading.Event(), threading.Event()
    asked, answers = [], []

    def compute():
        asked.append(1)
        begun.set()
        go.wait(5)
        return [len(asked)]

    threads = [
        threading.Thread(target=lambda: answers.append(hot.get("q", 60.0, compute, list[int]))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    begun.wait(5)
    go.set()
    for thread in threads:
        thread.join()
    assert answers == [[1]] * 6


def test_questions_do_not_wait_for_each_other():
    hot = Hot()
    assert hot.get("a", 2.0, lambda: hot.get("b", 2.0, lambda: 7, int), int) == 7


def test_what_cannot_be_read_is_asked_again(expendable, look, clock):
    look.set("pulsehub:test:hot:q", b'{"of": "another version"}', px=60_000)
    assert Hot(expendable, clock).get("q", 2.0, Question(clock, cost=0.5), list[int]) == [1]


def test_an_error_is_the_askers_and_nothing_is_kept(clock):
    hot = Hot(clock=clock)

    def broken():
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        hot.get("q", 2.0, broken, list[int])
    assert hot.get("q", 2.0, lambda: [1], list[int]) == [1]


@pytest.mark.parametrize("how", ["stop", "pause", "flush"])
def test_without_its_redis_every_process_asks_for_itself(server, made, clock, look, shared, how):  # noqa: PLR0917 - fixtures are asked for by name
    one, two = Hot(made(), clock), Hot(made(), clock)
    ours, theirs = Question(clock, cost=0.5), Question(clock, cost=0.5)
    one.get("q", 2.0, ours, list[int])
    shared("q")
    {"stop": server.stop, "pause": server.pause, "flush": look.flushall}[how]()
    assert two.get("q", 2.0, theirs, list[int]) == [1]
    clock.now += 1.0
    assert two.get("q", 2.0, theirs, list[int]) == [1]
    assert theirs.asked == 1


def test_types_survive_the_way_through_redis(made, clock, shared):
    class Bar(msgspec.Struct, frozen=True):
        name: str | None
        counts: list[tuple[str | None, int]]

    bar = Bar(None, [(None, 3), ("watch", 4)])

    def compute():
        clock.now += 0.5
        return bar

    Hot(made(), clock).get("bar", 2.0, compute, Bar)
    shared("bar")
    assert Hot(made(), clock).get("bar", 2.0, lambda: None, Bar) == bar


def test_nobody_waits_for_a_dear_answer_but_who_comes_first(clock, until):
    hot, question = Hot(clock=clock), Question(clock, cost=3.0)
    assert hot.get("q", 2.0, question, list[int]) == [1]
    clock.now += 3.0 * REST - 0.1
    assert hot.get("q", 2.0, question, list[int]) == [1]
    assert question.asked == 1  # it is not asked more than a fifth of the time
    clock.now += 0.2
    begun, go = threading.Event(), threading.Event()

    def slow():
        begun.set()
        go.wait(5)
        return question()

    assert hot.get("q", 2.0, slow, list[int]) == [1]
    assert begun.wait(5)
    assert hot.get("q", 2.0, slow, list[int]) == [1]
    go.set()
    until(lambda: hot.get("q", 2.0, slow, list[int]) == [2])
    assert question.asked == 2


def test_a_dear_answer_that_ran_out_long_ago_is_waited_for(clock):
    hot, question = Hot(clock=clock), Question(clock, cost=3.0)
    assert hot.get("q", 2.0, question, list[int]) == [1]
    clock.now += 3.0 * REST + STALE
    assert hot.get("q", 2.0, question, list[int]) == [2]


def test_a_dear_answer_that_cannot_be_renewed_is_asked_for_again(clock, until):
    hot, question = Hot(clock=clock), Question(clock, cost=3.0)
    failed = threading.Event()

    def broken():
        failed.set()
        raise OSError("disk")

    assert hot.get("q", 2.0, question, list[int]) == [1]
    clock.now += 3.0 * REST
    assert hot.get("q", 2.0, broken, list[int]) == [1]
    assert failed.wait(5)
    until(lambda: hot.get("q", 2.0, question, list[int]) == [2])


def test_when_there_are_very_many_questions_the_longest_lived_answers_stay(clock):
    hot, dear = Hot(clock=clock), Question(clock, cost=5.0)
    hot.get("dear", 2.0, dear, list[int])
    for number in range(200):
        hot.get(f"q{number}", 2.0, Question(clock, cost=0.0), list[int])
    assert hot.get("dear", 2.0, dear, list[int]) == [1]
