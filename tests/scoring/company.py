"""Several workers by hand: each has a share of the partitions, and takes its turns when it is told to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection

import hub
from hub.streams.room import Record, Step
from hub.streams.topics import EVENTS, partition_of
from scoring.rescore import Rescore
from tests.scoring.room import PARTITIONS, Room


class Company(Room):
    """Workers on one database and one log.

    Args:
        path: of the database.
        workers: how many; partitions go round.
    """

    def __init__(self, path: Path, workers: int = 2) -> None:
        self.log: list[Record] = []
        self.read = dict.fromkeys(range(PARTITIONS), 0)  # by partition, how far it was applied
        self._many = workers
        super().__init__(path)

    def start(self) -> None:
        self.workers: list[Rescore] = []
        self.shares = [[p for p in range(PARTITIONS) if p % self._many == each] for each in range(self._many)]
        for each in range(self._many):
            self.workers.append(Rescore(self.database, self.config, self.clock, PARTITIONS))
            self.assign(each)

    def assign(self, worker: int, kept: Sequence[int] = ()) -> None:
        """A rebalance: the worker has its share, and of that had `kept` all the time."""
        with self.database.read() as connection:
            self.workers[worker].assign(connection, self.shares[worker], kept)

    def move(self, partition: int, to: int) -> None:
        """A rebalance by which a partition goes to another worker; all keep what they have else."""
        before = [list(share) for share in self.shares]
        for share in self.shares:
            if partition in share:
                share.remove(partition)
        self.shares[to].append(partition)
        for worker, had in enumerate(before):
            self.assign(worker, kept=[one for one in self.shares[worker] if one in had])

    def say(self, event: hub.Event, account: str) -> None:
        """Put an event on the log, at an account's partition."""
        self.log.append(self.record(account, event))

    def turn(self, worker: int, most: int = 100) -> int:
        """Let a worker take the next records of its partitions, `most` of each; how many there were."""
        self.rescore = self.workers[worker]
        batch = []
        for partition in self.shares[worker]:
            waiting = [one for one in self.log if one.partition == partition][self.read[partition] :][:most]
            self.read[partition] += len(waiting)
            batch += waiting
        if batch:
            self.records(sorted(batch, key=lambda one: one.offset))
        return len(batch)

    def look(self, worker: int) -> Step | None:
        """Let a worker look at the time."""
        self.rescore = self.workers[worker]
        return self.tick()

    def settle(self) -> None:
        """Let all of them take turns until there is nothing more to do."""
        while sum(self.turn(worker) for worker in range(self._many)):
            pass
        for worker in range(self._many):
            while self.look(worker) is not None:
                pass

    def records(self, records: Sequence[Record]) -> Step:
        """Apply records, as one batch; what is published to `events` goes on the log."""

        def job(connection: Connection) -> Step:
            return self._commit(connection, self.rescore.step(connection, records))

        done = self._after(self.database.write(job).result())
        for message in done.publish.get(EVENTS, ()):
            partition = partition_of(message.key, PARTITIONS)
            self.log.append(Record(partition, next(self.offsets), self.now, message.key, message.value))
        return done
