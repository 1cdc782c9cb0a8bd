"""The door on Kafka while the broker is away, and when it keeps one part of a body and not the other."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing

import httpx
import pytest

from hub.registry import Registry
from hub.settings import load
from hub.streams.kafka.broker import Broker
from hub.streams.kafka.declaring import Admin
from hub.streams.log import LogError
from hub.streams.opening import open_log
from hub.worker.engine import Engine
from tests.ingest.conftest import PARTITIONS, Acme, standing
from tests.installations import installation
from tests.streams.kafka.conftest import database, servers

__all__ = ["database", "servers"]  # fixtures
PATIENCE = 2  # seconds


def record(number, **more):
    return {"id": str(number), "company": f"c{number}", **more}


def until(true):
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.05)


def answers(log):
    try:
        return bool(log.ends("events"))
    except LogError:
        return False


@pytest.mark.parametrize("ends", ["killed", "silent"])
def test_while_the_broker_is_away_vendors_are_told_when_to_come_back_and_nothing_is_lost(
    servers, database, tmp_path, ends, caplog
):
    servers.start()
    url = f"kafka://127.0.0.1:{servers.kafka.port}/door-{ends}"
    open_log(url, PARTITIONS, database).close()  # making topics takes its time
    url += f"?patience={PATIENCE}"
    with closing(open_log(url, PARTITIONS, database)) as log, standing(log, database, tmp_path, Acme()) as front:
        assert front.post([record(1)]).json()["accepted"] == 1
        servers.kafka.kill() if ends == "killed" else servers.kafka.pause()
        for path in ("/in/acme", "/v1/acme"):
            began = time.monotonic()
            refused = front.post([record(2)], path=path)
            assert (refused.status_code, refused.json()["code"]) == (503, "cannot_keep")
            assert 0 < int(refused.headers["retry-after"]) <= 30
            assert time.monotonic() - began < 3 * PATIENCE
            assert front.door.refuses() == "the log does not answer"
        assert front.post([], x_key="open").status_code in (401, 503)  # whoever it is, there is an answer
        servers.kafka.start() if ends == "killed" else servers.kafka.resume()
        until(lambda: front.post([record(2)]).status_code == 200)
        until(lambda: front.door.refuses() is None)
        assert front.post([record(2)]).json() == {"accepted": 0, "duplicates": 1, "dead_lettered": 0}
        until(lambda: answers(log))
        assert {event.id for event in front.events()} == {"acme:1", "acme:2"}
    said = [one.getMessage() for one in caplog.records if one.name == "ingest"]
    assert said == ["ingest.append_down", "ingest.append_back"]


def largest(url, topic, size):
    """Whoever operates the cluster has the topic refuse what is larger."""

    async def tell():
        broker = Broker.at(url)
        admin = Admin(**broker.client())
        await admin.start()
        name = broker.named(topic)
        own = {key: value for key, (value, theirs) in (await admin.settings(name)).items() if theirs}
        await admin.change(name, own | {"max.message.bytes": str(size)})
        await admin.close()

    asyncio.run(tell())


def test_a_body_of_which_a_part_was_kept_is_refused_and_sent_again_counts_once(tmp_path):
    with installation("large") as ours:
        settings = load({"PULSEHUB_DATA": str(tmp_path)} | ours)[0]
        url, registry = settings.stream, Registry()

        async def told():
            async with Engine(settings, registry, registry.configure({}, httpx.AsyncClient())) as engine:
                return await asyncio.to_thread(knock, engine), await engine.drained(30), engine.books()

        def knock(engine):
            with standing(engine.log, engine.database, tmp_path, Acme()) as front:
                assert front.post([record(0)]).status_code == 200
                largest(url, "raw", 100)  # the body does not go there, its events do
                refused, number, again = None, 1, []
                while refused is None:  # until the broker has noticed, and a part was quicker than its no
                    body = [record(number, text="x" * 500), record(number + 1)]
                    answer = front.post(body)
                    if answer.status_code != 200:
                        again.append(body)
                        there = {event.id for event in front.events()} & {f"acme:{number}", f"acme:{number + 1}"}
                        refused = answer if there else None
                    number += 2
                    assert number < 2_000
                largest(url, "raw", 8 * 1024 * 1024)
                for body in again:
                    until(lambda body=body: front.post(body).status_code == 200)
                return refused, number, [event.id for event in front.events()]

        (refused, number, ids), drained, books = asyncio.run(told())
    assert (refused.status_code, refused.json()["code"]) == (503, "cannot_keep")
    assert "retry-after" in refused.headers
    assert drained
    assert set(ids) == {f"acme:{n}" for n in range(number)}
    assert len(ids) >= number  # more, where the door had not yet heard that a part was applied
    assert (books.balanced, books.applied, books.pending) == (True, number, 0)
    assert books.received == number + books.duplicates
