"""An installation on any engine that has scored something, and what of it a backup must bring back."""

import asyncio
import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import httpx
from sqlalchemy import select

from hub import Event
from hub.backup import restore, take
from hub.ingest.intake import Intake, seal
from hub.registry import Registry
from hub.settings import Settings
from hub.store import schema
from hub.store.database import Database
from hub.streams.accounting import archived, books
from hub.streams.opening import open_log
from hub.streams.topics import ALL
from hub.worker.engine import Engine

KINDS = ("usage.tracked", "ticket.opened", "invoice.failed", "survey.answered")
__all__ = ["ALL", "Intake"]
KEPT = ("accounts", "archive", "seen", "ledger", "snapshots", "models", "configs", "links", "entities", "profiles")


def settings(folder, database="", broker="", **more):
    folder.mkdir(exist_ok=True)
    return Settings(data=folder, database_url=database, broker_url=broker, **more)


def engine(ours):
    registry = Registry()
    return Engine(ours, registry, registry.configure({}, httpx.AsyncClient()))


def happened(number, accounts=60):
    now = datetime.now(UTC)
    event = Event(
        id=f"t:{number}",
        kind=KINDS[number % len(KINDS)],
        account=f"t:{number % accounts}",
        entity=f"t:ticket:{number}",
        connection="t",
        occurred_at=now - timedelta(minutes=number),
        received_at=now,
        text="as agreed on the phone",
        value=float(number % 10),
    )
    return seal(event, "t", now)


def append(to, numbers):
    now = datetime.now(UTC).timestamp()
    to.append(to.pack([happened(number) for number in numbers], now)).result(30)


def score(ours, *batches):
    """Append these numbers and let the agents take them all in; the books afterwards."""

    async def run():
        async with engine(ours) as running:
            for numbers in batches:
                append(running.intake, numbers)
                assert await running.drained(60)
            return running.books()

    return asyncio.run(run())


@contextmanager
def opened(ours):
    with Database(ours.database) as database, closing(open_log(ours.stream, ours.topic_partitions, database)) as log:
        yield database, log


def backup(ours, folder, **more):
    with opened(ours) as (database, log):
        return take(database, log, folder, version="0", clock=ours.clock, **more)


def bring_back(folder, ours, **more):
    with Database(ours.database) as database:

        def opening():
            return open_log(ours.stream, ours.topic_partitions, database)

        return restore(folder, database, opening, ours.topic_partitions, **more)


def rows(ours, *tables):
    """All rows by table, ordered by their keys; without the partition where that is only where an account is kept."""
    found = {}
    with Database(ours.database) as database, database.read() as connection:
        for name in tables or KEPT:
            table = schema.metadata.tables[name]
            columns = [
                column
                for column in table.columns
                if column.name != "partition" or name not in ("accounts", "snapshots")
            ]
            asked = select(*columns).order_by(*table.primary_key)
            found[name] = [tuple(row) for row in connection.execute(asked)]
    return found


def accounted(ours):
    """The books, and whether the archive holds what they claim."""
    with opened(ours) as (database, log), database.read() as connection:
        counted = books(connection, log)
        return counted, archived(connection) == counted.applied


def change(file, statement):
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(statement)
        connection.commit()
