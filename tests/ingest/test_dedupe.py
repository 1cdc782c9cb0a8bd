"""Two doors that tell each other through Redis which ids are in the log."""

import itertools
import random
import threading
import time
from concurrent.futures import Future
from contextlib import closing
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

import hub
from hub.ingest.dedupe import Known, digest_of
from hub.ingest.intake import Intake, seal
from hub.store.database import Database
from hub.store.expendable.client import Expendable
from hub.store.schema import seen
from hub.streams.sqlite.log import SqliteLog
from hub.streams.topics import EVENTS as EVENTS_TOPIC
from tests.servers.cache import Redis
from tests.servers.program import ServerError

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
NAMES = itertools.count()
EVENTS = [
    seal(hub.Event(id=f"e{n}", kind="ticket.opened", account="crm:account:1", occurred_at=NOW), "crm", NOW)
    for n in range(4)
]


class Fickle:
    """A log whose appends end when and how the test says; `durable` are the events it has for good."""

    partitions = 4

    def __init__(self):
        self.durable = set()
        self.under_way = []

    def append(self, entries, counts=None):
        future = Future()
        self.under_way.append((future, {entry.value for entry in entries}))
        return future

    def end(self, place, error=None):
        if self.under_way:
            future, values = self.under_way.pop(place % len(self.under_way))
            if error:
                future.set_exception(error)
            else:
                self.durable |= values
                future.set_result(None)


class Door:
    """An intake with a client and a memory of its own, as in a process of its own."""

    def __init__(self, log, database, url, name):
        self.redis = Expendable(url, name)
        self.intake = Intake(log, database, self.redis)
        self.last = Future()

    def take(self, events):
        """What it took and what it left out as known already."""
        parcel = self.intake.pack(events, NOW.timestamp())
        self.last = self.intake.append(parcel)
        return [event for event, fresh in zip(events, parcel.fresh, strict=True) if not fresh]

    def settle(self):
        """Wait until what was told to Redis is told."""
        done = threading.Event()
        self.redis.tell(lambda _: done.set())
        assert done.wait(5)

    def close(self):
        self.redis.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    program = Redis(tmp_path_factory.mktemp("redis"))
    try:
        program.start()
    except ServerError as error:
        pytest.skip(str(error))
    program.url = f"redis://127.0.0.1:{program.port}?socket_timeout=1&socket_connect_timeout=1"  # a busy machine
    yield program
    program.kill()


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    with Database(f"sqlite:///{tmp_path_factory.mktemp('dedupe')}/hub.db") as opened:
        yield opened


@pytest.fixture
def doors(server, database):
    """Makes two doors over one log."""
    log, name = Fickle(), f"doors{next(NAMES)}"
    with closing(Door(log, database, server.url, name)) as one, closing(Door(log, database, server.url, name)) as two:
        yield log, one, two


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(0, 1), st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True)),
        st.tuples(st.sampled_from(["succeed", "fail"]), st.integers(0, 5)),
        st.tuples(st.sampled_from(["settle", "flush"]), st.integers(0, 1)),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_no_event_is_left_out_that_is_not_in_the_log_whatever_fails_in_whatever_order(server, database, steps):
    log, name = Fickle(), f"doors{next(NAMES)}"
    with closing(Door(log, database, server.url, name)) as one, closing(Door(log, database, server.url, name)) as two:
        doors = (one, two)
        for step in steps:
            match step:
                case ("take", door, which):
                    left_out = doors[door].take([EVENTS[n] for n in which])
                    assert {event.written for event in left_out} <= log.durable
                case ("succeed", place):
                    log.end(place)
                case ("fail", place):
                    log.end(place, OSError("disk full"))
                case ("settle", door):
                    doors[door].settle()
                case ("flush", door):
                    doors[door].redis.ask(flush)


def test_what_one_door_took_the_other_leaves_out_before_it_is_applied(doors):
    log, one, two = doors
    assert one.take(EVENTS) == []
    assert two.take(EVENTS) == []  # nothing is durable yet: both append, and the transaction that applies sorts it out
    log.end(0)
    one.settle()
    assert two.take(EVENTS) == EVENTS


def test_while_redis_is_away_the_table_of_applied_ids_decides(server, database, doors):
    _, one, _ = doors
    digest = digest_of("crm", "applied")
    database.write(lambda c: c.execute(insert(seen), [{"digest": digest, "forget": 0}]) and None).result()
    known = Known(database, one.redis)
    server.stop()
    assert known.among([digest, digest_of("crm", "new")]) == {digest}
    server.start()
    assert known.among([digest, digest_of("crm", "new")]) == {digest}


@pytest.mark.parametrize("fault", ["stop", "pause", "flush"])
def test_whatever_happens_to_redis_under_load_every_event_is_in_the_log(server, database, tmp_path, fault, caplog):
    """Two doors, 4,000 sendings of 2,000 events in chance order, and Redis goes and comes in the middle."""
    rng = random.Random(4)
    events = [
        seal(hub.Event(id=f"{fault}{n}", kind="ticket.opened", account="crm:account:1", occurred_at=NOW), "crm", NOW)
        for n in range(2_000)
    ]
    sendings = [*events, *events]
    rng.shuffle(sendings)
    log, name = SqliteLog(tmp_path / "streams.db", 4), f"doors{next(NAMES)}"
    log.declare(EVENTS_TOPIC)
    slowest = 0.0
    with closing(log), closing(Door(log, database, server.url, name)) as one:
        with closing(Door(log, database, server.url, name)) as two:
            for at in range(0, len(sendings), 20):
                if at == 1_000:
                    {"stop": server.stop, "pause": server.pause, "flush": lambda: one.redis.ask(flush)}[fault]()
                if at == 3_000:
                    {"stop": server.start, "pause": server.resume, "flush": lambda: None}[fault]()
                begun = time.monotonic()
                rng.choice((one, two)).take(sendings[at : at + 20])
                slowest = max(slowest, time.monotonic() - begun)
            for door in (one, two):
                door.last.result(5)
                while door.redis.away and time.monotonic() < begun + 10:
                    door.redis.ask(lambda redis: redis.ping())
                    threading.Event().wait(0.01)
        ends = log.ends("events")
        kept = [record.value for partition, end in ends.items() for record in log.read("events", {partition: 0}, end)]
    assert set(kept) == {event.written for event in events}
    assert len(kept) < len(sendings)  # the doors' memories and the time before left some out
    assert slowest < 4.0  # a second's patience, and a busy machine
    said = [record.getMessage() for record in caplog.records if record.name.startswith("hub.store.expendable")]
    assert said.count("redis.down") == said.count("redis.back") == (0 if fault == "flush" else 2)  # by each door


def flush(redis):
    redis.flushall()


def test_a_door_without_a_redis_remembers_by_itself(database):
    known = Known(database)
    known.remember([b"0" * 16])
    assert known.among([b"0" * 16, b"1" * 16]) == {b"0" * 16}
