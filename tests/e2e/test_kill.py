"""`pulsehub up` is killed with -9 while webhooks pour in, again and again: nothing is lost, nothing counts twice."""

import random
import threading
import time
from datetime import UTC, datetime

import httpx
import pytest

from hub.demo.story import Story
from hub.demo.world import World, midnight
from hub.registry import Registry
from tests.e2e.kit import document, until, up
from tests.e2e.truth import accounted, applied, assert_same_knowledge

KILLS = 4
SEED = 20_260
DAYS = 20
SETTINGS = {
    "PULSEHUB_SALESFORCE_SIGNING_SECRET": "salesforce-sandbox-signing-secret",
    "PULSEHUB_ZENDESK_SIGNING_SECRET": "zendesk-sandbox-signing-secret",
    "PULSEHUB_STRIPE_SIGNING_SECRET": "whsec_sandbox",
    "PULSEHUB_SEGMENT_WRITE_KEY": "sandbox-write-key",
}


def webhooks():
    """Who the customers are, and a month of theirs, as signed webhooks."""
    story = Story(start=midnight(DAYS + 1, datetime.now(UTC)), days=DAYS, seed=SEED)
    world = World(story.start, companies=20, seed=SEED)
    sandboxes = Registry().sandboxes()
    chapters = [story.chapter(world, day) for day in range(DAYS)]
    told = [[ping for one in sandboxes for ping in one.happen_many(chapter)] for chapter in chapters]
    return told[0], [ping for chapter in told[1:] for ping in chapter]


class Senders:
    """Vendors that send again until they are told that it was taken, wherever the hub may be by then."""

    def __init__(self, founding, pings):
        self.url = ""
        self.taken = 0
        self.repeated = 0
        self._founding, self._pings = list(founding), iter(list(pings))
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._line, args=(number,)) for number in range(4)]
        self._founded = threading.Event()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    @property
    def done(self):
        return not any(thread.is_alive() for thread in self._threads)

    def _line(self, number):
        with httpx.Client(timeout=30) as http:
            if number == 0:
                for ping in self._founding:
                    self._deliver(http, ping)
                self._founded.set()
            while not self._founded.wait(0.1):
                if self._stop.is_set():
                    return
            while not self._stop.is_set():
                with self._lock:
                    ping = next(self._pings, None)
                if ping is None:
                    return
                self._deliver(http, ping)

    def _deliver(self, http, ping):
        while not self._stop.is_set():
            try:
                reply = http.post(self.url + ping.path, content=ping.body, headers=dict(ping.headers))
            except httpx.TransportError:
                with self._lock:
                    self.repeated += 1
                time.sleep(0.02)
                continue
            assert reply.status_code == 200, reply.text
            with self._lock:
                self.taken += 1
            return


@pytest.fixture(scope="module")
def survivor(tmp_path_factory):
    """An installation that was killed several times under load, and one that was told the same once, undisturbed."""
    data = tmp_path_factory.mktemp("killed") / "data"
    chance = random.Random(SEED)
    founding, pings = webhooks()
    total = len(founding) + len(pings)
    with Senders(founding, pings) as senders:
        for _ in range(KILLS):
            with up(data, SETTINGS) as hub:
                enough = senders.taken + chance.randint(2, total // (KILLS + 2))
                senders.url = hub.url
                until(lambda enough=enough: senders.taken >= enough, why=hub.said, look=0.002)
                time.sleep(chance.uniform(0.0, 0.02))
                assert not senders.done, "the load ended before the kills did"
                hub.kill()
        with up(data, SETTINGS) as hub:
            senders.url = hub.url
            until(lambda: senders.done)
            until(lambda: accounted(data)[0].pending == 0)
            told = document(data, "doctor", settings=SETTINGS)
        assert senders.taken == total
    calm = tmp_path_factory.mktemp("calm") / "data"
    with up(calm, SETTINGS) as hub, Senders(founding, []) as senders, httpx.Client(timeout=30) as http:
        senders.url = hub.url
        until(lambda: senders.done)
        for ping in pings:
            senders._deliver(http, ping)
        until(lambda: accounted(calm)[0].pending == 0)
    return data, calm, told, senders


def test_what_was_acknowledged_is_in_the_archive_exactly_once(survivor):
    data, calm, _, _ = survivor
    found = applied(data)
    assert set(found.values()) == {1}
    assert found.keys() == applied(calm).keys()
    assert len(found) > 500


def test_the_books_balance_after_it(survivor):
    data, _, told, _ = survivor
    books, rows = accounted(data)
    assert books.balanced
    assert books.applied == rows
    assert told["ok"] is True
    assert told["received"] == told["applied"] + told["duplicates"]
    assert (told["applied"], told["dead_lettered"], told["pending"]) == (rows, 0, 0)


def test_customers_are_as_if_nothing_had_happened(survivor):
    data, calm, _, _ = survivor
    assert_same_knowledge(data, calm, time.time())


def test_nothing_was_said_to_be_wrong(survivor):
    data, _, _, _ = survivor
    said = (data.parent / "data.log").read_text()
    assert '"level":"error"' not in said
    assert "Traceback" not in said
