"""The hub's front door with nothing behind it: the real server, plugin and log, and no room that reads it."""

from __future__ import annotations

import json
import sys

import httpx

from hub.ingest.door import Door
from hub.ingest.intake import Intake
from hub.ingest.pressure import Pressure
from hub.registry import Registry
from hub.serving import Serving
from hub.settings import load
from hub.store.database import Database
from hub.streams.sqlite.log import SqliteLog
from hub.streams.topics import ALL


def main() -> None:
    """Serve until standard input ends."""
    settings, vendors = load()
    log, database = SqliteLog.at(settings.stream, settings.topic_partitions), Database(settings.database)
    for spec in ALL:
        log.declare(spec)
    configured = Registry().configure(vendors, httpx.AsyncClient())
    pressure = Pressure(log, database, folder=settings.data, max_lag=10**9, min_free_disk=settings.min_free_disk)
    door = Door(configured.sources, Intake(log, database), pressure, max_body=settings.max_body)
    with Serving(door) as serving:
        print(json.dumps({"url": serving.url}), flush=True)
        sys.stdin.read()
    door.close()
    log.close()
    database.close()


if __name__ == "__main__":
    main()
