"""A bare loop over the log: the same functions and the same writes as the scoring room's agent, and nothing else.

No Faust, no tasks, nothing read ahead: read, decide, one transaction, append what it says, again. What it leaves out,
an agent cannot: a record that cannot be applied, a database that fails, time that passes, a claim that others may take.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future

from sqlalchemy import Connection

from hub.store.database import Database
from hub.streams.batches import MOST
from hub.streams.books import Books, Progress
from hub.streams.log import Entry, Log
from hub.streams.outbox import TableOutbox
from hub.streams.room import Record, Step, Waiting
from hub.streams.topics import EVENTS, HEALTH, partition_of
from scoring.ledger import Ledger
from scoring.rescore import Rescore


class Hand:
    """What drives a room where there is no agent.

    Attributes:
        next: by partition, the offset to read from.
    """

    def __init__(self, room: Rescore, partitions: int) -> None:
        self._room, self._partitions = room, partitions
        self._books = Books(room.name, EVENTS.name)
        self._ledger = Ledger()
        self._step, self._progress = Step(), Progress()

    @property
    def next(self) -> dict[int, int]:
        return self._books.next

    def begin(self, connection: Connection) -> None:
        """Take all partitions."""
        held = range(self._partitions)
        self._books.load(connection, self._books.claim(connection, held))
        self._room.assign(connection, held)

    def apply(self, connection: Connection, records: Sequence[Record]) -> list[Entry]:
        """A transaction's work; what to append once it is on disk."""
        _, self._progress = self._books.fresh(records)
        self._step = self._room.step(connection, records)
        self._step.write(connection)
        self._progress.counts = (len(records) - self._step.duplicates, self._step.duplicates, 0, 0)
        entries = []
        for topic, messages in self._step.publish.items():
            outbox = self._ledger if topic is HEALTH else TableOutbox(self._room.name, topic.name)
            waiting: list[Waiting] = []
            groups = defaultdict(list)
            for message in messages:
                groups[partition_of(message.key, self._partitions)].append(message)
            for partition, group in groups.items():
                first = self._books.outlets.get((topic.name, partition), 1)
                waiting += [Waiting(partition, n, message) for n, message in enumerate(group, first)]
                self._progress.outlets[topic.name, partition] = first + len(group)
                entries += [
                    Entry(topic.name, partition, message.key, message.value, records[-1].timestamp, self._room.name, n)
                    for n, message in enumerate(group, first)
                ]
            outbox.append(connection, waiting)
        self._books.write(connection, self._progress)
        return entries

    def accept(self) -> None:
        """That transaction is on disk."""
        self._books.accept(self._progress)
        self._step.after()


def drive(database: Database, log: Log, room: Rescore) -> None:
    """Apply all there is, from the beginning; returns when all of it, and all that it says, is on disk."""
    hand = Hand(room, log.partitions)
    database.write(hand.begin).result()
    sent: Future[None] | None = None
    while records := log.read(EVENTS.name, hand.next, MOST):
        entries = database.write(lambda connection, some=records: hand.apply(connection, some)).result()
        hand.accept()
        if sent:
            sent.result()
        sent = log.append(entries)
    if sent:
        sent.result()
