"""An agent without Faust: batches are handed to it, and its log is in memory."""

import asyncio
import time
from concurrent.futures import Future
from contextlib import asynccontextmanager

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from hub.store import schema
from hub.streams.agent import Agent
from hub.streams.outage import Outage
from hub.streams.room import Record
from hub.streams.topics import partition_of
from tests.streams.kit import PARTITIONS


class Log:
    """Acknowledges at once, or, while it is held, when it is let go."""

    shared = True
    partitions = PARTITIONS

    def __init__(self):
        self.got = []
        self.held = None

    def append(self, entries, counts=None):
        future = Future()
        future.set_running_or_notify_cancel()
        if self.held is None:
            self.got += entries
            future.set_result(None)
        else:
            self.held.append((future, entries))
        return future

    def hold(self):
        self.held = []

    def let_go(self):
        """What was under way has arrived."""
        held, self.held = self.held, None
        for future, entries in held:
            self.got += entries
            future.set_result(None)


class Forgetful:
    """A database that loses its client at the next commit, which happens or does not; `meanwhile` is called before."""

    def __init__(self, database, *, commits=True):
        self._database = database
        self._commits = commits
        self.meanwhile = None

    def __getattr__(self, name):
        return getattr(self._database, name)

    def write(self, job):
        if self.meanwhile is None:
            return self._database.write(job)
        meanwhile, self.meanwhile = self.meanwhile, None
        meanwhile()
        if self._commits:
            self._database.write(job).result()
        answer = Future()
        answer.set_exception(OperationalError("commit", {}, Exception("server closed the connection")))
        return answer


class _Batch:
    def __init__(self, records):
        self._records = records

    def take(self):
        return self._records


@asynccontextmanager
async def working(room, database, log, partitions, **outboxes):
    """An agent that was given these partitions and publishes."""
    agent = Agent(room, database, log, outboxes, Outage())
    agent.begin()
    publishing = asyncio.create_task(agent.publisher.run())
    await agent.assigned(partitions)
    yield agent
    publishing.cancel()


async def feed(agent, *records):
    """One batch, until it is committed and nothing moves any more."""

    async def batches():
        yield _Batch(list(records))

    await agent.run(batches())
    await asyncio.sleep(0.05)


def record(partition, offset):
    """One whose key belongs to the partition."""
    key = next(key for key in (b"k%d" % n for n in range(1000)) if partition_of(key, PARTITIONS) == partition)
    return Record(partition, offset, time.time(), key, b"%d:%d" % (partition, offset))


def records(partition, first, last):
    return [record(partition, offset) for offset in range(first, last)]


def outlets(database):
    """Partition -> the next number, and the mark."""
    with database.read() as connection:
        return {row.partition: (row.next, row.published) for row in connection.execute(select(schema.outlets))}
