"""A rolling upgrade as it goes: processes of this version and of the next one share an installation.

`newer` makes the next one: more fields in every message, one more step of the schema. Nothing may be lost, counted
twice or dead-lettered, whichever of them sends and whichever reads, in both directions: an upgrade may be taken back.
"""

import json
import os
import re
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from itertools import chain

import httpx
import pytest
from sqlalchemy import create_engine, make_url, text

from hub.store import schema
from tests import engines
from tests.cli.conftest import Plugin, record, send
from tests.e2e.kit import document, start, until
from tests.streams.kafka.cluster import cluster
from tests.upgrade import newer

PARTITIONS = 4
ALL = "scoring,success,sinks,ingest,learner"
OURS = version("pulsehub")
ABOVE = [
    path for path in [os.environ.get("PYTHONPATH")] if path
]  # where the program of this version is, if it is not installed
PATIENCE = 180.0  # seconds; a process that goes or comes is a rebalance


class Place:
    """An installation on servers, and the two programs that know it."""

    def __init__(self, folder, database, broker):
        self.data, self.database = folder / "data", database
        plugin = Plugin(folder / "site")
        shared = {
            **plugin.settings,
            "PYTHONPATH": os.pathsep.join([plugin.settings["PYTHONPATH"], *ABOVE]),
            "PULSEHUB_DATABASE_URL": database,
            "PULSEHUB_BROKER_URL": broker,
            "PULSEHUB_PARTITIONS": str(PARTITIONS),
        }
        theirs = newer.make(folder / "newer")
        self.old = shared
        self.new = shared | theirs | {"PYTHONPATH": os.pathsep.join([theirs["PYTHONPATH"], shared["PYTHONPATH"]])}
        self.logs = folder
        for settings in (self.old, self.new):
            settings.pop("PYTHONDONTWRITEBYTECODE", None)  # a program is started several times
        self.sent = 0

    @contextmanager
    def running(self, settings, name, *words):
        """A process, from when it answers until it is told to stop; its address."""
        log = self.logs / f"{name}.log"
        with log.open("ab") as err:
            process = start(self.data, *words, "--port", "0", "--json", settings=settings, stderr=err)
        try:
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line == "}\n":
                    break
            assert lines, log.read_text()[-2_000:]
            yield json.loads("".join(lines))["url"]
        finally:
            process.terminate()
            process.wait(60)
            process.stdout.close()
        assert process.returncode == 0
        assert [line for line in log.read_text().splitlines() if '"level":"error"' in line.replace(" ", "")] == []

    def ask(self, question):
        made = create_engine(make_url(self.database).set(drivername="postgresql+psycopg"))
        with made.connect() as connection:
            found = connection.execute(text(question)).all()
        made.dispose()
        return found

    def send(self, url, many=40):
        """Let these come through a door, and wait until they are in the archive, each once."""
        send(url, *(record(self.sent + n, f"company {n % 12}") for n in range(many)))
        self.sent += many
        until(
            lambda: self.ask("select count(*), count(distinct event) from archive") == [(self.sent, self.sent)],
            patience=PATIENCE,
        )

    def divided(self, *versions):
        """Wait until just these versions hold partitions of scoring, all of them together."""

        def held():
            rows = self.ask("select version, state from processes")
            shares = {spoken: json.loads(state)["rooms"].get("scoring.rescore") for spoken, state in rows}
            mine = {spoken: places for spoken, places in shares.items() if places}
            return set(mine) == set(versions) and sorted(chain(*mine.values())) == list(range(PARTITIONS))

        until(held, patience=PATIENCE)

    def lag(self):
        """Records of any room that it has yet to read."""
        told = document(self.data, "streams", settings=self.old)
        return sum(one["lag"] for one in told["rooms"])


@pytest.fixture
def place(tmp_path):
    with engines.passing() as database, cluster() as broker:
        yield Place(tmp_path, database, broker)


def words(url):
    """What a page says."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", httpx.get(f"{url}/streams", timeout=30).text))


def test_old_and_new_processes_work_side_by_side_in_both_directions(place):
    with ExitStack() as there:
        old_web = there.enter_context(place.running(place.old, "old web", "web"))
        with ExitStack() as before:
            before.enter_context(place.running(place.old, "old worker", "worker", "--rooms", ALL))
            place.send(old_web)
            told = document(place.data, "migrate", settings=place.new)
            assert (told["from"], told["to"]) == (schema.VERSION, schema.VERSION + 1)
            place.send(old_web)  # a database one step ahead, under processes that were there before
            after = there.enter_context(ExitStack())
            after.enter_context(place.running(place.new, "new worker", "worker", "--rooms", ALL))
            new_web = there.enter_context(place.running(place.new, "new web", "web"))
            place.divided(OURS, newer.VERSION)
            place.send(old_web, 100)
            place.send(new_web, 100)
            told = document(place.data, "doctor", settings=place.old)
            notes = [one["says"] for one in told["checks"] if one["state"] == "note"]
            assert any(f"several versions work side by side: {OURS}, {newer.VERSION}" in says for says in notes)
            assert any("newer version, which works beside this one" in says for says in notes)
            for url in (old_web, new_web):
                assert f"2 versions side by side: {OURS} in 2, {newer.VERSION} in 2" in words(url)
        place.divided(newer.VERSION)
        place.send(old_web)  # messages that lack what the new one says
        after.close()
        with place.running(place.old, "old worker again", "worker", "--rooms", ALL):  # the upgrade is taken back
            place.divided(OURS)
            place.send(new_web)  # messages that say more than it knows
            until(lambda: place.lag() == 0, patience=PATIENCE)
    counted = "select sum(applied), sum(duplicates), sum(dead_lettered) from offsets where room = 'scoring.rescore'"
    assert [tuple(map(int, row)) for row in place.ask(counted)] == [(place.sent, 0, 0)]
    assert place.ask("select sum(dead_lettered), (select count(*) from dead_letters) from offsets") == [(0, 0)]
    bodies = [bytes(body) for (body,) in place.ask("select message from ledger")]
    assert any(newer.SAYS in body for body in bodies)
    assert not all(newer.SAYS in body for body in bodies)
    assert place.ask("select distinct moods from archive") == [(7,)]  # what the old ones wrote has the default
