"""A worker in a process of its own, to be killed: `member.py BROKER DATABASE PARTITIONS` applies until then."""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from sqlalchemy import text

from hub.store.database import Database
from hub.streams.opening import open_log
from hub.streams.streams import Streams
from tests.streams.kit import Keeper


def keep(connection, batch):
    connection.execute(text("insert into done values (:value)"), [{"value": record.value} for record in batch])


async def main(broker, database, partitions):
    opened = Database(database)
    streams = Streams(opened, open_log(broker, int(partitions), opened))
    room = Keeper()
    room.before = keep
    streams.add(room, app="test")
    async with streams:
        await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
