"""The scoring room on a real database file, without a stream: what its agent would do, step by step."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection

import hub
from hub.store import schema
from hub.store.database import Database
from hub.streams.room import DeadLetter, Message, Record, Step, Waiting
from hub.streams.topics import EVENTS, HEALTH, LABELS, TopicSpec, partition_of
from scoring.accounts import measures_of, stored
from scoring.clock import DAY, Clock
from scoring.config import Config
from scoring.experts.guests import Panel
from scoring.ledger import Ledger
from scoring.loading import load
from scoring.model import Model, encode, fresh
from scoring.rescore import Rescore
from scoring.snapshots import Label
from tests.engines import url

START = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()
PARTITIONS = 4


def event(kind: str, at: float = START, **fields: Any) -> hub.Event:
    """Something that happened; its id is made of what is said."""
    key = fields.pop("id", f"{kind}:{at}:{sorted(fields.items(), key=str)}")
    fields = {"account": "acme:customer:1", "connection": "acme"} | fields
    return hub.Event(id=key[:255], kind=kind, occurred_at=datetime.fromtimestamp(at, UTC), **fields)


class Room:
    """A room that is run by hand."""

    def __init__(
        self,
        path: Path,
        *,
        clock: str = "wall",
        now: float = START,
        config: Config | None = None,
        panel: Panel | None = None,
    ) -> None:
        self.path, self.now, self.config, self.panel = path, now, config or load(), panel
        self.clock = Clock("event" if clock == "event" else "wall", lambda: self.now)
        self.database = Database(url(path))
        self.ledger = Ledger()
        self.sequences: dict[int, int] = {}
        self.offsets = itertools.count()
        self.published: list[tuple[TopicSpec, Message]] = []
        self.dead: list[DeadLetter] = []
        self.applied = self.duplicates = self.forwarded = 0
        self.start()

    def start(self) -> None:
        """As a process that begins: only the database knows anything."""
        self.rescore = Rescore(self.database, self.config, self.clock, PARTITIONS, panel=self.panel)
        with self.database.read() as connection:
            self.rescore.assign(connection, range(PARTITIONS))

    def take(self, events: Iterable[hub.Event | bytes], account: str = "acc_1") -> Step:
        """Apply events to an account, as one batch; what is published to `events` is taken next."""
        values = [one if isinstance(one, bytes) else msgspec.json.encode(one) for one in events]
        return self.records([self.record(account, value) for value in values])

    def record(self, account: str, value: bytes | hub.Event) -> Record:
        body = value if isinstance(value, bytes) else msgspec.json.encode(value)
        partition = partition_of(account.encode(), PARTITIONS)
        return Record(partition, next(self.offsets), self.now, account.encode(), body)

    def records(self, records: Sequence[Record]) -> Step:
        """Apply records, as one batch."""
        step = self.database.write(lambda connection: self._commit(connection, self.rescore.step(connection, records)))
        done = self._after(step.result())
        self.applied += len(records) - done.duplicates - done.forwarded - len(done.dead)
        for message in done.publish.get(EVENTS, ()):
            self.records([self.record(message.key.decode(), message.value)])
        return done

    def tick(self) -> Step | None:
        """Let the room look at the time."""

        def run(connection: Connection) -> Step | None:
            step = self.rescore.tick(connection)
            return None if step is None else self._commit(connection, step)

        step = self.database.write(run).result()
        return None if step is None else self._after(step)

    def pass_days(self, days: float, step: float = 0.5) -> None:
        """Let the wall clock run, a tick every half day."""
        until = self.now + days * DAY
        while self.now < until:
            self.now = min(until, self.now + step * DAY)
            while self.tick() is not None:
                pass

    @property
    def healths(self) -> list[hub.Health]:
        """Everything published to `health`."""
        return [msgspec.json.decode(m.value, type=hub.Health) for topic, m in self.published if topic is HEALTH]

    @property
    def labels(self) -> list[Label]:
        """Everything published to `labels` whose whole horizon has passed."""
        return [label for label in self._labels if not label.early]

    @property
    def halves(self) -> list[Label]:
        """Everything published to `labels` of whose horizon half has passed."""
        return [label for label in self._labels if label.early]

    @property
    def _labels(self) -> list[Label]:
        return [msgspec.json.decode(m.value, type=Label) for topic, m in self.published if topic is LABELS]

    def rows(self, statement: Any) -> list[Any]:
        """What the database says."""
        with self.database.read() as connection:
            return list(connection.execute(statement))

    def measures(self, account: str = "acc_1", at: float | None = None) -> dict[str, float]:
        """What the stored row says, by measure."""
        measures = measures_of(self.config, self.rescore._scorers.names)
        with self.database.read() as connection:
            row = stored(connection, account, measures.layout)
        assert row is not None, f"no account {account}"
        values = measures.read(row, self.now if at is None else at)[0].tolist()
        return dict(zip([m.name for m in measures.measures], values, strict=True))

    def learned(self, version: int, through: float = 0.0, base_rate: float | None = None) -> None:
        """Publish a model; with a base rate, one that believes in nothing else."""
        model = fresh(self.config)
        model.version, model.trained_through = version, through
        if base_rate is not None:
            model.labels, model.lost, model.seen, model.left = 1_000, 500, 1_000.0, 1_000.0 * base_rate
            model.mixture.weights = {name: 1.0 if name == "base_rate" else 1e-9 for name in model.mixture.weights}
        self.publish(model)

    def publish(self, model: Model) -> None:
        """Put a version of the models where workers find it."""
        row = {
            "version": model.version,
            "at": self.now,
            "trained_through": model.trained_through,
            "config_version": model.config_version,
            "body": encode(model),
        }
        self.database.write(lambda connection: connection.execute(schema.models.insert().values(row))).result()

    def close(self) -> None:
        self.database.close()

    def _commit(self, connection: Connection, step: Step) -> Step:
        step.write(connection)
        for message in step.publish.get(HEALTH, ()):
            partition = partition_of(message.key, PARTITIONS)
            self.sequences[partition] = self.sequences.get(partition, 0) + 1
            self.ledger.append(connection, [Waiting(partition, self.sequences[partition], message)])
        return step

    def _after(self, step: Step) -> Step:
        step.after()
        self.published += [(topic, message) for topic, messages in step.publish.items() for message in messages]
        self.dead += step.dead
        self.duplicates += step.duplicates
        self.forwarded += step.forwarded
        return step
