"""An installation that has seen something, and a stranger's plugin that cannot read all of it."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import httpx
import pytest

from tests.e2e.conftest import run  # noqa: F401 - a fixture
from tests.e2e.kit import until, up
from tests.e2e.truth import accounted

HOSTILE = "[/b][bold]\x1b[31m[link=http://evil.example]Evil & Co[/nowhere]"
PARCEL = '''
"""Parcels, as a stranger's plugin speaks of them."""
import json
from datetime import datetime
import hub

KEYS = ["company"]

class Parcel:
    name = vendor = "parcel"
    paths = ()
    keeps_raw = True
    remembers = None

    def verify(self, hook, now):
        pass

    def decode(self, hook, now):
        return [hub.Raw(body=json.dumps(one).encode(), received_at=now) for one in json.loads(hook.body)]

    def normalize(self, raw):
        one = json.loads(raw.body)
        company = next(one[key] for key in KEYS if key in one)
        yield hub.Event(
            id=f"parcel:{one['id']}",
            kind=one.get("kind", "ticket.opened"),
            account=f"parcel:company:{company}",
            entity=f"parcel:ticket:{one['id']}",
            occurred_at=datetime.fromisoformat(one["at"]),
            text=one.get("text"),
            properties={"name": one["name"]} if "name" in one else {},
        )

@hub.hookimpl
def register_sources(settings):
    return [Parcel()] if settings.get("PULSEHUB_PARCEL_ON") else []
'''


class Plugin:
    """The stranger's plugin, on a path of its own."""

    def __init__(self, folder):
        self._module = folder / "parcel.py"
        info = folder / "parcel_pulsehub-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: parcel-pulsehub\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[pulsehub.plugins]\nparcel = parcel\n")
        self._module.write_text(PARCEL)
        self.settings = {"PYTHONPATH": str(folder), "PULSEHUB_PARCEL_ON": "1", "PYTHONDONTWRITEBYTECODE": "1"}

    def mend(self):
        """The next version also knows the key that it stumbled over."""
        self._module.write_text(PARCEL.replace('["company"]', '["company", "customer"]'))


def record(number, company="acme", key="company", **more):
    return {"id": str(number), key: company, "at": datetime.now(UTC).isoformat()} | more


def send(url, *records):
    reply = httpx.post(f"{url}/in/parcel", content=json.dumps(records))
    assert reply.status_code == 200, reply.text
    return reply.json()


def some(folder):
    """A new installation with a customer of a hostile name, one without, and a record that could not be read."""
    plugin = Plugin(folder / "site")
    data = folder / "data"
    with up(data, plugin.settings) as hub:
        send(hub.url, record(0, "evil", kind="account.updated", name=HOSTILE))
        send(hub.url, record(1, "evil", text=f"{HOSTILE} cannot log in"))
        send(hub.url, record(10), record(11))
        send(hub.url, record(99, "zeta", "customer"))
        until(lambda: accounted(data)[0].pending == 0)
        until(lambda: httpx.get(f"{hub.url}/metrics").text.count('dead_letters_open{connection="parcel"} 1.0'))
        hub.stop()
    return SimpleNamespace(data=data, plugin=plugin, settings=plugin.settings)


@pytest.fixture(scope="session")
def filled(tmp_path_factory):
    """Only to be read."""
    return some(tmp_path_factory.mktemp("filled"))
