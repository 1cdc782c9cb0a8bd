"""`webhook`: from a vendor's HTTP request until the health it moves can be read in the database.

Measured: Segment calls, one a request and each of a customer nobody knows, posted at a steady pace over a few kept
connections to `pulsehub up`, a process of its own: the door verifies, reads, resolves, appends and answers; the worker
scores, and commits. A thread looks for new rows of the ledger every few milliseconds; a call's latency is from when it
was due to be sent to the look that finds its row. `webhook.answer` is until the door's answer, `webhook.cpu` what the
hub's process uses for one. On the embedded engine, or on the one that `--broker` and `--database` name, whose database
must be new.

Left out: TLS, and a network; what follows the database (pages, destinations).
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import select

from bench.child import UP, Child
from bench.ingest import SETTINGS, answer, call, request
from bench.installation import installation
from bench.result import Result, below, quantile, told
from bench.traffic import visits
from hub import Health
from hub.store import schema
from hub.store.database import Database

PACE = 20.0  # requests a second; with broker and database one takes 24 ms of processor: two cores are full at 80
SECONDS = 15.0
_CONNECTIONS: Final = 8
_WARM: Final = 50  # requests that are not counted: the first ones import and compile
_LOOK: Final = 0.005  # seconds between two looks
_BEHIND: Final = 5.0  # seconds of the ledger that a look goes back
_PATIENCE: Final = 30.0
_LEDGER: Final = schema.ledger
_health: Final = msgspec.json.Decoder(Health).decode


def run(broker: str = "", database: str = "", pace: float = PACE, seconds: float = SECONDS) -> list[Result]:
    """Both URLs, or neither."""
    with installation(0) as folder:
        engine = {"PULSEHUB_BROKER_URL": broker, "PULSEHUB_DATABASE_URL": database}
        with Child(UP, folder, SETTINGS | {name: url for name, url in engine.items() if url}) as hub:
            hub.ready()
            with Database(database or f"sqlite:///{folder / 'hub.db'}") as found:
                calls = Calls(hub, int(pace * seconds) + _WARM)
                ledger = Ledger(found, calls.number)
                ledger.start()
                used = hub.cpu()
                calls.post(pace)
                ledger.join()
                used = hub.cpu() - used
    waits = [(ledger.seen[n] - calls.sent[n]) * 1_000 for n in sorted(ledger.seen) if n >= _WARM]
    answers = [(calls.answered[n] - calls.sent[n]) * 1_000 for n in sorted(calls.answered) if n >= _WARM]
    assert len(waits) == len(answers) == calls.number - _WARM, f"{len(waits)} of {calls.number - _WARM} were scored"
    return [
        below("webhook", quantile(waits, 0.99), "ms", 1_000),
        told("webhook.p50", quantile(waits, 0.5), "ms"),
        told("webhook.answer", quantile(answers, 0.99), "ms"),
        told("webhook.pace", pace, "requests/s"),
        told("webhook.cpu", used / calls.number * 1_000, "ms a request"),
    ]


class Calls:
    """Requests of one call each, every one of a customer of its own; when they were sent, and answered."""

    def __init__(self, hub: Child, number: int) -> None:
        self.number = number
        self.sent: dict[int, float] = {}
        self.answered: dict[int, float] = {}
        self._hub = hub
        made = visits(range(number))
        self._requests = [request(hub, [call(f"webhook-{n}", one.event)]) for n, one in enumerate(made)]

    def post(self, pace: float) -> None:
        """Keep the pace; a connection that waits for an answer holds up its own requests only, and that counts."""
        began = time.time()
        threads = [
            threading.Thread(target=self._post, args=(range(first, self.number, _CONNECTIONS), began, pace))
            for first in range(_CONNECTIONS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _post(self, numbers: Sequence[int], began: float, pace: float) -> None:
        where = urlsplit(self._hub.url)
        with socket.create_connection((str(where.hostname), int(where.port or 0))) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for number in numbers:
                due = began + number / pace
                time.sleep(max(0.0, due - time.time()))
                self.sent[number] = due  # when it should have left: one that waits for its connection waits
                connection.sendall(self._requests[number])
                said = answer(connection)
                assert said.startswith(b"HTTP/1.1 200"), said[:500]
                self.answered[number] = time.time()


class Ledger(threading.Thread):
    """Looks for the rows of so many calls, and notes when it found each."""

    def __init__(self, database: Database, number: int) -> None:
        super().__init__(daemon=True)
        self.seen: dict[int, float] = {}
        self._database, self._number = database, number

    def run(self) -> None:
        known: set[tuple[int, int]] = set()
        last = time.time()
        while len(self.seen) < self._number and time.time() < last + _PATIENCE:
            asked = select(_LEDGER.c.partition, _LEDGER.c.sequence, _LEDGER.c.message)
            with self._database.read() as connection:
                rows = connection.execute(asked.where(_LEDGER.c.at > time.time() - _BEHIND)).all()
            now = time.time()
            for partition, sequence, message in rows:
                if (partition, sequence) not in known:
                    known.add((partition, sequence))
                    last = now
                    for cause in _health(bytes(message)).causes:
                        self.seen.setdefault(int(cause.rpartition("-")[2]), now)
            time.sleep(_LOOK)
