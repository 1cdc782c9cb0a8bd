"""Appends events to a log at a steady rate, each stamped with the moment it is handed in."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bench.traffic import Told, entries
from hub.streams.log import Log

_EVERY = 0.005  # seconds between two appends: the door would have so many requests in the air


def feed(log: Log, told: Sequence[Told], rate: float) -> None:
    """Keep the pace whatever happens: what is late is handed in at once, and its waiting counts."""
    made = entries(told, log.partitions)
    began, sent, done = time.perf_counter(), 0, []
    while sent < len(made):
        due = min(len(made), int((time.perf_counter() - began) * rate))
        now = time.time()
        done.append(log.append([entry._replace(timestamp=now) for entry in made[sent:due]]))
        sent = due
        time.sleep(_EVERY)
    for one in done:
        one.result()
