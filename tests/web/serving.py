"""A running web face over the sixty companies: what tests and screenshots look at."""

import contextlib
import tempfile
from pathlib import Path

from hub.serving import Serving
from hub.settings import Settings
from hub.store.database import Database
from hub.store.heartbeats import Process
from hub.store.live import Live
from hub.success.next.declared import load as load_actions
from hub.success.next.proposing import Next
from hub.web.app import create_app
from hub.web.context import Context, Halt, Listening, Plugin
from scoring.explaining.answers import Answers
from scoring.loading import load
from tests.web import companies
from tests.web.learned import learn


class Hands:
    """What the delivery engine would do, remembered."""

    def __init__(self):
        self.done = []

    def pause(self, sink, reason):
        self.done.append(("pause", sink))

    def resume(self, sink):
        self.done.append(("resume", sink))

    def replay(self, sink):
        self.done.append(("replay", sink))
        return 4


def context(database, *, full=True, **changes):
    """A context like the one the composition root makes."""
    lag = dict.fromkeys(
        ("scoring.rescore", "scoring.learn", "success.alerts", "sinks.fields", "sinks.alerts", "ingest.dead_letters"), 0
    )
    settings = changes.pop("settings", Settings())
    facts = {
        "lag": lambda: lag,
        "counters": lambda: {
            "received": 7_964 if full else 0,
            "applied": 7_840 if full else 0,
            "duplicates": 112 if full else 0,
            "dead_lettered": 8 if full else 0,
            "pending": 4 if full else 0,
        },
        "rates": lambda: {"events": 12.4, "health": 11.8, "actions": 0.02} if full else {},
        "sources": lambda: (
            [
                Listening(name="segment", vendor="segment", path="/v1/track", accepted=5_120, duplicates=88),
                Listening(name="stripe", vendor="stripe", path="/in/stripe", accepted=640, duplicates=4),
                Listening(name="zendesk", vendor="zendesk", path="/in/zendesk", accepted=2_211, duplicates=20),
            ]
            if full
            else []
        ),
        "sinks": ("email", "salesforce", "zendesk") if full else (),
        "plugins": [Plugin(name=n, state="ready") for n in ("salesforce", "segment", "stripe", "zendesk")]
        + ([Plugin(name="acme", state="failed", reason="ImportError: no module named acme_sdk")] if full else []),
        "deliveries": Hands(),
        "replay_dead_letters": len,
        "now": lambda: companies.NOW,
        "version": "0.1.0",
    }
    parts = {"settings": settings, "database": database, "live": Live(), "explain": companies.explain}
    parts["config"] = load()
    parts["answers"] = Answers(parts["config"])
    parts["next"] = Next(load_actions(None, parts["config"]), parts["config"])
    return Context(**{**parts, **facts, **changes})


@contextlib.contextmanager
def running(*, full=True, number=None, taught=False, **changes):
    """A server at `url`, its context and its companies' ids; `taught`: with outcomes that the models have learned."""
    with (
        tempfile.TemporaryDirectory(prefix="pulsehub-web-") as folder,
        Database(f"sqlite:///{Path(folder)}/hub.db") as db,
    ):
        ids = companies.fill(db, number=number) if full else []
        if taught:
            learn(db, ids)
        made = context(db, full=full, **changes)
        server = Serving(create_app(made))
        server.start()
        try:
            yield server.url, made, ids
        finally:
            made.live.close()
            server.stop()


HALTED = Halt(room="sinks.fields", reason="the database is locked", since=companies.NOW - 240)
AGENTS = ("scoring.rescore", "success.alerts", "sinks.fields", "sinks.alerts", "ingest.dead_letters")


def process(host, role, rooms=(), **changes):
    """A process of a large installation, as it is heard of."""
    state = {"rooms": dict(rooms), "since": companies.NOW - 3_600, "delivers": changes.pop("delivers", [])}
    state |= {"halted": {}, "failed": None, "ready": True} | changes.pop("state", {})
    told = {"version": "0.2.0", "started_at": companies.NOW - 7_200, "age": 2.0, "state": state, **changes}
    return Process(id=f"{host}:{4_000 + len(host)}:1789376400000", role=role, **told)


def processes():
    """Two with doors, three workers, a learner."""
    shares = [{room: list(range(n, 64, 3)) for room in AGENTS} for n in range(3)]
    return [
        process("learner-0", "learner", {"scoring.learn": list(range(64))}),
        process("web-7d9f-x2", "web"),
        process("web-7d9f-kq9", "web"),
        process("worker-a", "worker", shares[0], delivers=["email", "salesforce", "zendesk"]),
        process("worker-bb", "worker", shares[1]),
        process("worker-ccc", "worker", shares[2]),
    ]


def many(**changes):
    """What the context of one of many processes has that of a single one has not."""
    settings = Settings(broker_url="kafka://127.0.0.1:9092/pulsehub", database_url="postgresql://127.0.0.1/pulsehub")
    return {"settings": settings, "processes": processes, "partitions": 64, **changes}


def in_trouble():
    """One was killed, one stands still, one is of the next version, and nobody learns."""
    _, web, next_, first, second, third = processes()
    dead = second._replace(age=240.0)
    why = {"scoring.rescore": {"reason": "OperationalError: disk full", "since": companies.NOW - 180}}
    broken = third._replace(state={**third.state, "halted": why, "failed": "OperationalError: disk full"})
    return [web, next_._replace(version="0.3.0"), first, dead, broken]
