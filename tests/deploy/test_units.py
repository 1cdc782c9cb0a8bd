"""What systemd is given starts."""

import httpx
import pytest

from hub.registry import Registry
from hub.settings import load
from tests.deploy.files import DEPLOY, UNITS, service
from tests.e2e.kit import pulsehub

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
    assert unit["RestartPreventExitStatus"] == "2"  # a wrong setting; what does not answer ends with 1, see below
    assert "Environment=PULSEHUB_CONFIG=/etc/pulsehub/pulsehub.toml\n" in path.read_text()


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_is_started_again_for_as_long_as_its_servers_take_to_come_back(path):
    assert service(path)["Restart"] == "on-failure"
    assert service(path, "Unit")["StartLimitIntervalSec"] == "0"


def test_a_server_that_does_not_answer_is_no_wrong_setting(tmp_path):
    """After a power cut ours may be up first; systemd would leave it down for good after a status of 2."""
    broker = {"PULSEHUB_BROKER_URL": "kafka://127.0.0.1:1/pulsehub?patience=2"}
    both = broker | {"PULSEHUB_DATABASE_URL": "postgresql://pulsehub:s3cr3t@127.0.0.1:1/pulsehub"}
    for command, given, what in (("worker", both, "database postgresql://"), ("up", broker, "broker kafka://")):
        done = pulsehub(tmp_path / "data", command, "--port", "0", settings=given)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"pulsehub: cannot use the {what}" in done.stderr
        assert "see that it runs" in done.stderr
        assert ("Traceback" in done.stderr, "s3cr3t" in done.stderr) == (False, False)


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
