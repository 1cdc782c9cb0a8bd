"""A bare loop over the log: the same functions and the same writes as the scoring room's agent, and nothing else.

No Faust, no tasks, no threads handing work to each other: read, decide, one transaction, append what it says, again.
What it leaves out, an agent cannot: a record that cannot be applied, a database that fails, time that passes.
"""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import Future

from sqlalchemy import Connection

from hub.store.database import Database
from hub.streams.batches import MOST
from hub.streams.books import Books, Progress
from hub.streams.log import Entry
from hub.streams.outbox import TableOutbox
from hub.streams.room import Record, Step
from hub.streams.sqlite.log import SqliteLog
from hub.streams.topics import EVENTS, HEALTH, partition_of
from scoring.ledger import Ledger
from scoring.rescore import Rescore


class Bare:
    """A room driven by hand, from the beginning of its log to the end."""

    def __init__(self, database: Database, log: SqliteLog, room: Rescore) -> None:
        self._database, self._log, self._room = database, log, room
        self._books = Books(room.name, EVENTS.name)
        self._ledger = Ledger()

    def run(self) -> None:
        """Apply all there is; returns when all of it is on disk and all that it says is on the log."""
        sent: Future[None] | None = None
        with self._database.engine.connect().execution_options(writer=True) as connection:
            with connection.begin():
                self._books.claim(connection, range(self._log.partitions))
                self._room.assign(connection, range(self._log.partitions))
            while records := self._log.read(EVENTS.name, self._books.next, MOST):
                _, progress = self._books.fresh(records)
                with connection.begin():
                    step = self._room.step(connection, records)
                    entries = self._write(connection, step, progress, records)
                self._books.accept(progress)
                step.after()
                if sent:
                    sent.result()
                sent = self._log.append(entries)
        if sent:
            sent.result()

    def _write(self, connection: Connection, step: Step, progress: Progress, records: list[Record]) -> list[Entry]:
        step.write(connection)
        progress.counts = (len(records) - step.duplicates, step.duplicates, 0, 0)
        entries = []
        for topic, messages in step.publish.items():
            outbox = self._ledger if topic is HEALTH else TableOutbox(self._room.name, topic.name)
            groups = defaultdict(list)
            for message in messages:
                groups[partition_of(message.key, self._log.partitions)].append(message)
            for partition, group in groups.items():
                first = self._books.outlets.get((topic.name, partition), 1)
                outbox.append(connection, partition, first, group)
                progress.outlets[topic.name, partition] = first + len(group)
                entries += [
                    Entry(topic.name, partition, message.key, message.value, records[-1].timestamp, self._room.name, n)
                    for n, message in enumerate(group, first)
                ]
        self._books.write(connection, progress)
        return entries
