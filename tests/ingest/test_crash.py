"""What the door has acknowledged survives the process, whenever it is killed."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

import hub
from hub.streams.sqlite.log import SqliteLog

SERVER = """
import json, pathlib, sys, time
import hub
from hub.ingest.door import Door
from hub.ingest.intake import Intake
from hub.ingest.pressure import Pressure
from hub.serving import Serving
from hub.store.database import Database
from hub.streams.sqlite.log import SqliteLog
from hub.streams.topics import ALL
from datetime import datetime, UTC

class Plain:
    name = vendor = "plain"
    paths = ()
    keeps_raw = True
    remembers = None

    def verify(self, hook, now):
        pass

    def decode(self, hook, now):
        return [hub.Raw(body=str(n).encode(), received_at=now) for n in json.loads(hook.body)]

    def normalize(self, raw):
        n = raw.body.decode()
        if n.endswith("7"):
            raise ValueError("seven")
        yield hub.Event(id=f"plain:{n}", kind="usage.tracked", account=f"plain:{n[-1]}", occurred_at=datetime.now(UTC))

folder = pathlib.Path(sys.argv[1])
log = SqliteLog(folder / "streams.db")
for topic in ALL:
    log.declare(topic)
database = Database(f"sqlite:///{folder / 'hub.db'}")
pressure = Pressure(log, database, folder=folder, max_lag=10**9, min_free_disk=0)
with Serving(Door([Plain()], Intake(log, database), pressure)) as serving:
    print(serving.url, flush=True)
    time.sleep(600)
"""


def test_what_was_acknowledged_is_on_the_log_after_every_kill_and_counted(tmp_path):
    chance = random.Random(7)
    acknowledged: list[int] = []
    tried = iter(range(10**6))
    answered = {"accepted": 0, "duplicates": 0, "dead_lettered": 0}

    def knock(url, stopped):
        with httpx.Client(base_url=url, timeout=10) as http:
            while not stopped.is_set():
                numbers = [next(tried) for _ in range(10)]
                try:
                    answer = http.post("/in/plain", content=json.dumps(numbers))
                except httpx.TransportError:
                    return
                assert answer.status_code == 200
                acknowledged.extend(numbers)
                for name, many in answer.json().items():
                    answered[name] += many

    for _ in range(3):
        command = [sys.executable, "-c", SERVER, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(hub.__file__).parents[1]) as server:
            url, stopped = server.stdout.readline().strip(), threading.Event()
            client = threading.Thread(target=knock, args=(url, stopped))
            known = len(acknowledged)
            client.start()
            while client.is_alive() and len(acknowledged) == known:
                time.sleep(0.01)
            time.sleep(chance.uniform(0.0, 0.2))
            server.send_signal(signal.SIGKILL)
            stopped.set()
            client.join()

    log = SqliteLog(tmp_path / "streams.db")
    kept = {json.loads(r.value)["id"] for r in log.read("events", log.starts("events"), 100_000)}
    raw = sum(log.ends("raw").values())
    letters, counters = sum(log.ends("dead-letters").values()), log.counters()
    log.close()
    assert acknowledged
    assert {f"plain:{n}" for n in acknowledged if n % 10 != 7} <= kept
    # of each kill at most one append was on disk without its answer
    assert answered["accepted"] <= len(kept) <= answered["accepted"] + 3 * 10
    assert letters == counters["door_dead_lettered"]
    assert answered["dead_lettered"] <= letters <= answered["dead_lettered"] + 3
    assert raw == letters
