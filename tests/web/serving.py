"""A running web face over the sixty companies: what tests and screenshots look at."""

import contextlib
import tempfile
from pathlib import Path

from hub.serving import Serving
from hub.settings import Settings
from hub.store.database import Database
from hub.store.live import Live
from hub.web.app import create_app
from hub.web.context import Context, Halt, Listening, Plugin
from tests.web import companies


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
    return Context(**{**parts, **facts, **changes})


@contextlib.contextmanager
def running(*, full=True, number=None, **changes):
    """A server at `url`, its context and its companies' ids."""
    with (
        tempfile.TemporaryDirectory(prefix="pulsehub-web-") as folder,
        Database(f"sqlite:///{Path(folder)}/hub.db") as db,
    ):
        ids = companies.fill(db, number=number) if full else []
        made = context(db, full=full, **changes)
        server = Serving(create_app(made))
        server.start()
        try:
            yield server.url, made, ids
        finally:
            made.live.close()
            server.stop()


HALTED = Halt(room="sinks.fields", reason="the database is locked", since=companies.NOW - 240)
