"""What is told to Prometheus, and that telling it cannot fail."""

import asyncio
import random
import time

import pytest
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert
from sqlalchemy.exc import OperationalError

from hub import metrics
from hub.store import schema
from hub.store.questions import operation
from hub.streams.behind import Behind
from hub.streams.log import LogError
from hub.web.installation import Installation


def samples(text):
    return {
        (one.name, *sorted(one.labels.items())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_a_histogram_that_takes_batches_counts_as_prometheus_own_does():
    rng, registry = random.Random(7), CollectorRegistry()
    theirs = Histogram("ages", "n", ["room"], registry=registry, buckets=metrics.AGE._bounds)
    ours, mine = metrics.Ages("ages", "n", "room"), CollectorRegistry()
    mine.register(ours)
    for size in (1, 0, 500, 3, 1):
        ages = [rng.choice((0.005, 0.25, rng.expovariate(1.0), rng.expovariate(0.001))) for _ in range(size)]
        for age in ages:
            theirs.labels("r").observe(age)
        ours.observe("r", ages)
    expected = samples(generate_latest(registry).decode())
    assert {name: value for name, value in expected.items() if "created" not in name[0]} == pytest.approx(
        samples(generate_latest(mine).decode())
    )


def test_names_are_unique_and_by_convention():
    described = metrics.described()
    assert len({one.name for one in described}) == len(described)
    for one in described:
        assert one.name.startswith("pulsehub_")
        assert (one.kind == "counter") == one.name.endswith("_total")
        assert not {"account", "contact", "event", "reference"} & set(one.labels)
        assert not one.name.removesuffix("_total").endswith(("_ms", "_milliseconds", "_kilobytes", "_percent"))


def installation(database, **more):
    asked = {"books": dict, "lag": dict} | more
    return Installation(database, **asked)


def test_a_log_that_is_away_costs_only_what_it_would_have_told(database):
    def away():
        raise LogError("the broker does not answer")

    told = samples(metrics.exposition(installation(database, lag=away)).decode())
    assert told[("pulsehub_log_up",)] == 0.0
    assert told[("pulsehub_database_up",)] == 1.0
    assert ("pulsehub_labels_learned_total",) in told
    assert ("pulsehub_events_pending",) not in told


def test_a_database_that_is_away_does_not_fail_the_scrape(database):
    class Away:
        def read(self):
            raise OperationalError("select 1", {}, Exception("gone"))

    told = samples(metrics.exposition(installation(Away())).decode())
    assert told[("pulsehub_database_up",)] == 0.0
    assert told[("pulsehub_log_up",)] == 1.0
    assert told[("pulsehub_events_pending",)] == 0.0
    assert not any(name[0] == "pulsehub_delivery_records" for name in told)


def test_several_who_scrape_ask_once(database):
    asked = []
    one = installation(database, books=lambda: asked.append(1) or {"received": 1})
    told = [samples(metrics.exposition(one).decode())[("pulsehub_books_difference",)] for _ in range(3)]
    assert (told, len(asked)) == ([1.0] * 3, 1)


def test_what_waits_for_a_destination_is_as_old_as_its_health(database):
    now = time.time()
    account = {"id": "a1", "partition": 3, "state": b"", "scored_at": now, "last_event_at": now, "model_version": 0}
    health = {"account": "a1", "health": 40.0, "band": "watch", "message": b"{}", "partition": 3}
    wanted = {"sink": "crm", "account": "a1", "target": "1", "fields": "{}", "attempts": 0, "next_at": 0.0}

    def write(connection):
        connection.execute(insert(schema.destinations), [{"sink": sink, "paused": 0} for sink in ("crm", "pager")])
        connection.execute(insert(schema.accounts), [account])
        connection.execute(insert(schema.ledger), [health | {"sequence": n, "at": now - 100 + n} for n in (1, 2, 3)])
        connection.execute(insert(schema.desired), [wanted | {"sequence": 2, "state": "due"}])
        letter = {"at": now, "connection": "crm", "reason": "", "version": "", "context": "{}", "body": b""}
        letters = [letter | {"id": str(n), "stage": "deliver", "state": "open"} for n in range(4)]
        connection.execute(insert(schema.dead_letters), letters)

    database.write(write).result()
    with database.read() as connection:
        assert operation.waiting(connection) == {"crm": pytest.approx(now - 98)}
        assert operation.letters(connection) == {("deliver", "open"): 4}
    told = samples(metrics.exposition(installation(database, now=lambda: now)).decode())
    assert told[("pulsehub_delivery_queue_age_seconds", ("sink", "crm"))] == pytest.approx(98.0)
    assert told[("pulsehub_delivery_queue_age_seconds", ("sink", "pager"))] == 0.0
    assert told[("pulsehub_dead_letters", ("stage", "deliver"), ("state", "open"))] == 4.0


def test_a_partition_that_stands_still_makes_its_room_late_though_others_go_on(database):
    rows = [{"room": "r", "topic": "t", "partition": p, "next": 10, "epoch": 1} for p in (0, 1)]
    database.write(lambda connection: connection.execute(insert(schema.offsets), rows)).result()
    clock, ends = [0.0], {0: 10, 1: 10}

    class Log:
        def ends(self, _topic):
            return dict(ends)

    behind = Behind(database, Log(), lambda: clock[0])
    assert behind.seconds() == {"r": 0.0}
    clock[0], ends[0] = 20.0, 11
    assert behind.seconds() == {"r": 0.0}
    clock[0], ends[1] = 90.0, 500
    assert behind.seconds() == {"r": 70.0}


def test_how_many_records_wait_is_told_of_rooms_that_never_ran_too(database):
    rows = [{"room": "r", "topic": "t", "partition": 0, "next": 10, "epoch": 1}]
    database.write(lambda connection: connection.execute(insert(schema.offsets), rows)).result()

    class Log:
        def ends(self, topic):
            return {"t": {0: 15, 1: 4}, "u": {0: 7, 1: 0}}[topic]

    assert Behind(database, Log(), reads={"r": "t", "never": "u"}).records() == {"r": 9, "never": 7}


def test_the_rooms_that_have_to_run_are_those_that_do(tmp_path):
    from hub.settings import Settings  # noqa: PLC0415 - as below
    from hub.web.pages.streams import ROOMS  # noqa: PLC0415
    from hub.worker.hub import Hub  # noqa: PLC0415
    from hub.worker.roles import READS  # noqa: PLC0415

    async def running():
        async with Hub(Settings(data=tmp_path, port=0), {}) as hub:
            return {agent.room.name: agent.room.topic.name for agent in hub.engine.streams._all()}

    assert asyncio.run(running()) == READS
    assert set(ROOMS) == set(READS)


def test_everything_that_is_described_is_told_by_a_running_process(tmp_path):
    from hub.settings import Settings  # noqa: PLC0415 - the one test that needs all of it
    from hub.worker.hub import Hub  # noqa: PLC0415

    async def scraped():
        async with Hub(Settings(data=tmp_path, port=0), {}) as hub:
            await hub.heartbeats.beat()
            return await asyncio.to_thread(hub.condition.exposition), hub.engine.log.partitions

    text, partitions = asyncio.run(scraped())
    families = {family.name for family in text_string_to_metric_families(text.decode())}
    missing = {one.name for one in metrics.described() if one.name.removesuffix("_total") not in families}
    assert missing <= {
        "pulsehub_topic_records_per_second",  # told where there are pages
        "pulsehub_model_version",  # once there is one
        "pulsehub_model_age_seconds",
        "pulsehub_disk_free_bytes",  # told where there are pages: embedded is `up`
    }
    told = samples(text.decode())
    assert told[("pulsehub_partitions_held", ("room", "scoring.rescore"))] == partitions
    assert told[("pulsehub_processes", ("role", "up"))] == 1.0
    assert told[("pulsehub_books_difference",)] == 0.0
