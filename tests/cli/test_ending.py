"""However a process of ours starts, it ends when it is told to, in bounded time, and leaves nothing behind."""

import asyncio
import dataclasses
import gc
import json
import logging
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hub.cli.running import DRAIN, Cut, attend
from hub.sdk.errors import ConfigError, HubError
from hub.worker.hub import Hub
from hub.worker.roles import AGENTS, worker
from tests.backup import kit
from tests.e2e.kit import environment, start, until
from tests.streams.kafka.cluster import cluster

ROLE = worker(AGENTS.split(","))
# the command itself, in less of a hurry to be waited for
HURRIED = "import hub.cli, hub.cli.running as running; running.DRAIN = 2.0; hub.cli.main()"


@pytest.fixture
def silent():
    """Where connections are taken and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def large(bare, tmp_path):
    with cluster() as broker:
        yield kit.settings(tmp_path, bare, broker, partitions=2)


@contextmanager
def noticing(caplog):
    """What asyncio and aiokafka say of things that nobody closed; the loop is gone by the end of this."""
    found = []
    with caplog.at_level(logging.DEBUG, logger="asyncio"):
        yield found
        gc.collect()
    found += [record.getMessage() for record in caplog.records if record.name == "asyncio" and record.levelno > 20]


async def life(hub, *, after=None):
    """A process's, told to stop after so many seconds; how long that took it."""
    stop = asyncio.Event()
    if after is not None:
        asyncio.get_running_loop().call_later(after, stop.set)
    began = time.monotonic()
    with Cut(60.0) as cut:
        await attend(hub, stop, cut)
    return time.monotonic() - began - (after or 0.0)


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_start_that_waits_for_a_broker_ends_when_it_is_told_to(large, silent, caplog):
    async def run():
        hub = Hub(large, {}, ROLE)
        log = hub.engine.log
        log.broker = dataclasses.replace(log.broker, servers=(silent,))  # it is silent from here on
        return await life(hub, after=1.0)

    with noticing(caplog) as said:
        assert asyncio.run(run()) < DRAIN
    assert said == []


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_start_that_fails_leaves_nothing_open(large, caplog):
    kit.score(large, range(20))

    async def run():
        hub = Hub(large, {}, ROLE)
        ahead = "update offsets set next = next + 1000 where room = 'scoring.rescore'"
        hub.engine.database.write(lambda connection: connection.exec_driver_sql(ahead) and None).result()
        await life(hub)

    with noticing(caplog) as said, pytest.raises(ConfigError, match="not of one moment"):
        asyncio.run(run())
    assert said == []


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_room_that_stopped_for_good_ends_its_process_where_others_can_go_on(large, caplog):
    async def run():
        hub = Hub(large, {}, ROLE)

        async def spoil():
            while not hub.engine.streams.ready():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)
            (agent,) = hub.engine.streams._agents["scoring"]
            agent._failed = "scoring.rescore cannot load its rows"

        spoiling = asyncio.create_task(spoil())
        await asyncio.wait_for(life(hub), 60)
        await spoiling

    with pytest.raises(HubError, match=r"stopped for good.*cannot load its rows"):
        asyncio.run(run())
    assert "worker.room_failed" in [record.getMessage() for record in caplog.records]


def test_a_process_that_has_files_to_itself_keeps_its_door_open(tmp_path):
    async def run():
        hub = Hub(kit.settings(tmp_path / "data").model_copy(update={"port": 0}), {})
        asyncio.get_running_loop().call_later(
            1.0, lambda: setattr(hub.engine.streams._agents["scoring"][0], "_failed", "it cannot load its rows")
        )
        return await life(hub, after=3.0)

    assert asyncio.run(run()) < DRAIN


def test_a_stop_that_hangs_is_cut_short_and_the_next_start_goes_on(tmp_path):
    data = tmp_path / "data"
    command = [sys.executable, "-c", HURRIED, "up", "--port", "0", "--json"]
    log = tmp_path / "log"
    with log.open("wb") as err:
        process = subprocess.Popen(
            command, env=environment(data), cwd=tmp_path, stdout=subprocess.PIPE, stderr=err, text=True
        )
    until(lambda: process.stdout.readline() == "}\n")
    with closing(sqlite3.connect(data / "hub.db", isolation_level=None)) as holds:
        holds.execute("begin immediate")  # longer than anybody waits
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert process.wait(20) == 0
        assert time.monotonic() - began > 1.5
    process.stdout.close()
    said = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    assert [one["seconds"] for one in said if one.get("event") == "worker.stop_cut_short"] == [2.0]
    ours = kit.settings(data)
    assert kit.score(ours, range(10)).applied == 10


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_while_servers_are_waited_for_ends_it_at_once(tmp_path, silent, number, status):
    given = {"PULSEHUB_DATABASE_URL": f"postgresql://me@{silent}/us", "PULSEHUB_BROKER_URL": f"kafka://{silent}/us"}
    process = start(tmp_path / "data", "worker", settings=given)
    until(lambda: handles_term(process.pid), why="it handles no signals")
    time.sleep(0.5)  # it waits for the database, which takes it ten seconds
    process.send_signal(number)
    out, err = process.communicate(timeout=8)
    assert (process.returncode, out, err) == (status, "", "stopped: nothing had begun\n")


def handles_term(pid):
    """Python itself handles SIGINT, and nothing else."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    (caught,) = [line.split()[1] for line in lines if line.startswith("SigCgt")]
    return int(caught, 16) >> (signal.SIGTERM - 1) & 1
