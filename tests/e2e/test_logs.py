"""No secret and nothing of a customer is in the log, whatever goes wrong and however much it tells."""

import json
import re
from dataclasses import replace

import httpx

from tests.e2e.kit import post, until, up
from tests.e2e.stage import world

PRIVATE = ("northwind.example", "ada@", "Ada King", "Northwind", "Mira", "Solberg", "Nothing loads", "Still broken")


def test_nothing_private_is_in_the_log_at_any_level(tmp_path):
    with world() as around:
        settings = around.settings | {"PULSEHUB_LOG_LEVEL": "debug"}
        secrets = [part for name, value in settings.items() if _secret(name) for part in value.split(",")]
        with up(tmp_path / "data", settings) as hub:
            for pings in around.founding().values():
                for ping in pings:
                    post(hub.url, ping)
            for ping in _wrong(around):
                answer = httpx.post(hub.url + ping.path, content=ping.body, headers=dict(ping.headers))
                assert 400 <= answer.status_code < 500
            around.vendors.__exit__(None, None, None)  # every destination fails from now on
            for pings in around.trouble().values():
                for ping in pings:
                    post(hub.url, ping)
            until(lambda: "sinks.down" in hub.said())
            said = hub.said()
    assert len(secrets) > 4
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert {line["event"] for line in lines} >= {"sinks.down"}
    assert [one for one in (*PRIVATE, *secrets) if one in said] == []


def _secret(name):
    return re.search(r"SECRET|TOKEN|KEY|PASSWORD", name)


def _wrong(around):
    """Webhooks with a body that was touched, cut, or is none."""
    for pings in around.trouble().values():
        for body in (pings[0].body + b" ", pings[0].body[:40], b"Nothing loads, says Ada King <ada@northwind.example>"):
            yield replace(pings[0], body=body)
