"""Parts the tests of delivery share: a clock, a log that remembers, destinations that misbehave on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import msgspec

import hub
from hub.sdk.actions import Action
from hub.store.database import Database
from hub.store.leases import Lease, Leases
from hub.store.schema import alerts, desired, links
from hub.streams.room import Message, Record
from hub.streams.topics import TopicSpec
from sinks.alerts import AlertsOutbox
from sinks.delivery import queue_of
from sinks.desired import Fields
from sinks.worker import Worker

NOW = 1_772_359_200.0


class Clock:
    """Time that passes when we say so."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Log:
    """Keeps what was published, by topic."""

    def __init__(self) -> None:
        self.published: dict[str, list[Any]] = {}

    async def publish(self, topic: TopicSpec, messages: Sequence[Message]) -> None:
        self.published.setdefault(topic.name, []).extend(msgspec.json.decode(m.value) for m in messages)


class Crm:
    """A destination of fields: keeps what each record showed, in order. `behave` may answer or raise instead."""

    vendor = "crm"
    shape = "fields"

    def __init__(self, name: str = "crm", batch: int = 5) -> None:
        self.name = name
        self.batch = batch
        self.shown: dict[str, list[Any]] = {}
        self.calls: list[list[hub.Delivery]] = []
        self.behave: Callable[[Sequence[hub.Delivery]], Sequence[hub.Outcome] | None] = lambda _: None
        self.jobs: dict[str, Sequence[hub.Outcome]] = {}

    def target(self, references: Sequence[str]) -> str | None:
        return next((r.removeprefix("crm:") for r in references if r.startswith("crm:")), None)

    def fields(self, health: hub.Health) -> Mapping[str, hub.Scalar]:
        return {"score": round(health.health), "band": health.band}

    def take(self, delivery: hub.Delivery) -> hub.Ok:
        self.shown.setdefault(delivery.target, []).append(delivery.fields["score"])
        return hub.Ok()

    async def push(self, deliveries: Sequence[hub.Delivery]) -> Sequence[hub.Outcome]:
        self.calls.append(list(deliveries))
        answer = self.behave(deliveries)
        return [self.take(d) for d in deliveries] if answer is None else answer

    async def poll(self, job: str, deliveries: Sequence[hub.Delivery]) -> Sequence[hub.Outcome]:
        return self.jobs.get(job, [hub.Pending(job)] * len(deliveries))


class Pager(Crm):
    """A destination of alerts: keeps what it was told."""

    shape = "alerts"

    def __init__(self, name: str = "pager", batch: int = 5) -> None:
        super().__init__(name, batch)
        self.told: list[str] = []

    def target(self, references: Sequence[str]) -> str | None:
        return ",".join(references) or None

    def take(self, delivery: hub.Delivery) -> hub.Ok:
        self.told.append(delivery.key)
        return hub.Ok()


def flaky(sink: Crm, rng: Random, share: float = 0.3) -> None:
    """Let `sink` misbehave in `share` of its calls, in every way there is, some of them after it took the records."""

    def behave(deliveries: Sequence[hub.Delivery]) -> Sequence[hub.Outcome] | None:
        if rng.random() >= share:
            return None
        match rng.randrange(7):
            case 0:
                raise hub.RetryLaterError("busy")
            case 1:
                raise hub.RateLimitedError("slow down", after=rng.uniform(0, 5))
            case 2:
                [sink.take(d) for d in deliveries]
                raise ValueError("it took them and fell over")
            case 3:
                return [sink.take(d) for d in deliveries][: rng.randrange(len(deliveries))]
            case 4:
                return [sink.take(d) if rng.random() < 0.5 else hub.Retry("locked") for d in deliveries]
            case 5:
                return [hub.Retry("busy", after=rng.uniform(0, 3)) for d in deliveries]
            case _:
                return [sink.take(d) for d in deliveries] * 2

    sink.behave = behave


def health(account: str, score: float, band: hub.Band = "steady", at: float = NOW, **more: Any) -> hub.Health:
    drivers = more.pop("drivers", [hub.Driver("tickets", "3 urgent tickets open", score - 70.0, "support")])
    return hub.Health(account=account, at=at, health=score, band=band, risk=0.3, base=70.0, drivers=drivers, **more)


def record(value: Any, sequence: int, key: str = "") -> Record:
    body = value if isinstance(value, bytes) else msgspec.json.encode(value)
    return Record(0, sequence, NOW, key.encode(), body, "scoring.rescore", sequence)


def action(key: str, account: str = "acc_1", to: Sequence[str] = ("dana@example.com",), **more: Any) -> Action:
    told = {"owner": "Dana Reyes", "mrr": 4200.0, "currency": "USD", "renewal_on": "2026-05-01", "addressed": "owner"}
    return Action(
        key=key,
        account=account,
        kind=more.pop("kind", "band_fell"),
        at=NOW,
        health=more.pop("health", health(account, 41.0, "at_risk", was=58.0, was_band="watch")),
        to=list(to),
        name=more.pop("name", "Northwind"),
        facts=more.pop("facts", {**told, "since": NOW}),
    )


PARTITIONS = 8


class Bench:
    """Rooms, rows and workers over one database file, without a stream: the test is the stream."""

    def __init__(self, database: Database, *sinks: Crm, seed: int = 1) -> None:
        self.database = database
        self.clock = Clock()
        self.log = Log()
        self.sinks = sinks
        self.woken = 0
        self.fields = Fields(sinks, self._wake)
        with database.read() as connection:
            self.fields.assign(connection, range(PARTITIONS))
        self.outbox = AlertsOutbox(sinks, self._wake, self.clock)
        rng = Random(seed)
        self.workers = [
            Worker(s, queue_of(s), database, publish=self.log.publish, clock=self.clock, rng=rng, patience=0.2)
            for s in sinks
        ]

        self._leases = Leases(database, "bench", alone=True)
        self._held: dict[str, Lease] = {}

    def _wake(self) -> None:
        self.woken += 1

    async def once(self, nth: int = 0) -> bool:
        """One look of one worker."""
        name = f"deliver:{self.sinks[nth].name}"
        held = self._held[name] = self._held.get(name) or await self._leases.acquire(name)
        return await self.workers[nth].once(held)

    def link(self, account: str, reference: str) -> None:
        row = {"reference": reference, "account": account, "how": "record", "at": NOW}
        self.database.write(
            lambda c: (
                c.execute(links.delete().where(links.c.reference == reference)),
                c.execute(links.insert(), row),
            ),
        ).result()

    def show(self, *values: tuple[int, hub.Health]) -> None:
        """Let these healths arrive, in one batch."""
        self._run(self.fields, [record(h, sequence) for sequence, h in values])

    def tell(self, *actions: Action) -> None:
        self._run(self.outbox, [record(a, n) for n, a in enumerate(actions, 1)])

    def sweep(self) -> None:
        def tick(connection: Any) -> Any:
            step = self.fields.tick(connection)
            step.write(connection)
            return step

        self.database.write(tick).result().after()

    def _run(self, room: Any, batch: Sequence[Record]) -> None:
        def run(connection: Any) -> Any:
            step = room.step(connection, batch)
            assert not step.dead
            step.write(connection)
            return step

        self.database.write(run).result().after()

    async def drain(self, longest: int = 2_000) -> None:
        """Let time pass until nothing is due nor pending."""
        for _ in range(longest):
            busy = [await self.once(nth) for nth in range(len(self.workers))]
            if not any(busy):
                if not self.waiting():
                    return
                self.clock.now += 1.0
        raise AssertionError(f"still waiting: {self.rows()}")

    def push(self) -> None:
        """One look of every worker."""

        async def once() -> None:
            for nth in range(len(self.workers)):
                await self.once(nth)

        asyncio.run(once())

    def waiting(self) -> list[Any]:
        return [row for row in [*self.rows(), *self.alerts()] if row.state in {"due", "pending"}]

    def rows(self) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(desired.select().order_by(desired.c.sink, desired.c.account)))

    def alerts(self) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(alerts.select().order_by(alerts.c.sink, alerts.c.key)))
