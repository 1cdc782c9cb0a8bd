"""`pulsehub up` and `pulsehub sandbox`: how they start, stop, and say no."""

import json
import signal
import socket

import httpx
import pytest

from tests.e2e.kit import document, pulsehub, start, up


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    data = tmp_path_factory.mktemp("up") / "data"
    with up(data) as hub:
        yield hub


def test_it_answers_where_it_says(running):
    assert httpx.get(f"{running.url}/healthz").status_code == 200
    assert httpx.get(f"{running.url}/readyz").status_code == 200
    assert "no source is configured yet" in running.said()


def test_a_second_one_on_the_same_data_names_the_first(running):
    done = pulsehub(running.folder, "up", "--port", "0")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"process {running.process.pid}" in done.stderr
    assert str(running.folder) in done.stderr
    assert "Traceback" not in done.stderr
    assert httpx.get(f"{running.url}/readyz").status_code == 200


def test_a_port_that_is_taken_is_wrong_use_and_makes_nothing(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = pulsehub(tmp_path / "data", "up", "--port", port)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr
    assert not (tmp_path / "data").exists()


def test_it_stops_within_seconds_with_status_0_and_starts_again(tmp_path):
    for number in (signal.SIGINT, signal.SIGTERM):
        with up(tmp_path / "data") as hub:
            with httpx.stream("GET", f"{hub.url}/api/accounts"):
                status, seconds = hub.stop(number)
            assert status == 0
            assert seconds < 10
            assert "Traceback" not in hub.said()
    assert document(tmp_path / "data", "doctor")["ok"] is True


def test_with_a_token_it_listens_for_others_and_asks_them_for_it(tmp_path):
    settings = {"PULSEHUB_API_TOKEN": "a-long-random-secret-of-somebody"}
    with up(tmp_path / "data", settings, "--host", "0.0.0.0") as hub:  # noqa: S104 - with a token it may
        url = f"http://127.0.0.1:{hub.url.rpartition(':')[2]}/api/accounts"
        assert httpx.get(url).status_code == 401
        token = {"authorization": f"Bearer {settings['PULSEHUB_API_TOKEN']}"}
        assert httpx.get(url, headers=token).json() == {"accounts": [], "total": 0, "next": None}
        assert settings["PULSEHUB_API_TOKEN"] not in hub.said()


@pytest.mark.parametrize("vendor", ["salesforce", "zendesk", "stripe", "segment"])
def test_a_sandbox_serves_its_page_and_says_how_to_use_it(tmp_path, vendor):
    process = start(tmp_path / "data", "sandbox", vendor, "--json")
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == "}\n":
            break
    told = json.loads("".join(lines))
    assert told["vendor"] == vendor
    assert any(name.startswith(f"PULSEHUB_{vendor.upper()}_") for name in told["settings"])
    page = httpx.get(told["url"])
    assert (page.status_code, vendor.title() in page.text) == (200, True)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, "Traceback" in err) == (0, "", False)
