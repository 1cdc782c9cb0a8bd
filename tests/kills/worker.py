"""What is killed: the rooms, and a door that appends beside them; and a vendor who feeds from another process."""

import asyncio
import os
import random
import signal
import threading
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import msgspec

from hub.store.database import Database
from hub.streams.log import Entry
from hub.streams.sqlite.log import SqliteLog
from hub.streams.streams import Streams
from hub.streams.testing import until_idle
from hub.streams.topics import EVENTS, partition_of
from tests.kills.toy import POISON, Count, Follow, make_tables

PARTITIONS = 4
POINTS = ("in the transaction", "after the commit", "before an append", "after an append")


class Fuse:
    """Kills this very process when a named point is reached for the n-th time."""

    def __init__(self, point: str | None, n: int) -> None:
        self.point = point
        self.left = n

    def reached(self, point: str) -> None:
        if point == self.point:
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


class FusedCount(Count):
    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self.fuse = fuse

    def step(self, connection, batch):
        step = super().step(connection, batch)

        def write(connection) -> None:
            step.write(connection)
            self.fuse.reached("in the transaction")

        def after() -> None:
            self.fuse.reached("after the commit")
            step.after()

        return replace(step, write=write, after=after)


class FusedLog(SqliteLog):
    def __init__(self, path: Path, fuse: Fuse) -> None:
        super().__init__(path, PARTITIONS)
        self.fuse = fuse

    def append(self, entries, counts=None) -> Future[None]:
        self.fuse.reached("before an append")
        future = super().append(entries, counts)
        future.add_done_callback(lambda _: self.fuse.reached("after an append"))
        return future


def feed(log: SqliteLog, name: str, chance: random.Random, acknowledged: Path, stop: threading.Event) -> None:
    """Append events, some twice, few poisonous; note the id of each that the log acknowledged."""
    sent: list[tuple[str, str]] = []
    with acknowledged.open("ab", buffering=0) as notes:
        while not stop.wait(chance.uniform(0, 0.03)):
            events = []
            for _ in range(chance.randint(1, 40)):
                if sent and chance.random() < 0.2:
                    events.append(chance.choice(sent))
                else:
                    events.append((f"{name}-{len(sent)}", f"key{chance.randrange(50)}"))
                    sent.append(events[-1])
            entries = [_entry(*event) for event in events]
            if chance.random() < 0.02:
                entries.append(Entry("events", chance.randrange(PARTITIONS), b"poison", POISON, 1.7e9))
            log.append(entries).result()
            notes.write("".join(f"{event[0]}\n" for event in events).encode())


def _entry(event: str, key: str) -> Entry:
    value = msgspec.json.encode({"id": event, "key": key})
    return Entry("events", partition_of(key.encode(), PARTITIONS), key.encode(), value, 1.7e9)


def vendor(folder: Path, seed: int) -> None:
    """Feed until terminated."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    log = SqliteLog(folder / "streams.db", PARTITIONS)
    log.declare(EVENTS)
    feed(log, "vendor", random.Random(seed), folder / "acknowledged", stop)
    log.close()


def work(folder: Path, seed: int, point: str | None, *, drain: bool) -> None:
    """Run the rooms until killed, or until all is done."""
    chance = random.Random(seed)
    fuse = Fuse(point, chance.randint(1, 8))
    database = Database(f"sqlite:///{folder}/hub.db")
    make_tables(database)
    log = FusedLog(folder / "streams.db", fuse)
    streams = Streams(database, log)
    streams.add(FusedCount(fuse), app="scoring")
    streams.add(Follow(), app="success")

    async def run() -> None:
        async with streams:
            if drain:
                await until_idle(streams, 30)
                return
            door = threading.Thread(
                target=feed,
                args=(log, f"door{seed}", chance, folder / "acknowledged", threading.Event()),
                daemon=True,
            )
            door.start()
            await asyncio.Event().wait()

    asyncio.run(run())
    log.close()
    database.close()
