"""Two rooms whose every mistake shows: one counts events per key, one follows what it says."""

import hashlib
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, text

from hub.store.database import Database
from hub.streams.room import Message, Record, Step
from hub.streams.topics import ACTIONS, EVENTS, HEALTH

POISON = b"\xff not an event"
TABLES = (
    "create table if not exists counts (key text primary key, n integer not null)",
    "create table if not exists follows (key text primary key, n integer not null)",
    "create table if not exists ticks (one integer primary key, n integer not null)",
)


def make_tables(database: Database) -> None:
    for statement in TABLES:
        database.write(lambda connection, statement=statement: connection.execute(text(statement))).result()


class Count:
    """Events, each applied once by its id; every change is said with the count it makes."""

    name = "kills.count"
    topic = EVENTS
    tick_every = 0.05

    def __init__(self):
        self.counts: dict[str, int] = {}
        self.ticks = 0

    def assign(self, connection: Connection, partitions: Sequence[int], kept=()) -> None:
        self.counts = {row.key: row.n for row in connection.execute(text("select key, n from counts"))}
        self.ticks = connection.scalar(text("select max(n) from ticks")) or 0

    def step(self, connection: Connection, batch: Sequence[Record]) -> Step:
        counts: dict[str, int] = {}
        messages, fresh = [], set()
        for record in batch:
            event = msgspec.json.decode(record.value)
            digest = hashlib.blake2b(event["id"].encode(), digest_size=16).digest()
            known = connection.execute(text("select 1 from seen where digest = :d"), {"d": digest}).first()
            if known or digest in fresh:
                continue
            fresh.add(digest)
            key = event["key"]
            counts[key] = counts.get(key, self.counts.get(key, 0)) + 1
            messages.append(Message(record.key, msgspec.json.encode({"key": key, "n": counts[key]})))

        def write(connection: Connection) -> None:
            for digest in fresh:
                connection.execute(text("insert into seen values (:d, 0)"), {"d": digest})
            for key, n in counts.items():
                connection.execute(text("insert or replace into counts values (:k, :n)"), {"k": key, "n": n})

        return Step(
            write=write,
            publish={HEALTH: messages},
            after=lambda: self.counts.update(counts),
            duplicates=len(batch) - len(messages),
        )

    def tick(self, connection: Connection) -> Step:
        n = self.ticks + 1

        def after() -> None:
            self.ticks = n

        return Step(
            write=lambda c: c.execute(text("insert or replace into ticks values (1, :n)"), {"n": n}),
            publish={ACTIONS: [Message(b"clock", b"%d" % n)]},
            after=after,
        )


class Follow:
    """What `Count` said, each message once and in order; anything else is refused."""

    name = "kills.follow"
    topic = HEALTH
    tick_every = None

    def __init__(self):
        self.counts: dict[str, int] = {}

    def assign(self, connection: Connection, partitions: Sequence[int], kept=()) -> None:
        self.counts = {row.key: row.n for row in connection.execute(text("select key, n from follows"))}

    def step(self, connection: Connection, batch: Sequence[Record]) -> Step:
        counts: dict[str, int] = {}
        for record in batch:
            said = msgspec.json.decode(record.value)
            before = counts.get(said["key"], self.counts.get(said["key"], 0))
            if said["n"] != before + 1:
                raise ValueError(f"{said['key']} went from {before} to {said['n']}")
            counts[said["key"]] = said["n"]

        def write(connection: Connection) -> None:
            for key, n in counts.items():
                connection.execute(text("insert or replace into follows values (:k, :n)"), {"k": key, "n": n})

        return Step(write=write, after=lambda: self.counts.update(counts))

    def tick(self, connection: Connection) -> None:
        return None
