"""`memory`: what a million customers need.

Measured: by how much the resident memory of a process grows when the scoring room loads 200,000 accounts (their rows
and the index over them), extrapolated to a million: five times that. `memory.account` is the same by the account.
`memory.met` is the growth by the account when 50,000 of them then have an event each, which fills what the room
remembers of references and people; that is bounded (some hundred thousand entries), so it does not go on to a million.
`memory.process` is what the process has before it knows anybody, with all of the hub's modules.

`python -m bench.memory 1000000` loads a million, and extrapolates nothing.

Left out: SQLite's page caches (at most 64 MB a connection); before each reading they are emptied and the C library
gives back what is free.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, insert

import hub.worker  # noqa: F401 - all that a running hub has imported
from bench.result import Result, at_most, told
from bench.traffic import account_of, entries, visits
from hub.store import schema
from hub.store.database import Database, insert_rows
from hub.streams.room import Record
from hub.streams.topics import partition_of
from scoring.accounts import measures_of
from scoring.loading import load
from scoring.rescore import Rescore
from scoring.scorers import Scorers

ACCOUNTS = 200_000
MET = 50_000
MILLION = 1_000_000
_PARTITIONS: Final = 8
_PIECE: Final = 4_000
_INSERT: Final = insert(schema.accounts)


def run(accounts: int = ACCOUNTS, met: int = MET) -> list[Result]:
    found = subprocess.run(
        [sys.executable, "-m", "bench.memory", str(accounts), str(met)],
        check=True,
        stdout=subprocess.PIPE,
    )
    grown: dict[str, float] = json.loads(found.stdout)
    return [
        at_most("memory", grown["account"] * MILLION / 1e9, "GB for a million", 1.0),
        told("memory.account", grown["account"], "bytes"),
        told("memory.met", grown["met"], "bytes"),
        told("memory.process", grown["process"] / 1e6, "MB"),
    ]


def measure(folder: Path, accounts: int, met: int) -> dict[str, float]:
    """In a process that does nothing else: bytes before, by the account, and by the account that has been met."""
    config = load()
    layout = measures_of(config, Scorers(config).names).layout
    with Database(f"sqlite:///{folder / 'hub.db'}") as database:
        for first in range(0, accounts, _PIECE):
            rows = list(_rows(range(first, min(accounts, first + _PIECE)), layout.empty.tobytes()))
            database.write(lambda connection, rows=rows: insert_rows(connection, _INSERT, rows)).result()  # type: ignore[misc]
        room = Rescore(database, config, "wall", _PARTITIONS)
        before = resident(database)
        with database.read() as connection:
            room.assign(connection, range(_PARTITIONS))
        loaded = resident(database)
        for first in range(0, met, _PIECE):
            _visit(database, room, range(first, min(met, first + _PIECE)))
        return {
            "process": before,
            "account": (loaded - before) / accounts,
            "met": (resident(database) - loaded) / max(1, met),
        }


def _rows(numbers: range, state: bytes) -> Iterator[tuple[Any, ...]]:
    now = time.time()
    for number in numbers:
        account = account_of(number)
        partition = partition_of(account.encode(), _PARTITIONS)
        yield (account, partition, state, now, now, 70.0, "steady", 0.02, None, 0, None)


def _visit(database: Database, room: Rescore, numbers: range) -> None:
    records = [
        Record(entry.partition, offset, entry.timestamp, entry.key, entry.value or b"")
        for offset, entry in enumerate(entries(visits(numbers), _PARTITIONS))
    ]

    def job(connection: Connection) -> Any:
        step = room.step(connection, records)
        step.write(connection)
        return step.after

    database.write(job).result()()


def resident(database: Database) -> float:
    gc.collect()
    database.engine.dispose()
    ctypes.CDLL(None).malloc_trim(0)  # what those caches had is given back, not kept for later
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return float(pages * os.sysconf("SC_PAGE_SIZE"))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="pulsehub-bench-") as name:
        asked = [int(word) for word in sys.argv[1:]]
        print(json.dumps(measure(Path(name), asked[0] if asked else MILLION, asked[1] if len(asked) > 1 else 0)))
