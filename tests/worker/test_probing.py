"""Whether a process lives and whether it can work are two questions, with reasons."""

import asyncio
import shutil
import threading
from urllib.parse import urlsplit

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hub import ConfigError
from hub.settings import Settings, load
from hub.web.proofs import Proofs
from hub.worker import condition as conditions
from hub.worker.hub import Hub
from hub.worker.probing import create_probes
from hub.worker.roles import LEARN, worker
from tests.installations import INSTALLATIONS, installation

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def ask(app, path, method="GET", **headers):
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://probe") as http:
        return await http.request(method, path, headers=headers)


@pytest.fixture(scope="module", params=INSTALLATIONS)
def ours(request):
    """What makes an installation of each engine; of the large one, log and database are the whole file's."""
    with installation(request.param) as found:
        yield found


def hub_in(folder, ours=None, **more):
    settings, _ = load({"PULSEHUB_DATA": str(folder)} | (ours or {}))
    return Hub(settings.model_copy(update={"port": 0, **more}), {})


async def readyz(hub):
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{hub.url}/readyz")
    return answer.status_code, answer.json()["reasons"]


async def test_a_process_without_pages_answers_probes_and_numbers():
    dying, unable = [], ["the log does not answer"]
    app = create_probes(lambda: dying, lambda: unable)
    assert (await ask(app, "/healthz")).json() == {"status": "ok"}
    answer = await ask(app, "/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "not ready", "reasons": unable})
    dying.append("the loop has not turned for 31 seconds")
    assert (await ask(app, "/healthz")).status_code == 503
    assert (await ask(app, "/readyz")).json()["reasons"] == [*dying, *unable]
    numbers = await ask(app, "/metrics")
    assert "pulsehub_batch_records" in {one.name for one in text_string_to_metric_families(numbers.text)}
    assert (await ask(app, "/")).status_code == 404
    assert (await ask(app, "/healthz", "POST")).status_code == 404
    assert (await ask(app, "/metrics", "HEAD")).content == b""


async def test_where_there_is_a_token_numbers_need_it_and_probes_do_not():
    app = create_probes(list, list, proofs=Proofs("a long random secret"))
    assert (await ask(app, "/healthz")).status_code == 200
    assert (await ask(app, "/readyz")).status_code == 200
    refused = await ask(app, "/metrics")
    assert (refused.status_code, refused.json()) == (401, {"code": "token_needed"})
    assert (await ask(app, "/metrics", authorization="Bearer guess")).status_code == 401
    assert (await ask(app, "/metrics", authorization="Bearer a long random secret")).status_code == 200


@pytest.mark.parametrize("role", [worker(["success"]), LEARN], ids=lambda role: role.name)
async def test_probes_of_workers_do_not_listen_beyond_this_machine_without_a_token(tmp_path, role):
    with pytest.raises(ConfigError, match="PULSEHUB_API_TOKEN"):
        Hub(Settings(data=tmp_path, host="0.0.0.0"), {}, role, probes=0)  # noqa: S104 - refused


async def test_able_once_everything_is_loaded(tmp_path, ours):
    async with hub_in(tmp_path, ours) as hub:
        assert await readyz(hub) == (200, [])
        hub.engine.streams._all()[0].ready.clear()
        assert await readyz(hub) == (503, ["partitions are still to be assigned and loaded"])


async def test_not_able_while_the_disk_is_nearly_full_but_alive(tmp_path):
    async with hub_in(tmp_path, min_free_disk=shutil.disk_usage(tmp_path).total + 1) as hub:
        assert await readyz(hub) == (503, ["the door takes nothing: the disk is nearly full"])
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"{hub.url}/healthz")).json() == {"status": "ok"}


async def test_not_able_while_scoring_is_too_far_behind(tmp_path, ours):
    async with hub_in(tmp_path, ours) as hub:
        hub.door._pressure._max_lag = -1
        hub.door._pressure._looked_at = float("-inf")
        assert await readyz(hub) == (503, ["the door takes nothing: too many events wait to be scored"])


async def test_not_able_while_what_comes_cannot_be_written_down(tmp_path, ours):
    async with hub_in(tmp_path, ours) as hub:
        hub.door._down = True
        assert await readyz(hub) == (503, ["the door takes nothing: what comes could not be written down"])


async def test_not_able_while_the_databases_writer_does_not_answer(tmp_path, ours):
    async with hub_in(tmp_path, ours) as hub:
        held, free = threading.Event(), threading.Event()

        def block(_connection):
            held.set()
            free.wait(30)

        busy = hub.engine.database.write(block)
        await asyncio.to_thread(held.wait, 10)
        status, reasons = await readyz(hub)
        free.set()
        await asyncio.wrap_future(busy)
        assert (status, reasons) == (503, ["the database's writer does not answer"])


async def test_a_room_that_has_stopped_for_good_is_not_alive_and_the_reason_stays_here(tmp_path):
    async with hub_in(tmp_path) as hub:
        agent = hub.engine.streams._all()[0]
        agent._failed = "OperationalError: could not connect to postgresql://pulsehub:hunter2@db"
        assert hub.condition.dying() == ["a room has stopped for good"]
        agent._failed = None
        assert hub.condition.dying() == []


async def test_a_loop_that_stands_still_is_not_alive(tmp_path, monkeypatch):
    async with hub_in(tmp_path) as hub:
        await asyncio.sleep(0)
        monkeypatch.setattr(conditions, "_STUCK", -1.0)
        assert "has not turned" in hub.condition.dying()[0]
        hub.condition.stop()
        assert hub.condition.dying() == []


async def test_no_address_is_told(tmp_path, ours):
    async with hub_in(tmp_path, ours) as hub:
        app = create_probes(hub.condition.dying, hub.condition.unable, hub.condition.exposition)
        for path in ("/metrics", "/healthz", "/readyz"):
            told = (await ask(app, path)).text
            assert "://" not in told
            assert str(tmp_path) not in told
            assert not [
                url for url in ours.values() if "://" in url and urlsplit(url).netloc.rpartition("@")[2] in told
            ]
