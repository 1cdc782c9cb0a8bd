"""What systemd is given starts."""

import httpx
import pytest

from hub.registry import Registry
from hub.settings import load
from tests.deploy.files import DEPLOY, UNITS, service

HARDENED = "# it writes to its state folder"


def test_the_example_settings_with_all_secrets_make_every_connection():
    names = [line.split("=")[0] for line in (DEPLOY / "secrets.env").read_text().splitlines() if line[:1].isupper()]
    secrets = dict.fromkeys(names, "secret") | {"PULSEHUB_SMTP_URL": "smtp://127.0.0.1:25"}
    settings, vendors = load(secrets, DEPLOY / "pulsehub.toml")
    configured = Registry().configure(vendors, httpx.AsyncClient(), settings.connections)
    assert {one.name for one in configured.sources} == {"salesforce", "segment", "stripe", "zendesk"}
    assert {one.name for one in configured.sinks} == {"salesforce", "zendesk", "email"}
    assert settings.alerts_to == ["success@example.com"]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_is_stopped_gently_and_not_started_again_with_a_wrong_setting(path):
    unit = service(path)
    assert unit["KillSignal"] == "SIGTERM"
    assert int(unit["TimeoutStopSec"]) >= 40  # the server is given 30 seconds, deliveries 5
    assert unit["RestartPreventExitStatus"] == "2"
    assert "Environment=PULSEHUB_CONFIG=/etc/pulsehub/pulsehub.toml\n" in path.read_text()


def test_every_unit_is_as_confined_as_the_first():
    confined = [path.read_text().partition(HARDENED)[2] for path in UNITS]
    assert len(confined) >= 4
    assert len(confined[0].splitlines()) > 20
    assert set(confined) == {confined[0]}


def test_processes_of_one_machine_have_a_folder_each():
    folders = [service(path)["WorkingDirectory"] for path in UNITS]
    assert len(set(folders)) == len(UNITS)
    for path, folder in zip(UNITS, folders, strict=True):
        assert folder.removeprefix("/var/lib/") in service(path)["StateDirectory"].split()
