"""What the doctor says of an installation on servers: who works on it, how far behind it is, how its log is kept."""

import asyncio
import re
import socket
import time
from dataclasses import replace

import pytest

from hub.cli.checks import broker
from hub.store.database import Database
from hub.store.heartbeats import Heartbeats
from hub.streams.kafka.broker import Broker
from hub.streams.kafka.declaring import Admin, settings_of
from hub.streams.kafka.describing import Cluster, Kept, Server
from hub.streams.log import Entry
from hub.streams.topics import ALL, DAY, EVENTS
from hub.worker.roles import READS
from tests import engines
from tests.backup import kit
from tests.cli.test_doctor import examined, large, says  # noqa: F401 - a fixture
from tests.e2e.kit import document, pulsehub
from tests.engines import engine  # noqa: F401 - a fixture
from tests.streams.kafka.cluster import cluster

PARTITIONS = 4
ALL_OF_IT = list(range(PARTITIONS))
on_servers = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)


def beat(ours, **processes):
    """Let these be heard of; role -> the rooms each says it has, with their partitions."""

    async def once():
        with Database(ours.database) as database:
            for role, rooms in processes.items():
                state = {"rooms": rooms, "since": time.time() - 600, "ready": True}
                await Heartbeats(database, role, "1.0", lambda state=state: state, id=f"host:{role}:1").beat()

    asyncio.run(once())


@on_servers
def test_an_installation_that_nobody_works_on_is_not_well(large):  # noqa: F811
    told = examined(large, status=1)
    assert [one["name"] for one in told["checks"] if one["state"] == "wrong"] == ["processes"]
    assert any("no process is alive" in one and "`pulsehub worker`" in one for one in says(told, "processes", "wrong"))


@on_servers
def test_rooms_that_no_running_process_has_are_named_with_what_would_run_them(large):  # noqa: F811
    rooms = [room for room in READS if room.partition(".")[0] in ("scoring", "success", "sinks")]
    beat(large, web={}, worker={room: ALL_OF_IT for room in rooms if room != "scoring.learn"})
    told = examined(large, status=1)
    wrong = says(told, "rooms", "wrong")
    assert len(wrong) == 2
    assert any(one.startswith("ingest.dead_letters is run by nobody") and "name ingest" in one for one in wrong)
    assert any(one.startswith("scoring.learn is run by nobody") and "`pulsehub learner`" in one for one in wrong)


@on_servers
def test_partitions_and_a_door_that_nobody_has_are_named(large):  # noqa: F811
    beat(large, worker=dict.fromkeys(READS, ALL_OF_IT) | {"sinks.fields": [0, 3]})
    wrong = says(examined(large, status=1), "rooms", "wrong")
    assert any("partitions 1" in one and "of sinks.fields" in one for one in wrong)
    assert any("`pulsehub web`" in one for one in wrong)


@on_servers
def test_an_installation_that_works_is_well_and_its_servers_are_told(large):  # noqa: F811
    beat(large, web={}, worker=dict.fromkeys(READS, ALL_OF_IT))
    told = examined(large)
    assert told["ok"]
    assert any("ingest.dead_letters" in one for one in says(told, "rooms", "ok"))
    assert any(one.startswith("PostgreSQL 1") for one in says(told, "versions", "ok"))
    assert any("broker answers in" in one for one in says(told, "broker", "ok"))
    assert any("every topic" in one and "three are safe" in one for one in says(told, "topics", "note"))


@on_servers
def test_a_topic_that_somebody_changed_is_told_with_what_it_should_be(large):  # noqa: F811
    async def change():
        kafka = Broker.at(large.stream)
        admin = Admin(**kafka.client())
        await admin.start()
        await admin.change(kafka.named("events"), settings_of(EVENTS) | {"retention.ms": "3600000"})
        await admin.close()

    asyncio.run(change())
    notes = says(examined(large, status=1), "topics", "note")
    assert any(one.startswith("events: retention.ms is 3600000 and should be 604800000") for one in notes)


@on_servers
def test_before_there_is_an_installation_its_servers_are_asked_all_the_same(engine, tmp_path):  # noqa: F811
    with engines.passing() as empty, cluster() as url:
        given = {"PULSEHUB_DATABASE_URL": empty, "PULSEHUB_BROKER_URL": url}
        told = document(tmp_path / "data", "doctor", settings=given)
        assert says(told, "broker", "ok")
        assert any(one.startswith("PostgreSQL 1") for one in says(told, "versions", "ok"))
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        given["PULSEHUB_BROKER_URL"] = f"kafka://127.0.0.1:{port}/x"
        told = document(tmp_path / "data", "doctor", settings=given, status=1)
        assert any("PULSEHUB_BROKER_URL" in one for one in says(told, "broker", "wrong"))


@pytest.mark.parametrize(("days", "state"), [(0.0, "ok"), (0.1, "note"), (5.0, "wrong")])
def test_who_is_behind_is_told_and_what_retention_will_take(tmp_path, days, state):
    ours = kit.settings(tmp_path, partitions=2)
    kit.score(ours, range(4))
    with kit.opened(ours) as (_, log):
        came = time.time() - days * DAY
        log.append([Entry("events", 1, b"k", b"v", came), Entry("events", 1, b"k", b"v", time.time())]).result()
    told = examined(ours, status=int(state == "wrong"))
    (said,) = says(told, "lag", state)
    assert said.startswith("scoring.rescore has 2 records of events to read")
    assert state != "wrong" or "lost in 2" in said or "lost in 48 h" in said


def kept(replicas, least, in_sync=None, **more):
    settings = {name.replace("_", "."): value for name, value in more.items()}
    told = settings_of(EVENTS) | {"min.insync.replicas": str(least)} | settings
    return Kept(4, replicas, replicas if in_sync is None else in_sync, 0, told)


@pytest.mark.parametrize(
    ("how", "brokers", "state", "says"),
    [
        (kept(3, 2), 3, None, ""),
        (kept(3, 2), 5, None, ""),
        (kept(3, 2, in_sync=2), 3, "note", "2 of 3 replicas are in sync"),
        (kept(3, 2, in_sync=1), 3, "wrong", "takes nothing"),
        (kept(3, 1), 3, "wrong", "min.insync.replicas=2"),
        (kept(1, 1), 3, "wrong", "give it 3 replicas"),
        (kept(2, 1), 2, "note", "one of two brokers"),
        (kept(2, 2), 2, None, ""),
        (kept(1, 1), 1, "note", "three are safe"),
        (kept(1, 2), 1, "wrong", "takes nothing"),
        (replace(kept(3, 2), leaderless=2), 3, "wrong", "2 partitions cannot be"),
        (replace(kept(3, 1), settings={}), 3, "note", "DescribeConfigs"),
        (kept(3, 2, unclean_leader_election_enable="true"), 3, "wrong", "unclean"),
        (kept(3, 2, retention_ms="1000"), 3, "note", "should be 604800000"),
        (kept(3, 2, max_message_bytes="99999999"), 3, None, ""),
    ],
)
def test_how_a_topic_is_kept_against_how_it_should_be(how, brokers, state, says):
    found = list(broker.judge(EVENTS, how, brokers))
    assert ([one for one, _ in found] == [state] and says in found[0][1]) if state else found == []


def test_a_broker_that_does_not_answer_and_one_that_is_old_are_named():
    servers = (
        Server(1, "a:9092", 0.002, tested=True),
        Server(2, "b:9092", 0.01),
        Server(3, "c:9092", None, problem="no"),
    )
    (wrong, ok, note) = broker._servers(servers)
    assert (wrong.state, "broker 3" in wrong.says, "c:9092" in wrong.says) == ("wrong", True, True)
    assert ok.says.startswith("2 brokers answer in 10 ms")
    assert (note.state, "broker 2" in note.says) == ("note", True)


def test_what_all_topics_have_in_common_is_said_once():
    cluster = Cluster((Server(1, "a:9092", 0.0, tested=True),), {spec.name: kept(1, 1) for spec in ALL})
    found = [one.says for one in broker._topics(cluster) if "three are safe" in one.says]
    assert len(found) == 1
    assert found[0].startswith("every topic")


@on_servers
def test_streams_tells_how_long_records_wait_where_and_on_how_many_brokers(large):  # noqa: F811
    with kit.opened(large) as (_, log):
        came = time.time() - 5_000
        log.append([Entry("events", p, b"k", b"v", came + p) for p in (1, 1, 3)]).result(30)
    given = {"PULSEHUB_DATABASE_URL": large.database, "PULSEHUB_BROKER_URL": large.stream}
    told = document(large.data, "streams", "--by-partition", settings=given)
    (events,) = [one for one in told["topics"] if one["topic"] == "events"]
    assert (events["replicas"], events["in_sync"], events["min_in_sync"]) == (1, 1, 1)
    (scoring,) = [one for one in told["rooms"] if one["room"] == "scoring.rescore"]
    assert scoring["lags"] == {"0": 0, "1": 2, "2": 0, "3": 1}
    assert 4_990 < scoring["seconds"] < 5_100
    words = pulsehub(large.data, "streams", settings=given).stdout
    assert re.search(r"scoring\.rescore +events +3 +8[345] min +nobody", words), words
