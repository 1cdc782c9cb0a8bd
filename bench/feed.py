"""Appends events to a log at a steady rate, from a process of its own, each stamped with the moment it is handed in.

`python -m bench.feed FILE RATE SECONDS ACCOUNTS`
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bench.traffic import entries, traffic
from hub.streams.log import Log

_EVERY = 0.005  # seconds between two appends: the door would have so many requests in the air


def feed(path: Path, rate: float, seconds: float, accounts: int) -> None:
    """Keep the pace whatever happens: what is late is handed in at once, and its waiting counts."""
    log = Log(path)
    made = entries(traffic(int(rate * seconds), accounts, seed=int(rate)), log.partitions)
    began, sent, done = time.perf_counter(), 0, []
    while sent < len(made):
        due = min(len(made), int((time.perf_counter() - began) * rate))
        now = time.time()
        done.append(log.append([entry._replace(timestamp=now) for entry in made[sent:due]]))
        sent = due
        time.sleep(_EVERY)
    for one in done:
        one.result()
    log.close()


if __name__ == "__main__":
    feed(Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
