"""One worker of ours: the real engine with the one room `scoring.rescore`, until its standard input is closed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from sqlalchemy import Connection

from bench.peers.job import Job, Stopwatch, job
from hub.store.database import Database
from hub.streams.opening import open_log
from hub.streams.room import Record, Step
from hub.streams.streams import Streams
from hub.streams.topics import HEALTH
from scoring.ledger import Ledger
from scoring.loading import load
from scoring.rescore import Rescore


class Watched(Rescore):
    """The room, noting when its first batch came."""

    watch: Stopwatch

    def step(self, connection: Connection, batch: Sequence[Record]) -> Step:
        self.watch.start()
        return super().step(connection, batch)


async def main(job: Job) -> None:
    watch = Stopwatch(job.records)
    with Database(job.database) as database:
        stream = open_log(job.broker, job.partitions, database)
        room = Watched(database, load(), "wall", stream.partitions)
        room.watch = watch
        streams = Streams(database, stream)
        streams.add(room, app="scoring", outboxes={HEALTH: Ledger()})
        async with streams:
            await asyncio.to_thread(sys.stdin.read)
            assert not streams.failed, streams.failed
            watch.finish()


if __name__ == "__main__":
    asyncio.run(main(job()))
