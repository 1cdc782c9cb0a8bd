"""What deploy/ installs starts."""

import configparser
import shlex

import httpx

from hub.registry import Registry
from hub.settings import load
from tests.docs.pages import ROOT
from tests.docs.test_commands import wrong_with

DEPLOY = ROOT / "deploy"


def test_the_example_settings_with_all_secrets_make_every_connection():
    names = [line.split("=")[0] for line in (DEPLOY / "secrets.env").read_text().splitlines() if line[:1].isupper()]
    secrets = dict.fromkeys(names, "secret") | {"PULSEHUB_SMTP_URL": "smtp://127.0.0.1:25"}
    settings, vendors = load(secrets, DEPLOY / "pulsehub.toml")
    configured = Registry().configure(vendors, httpx.AsyncClient(), settings.connections)
    assert {one.name for one in configured.sources} == {"salesforce", "segment", "stripe", "zendesk"}
    assert {one.name for one in configured.sinks} == {"salesforce", "zendesk", "email"}
    assert settings.alerts_to == ["success@example.com"]


def test_the_unit_starts_a_command_that_there_is_and_stops_it_gently():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(DEPLOY / "pulsehub.service")
    service = unit["Service"]
    program, *words = shlex.split(service["ExecStart"])
    assert program.endswith("/.venv/bin/pulsehub")
    assert wrong_with(["pulsehub", *words]) is None
    assert service["KillSignal"] == "SIGTERM"
    assert int(service["TimeoutStopSec"]) >= 40  # the server is given 30 seconds, deliveries 5
    assert service["RestartPreventExitStatus"] == "2"
    assert "PULSEHUB_CONFIG=/etc/pulsehub/pulsehub.toml" in service["Environment"]
