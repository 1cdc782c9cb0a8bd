"""The installation: database and log beside each other, the books, and who works on them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from hub.cli.checks import Check, fleet, servers
from hub.sdk.errors import HubError
from hub.settings import Settings
from hub.store import schema, versions
from hub.store.database import Database, look
from hub.store.questions import way
from hub.streams.accounting import Books, archived, books, given_up
from hub.streams.aligning import lost
from hub.streams.log import Reads
from hub.streams.opening import look_at
from hub.streams.topics import ALL, EVENTS
from hub.streams.unread import unread
from hub.web.words import span
from scoring.archive import forgotten

_NOTHING: Final = Books(0, 0, 0, 0, 0, 0, 0)
_LONG: Final = 60.0  # seconds that a record may wait without a word
_SKEW: Final = 2.0  # seconds of the future that are worth one


class Examined(NamedTuple):
    """The books, and what was found."""

    books: Books
    checks: list[Check]


def examine(settings: Settings) -> Examined:
    """Look at all of it, changing nothing."""
    checks = list(_broker(settings))
    try:
        counted = _examine(settings, checks)
    except (HubError, SQLAlchemyError) as error:
        checks.append(Check("installation", "wrong", str(getattr(error, "orig", None) or error)))
        counted = _NOTHING
    return Examined(counted, checks)


def _broker(settings: Settings) -> Iterable[Check]:
    if not settings.stream.startswith("kafka:"):
        return ()
    from hub.cli.checks.broker import broker  # noqa: PLC0415 - a file needs none of it

    return broker(settings)


def _examine(settings: Settings, checks: list[Check]) -> Books:
    name, found = look(settings.database)
    versions.refuse(found, name)
    if found.schema is None:
        where = f"in {settings.data}" if settings.database_url == "" else f"at {name}"
        checks.append(Check("books", "note", f"nothing {where} yet; `pulsehub up` makes it"))
        if not settings.database.startswith("sqlite:"):
            checks += servers.database(settings.database)
        return _NOTHING
    if found.schema < schema.VERSION:
        says = f"{name} has schema {found.schema}: `pulsehub migrate` makes it {schema.VERSION}; so does any start"
        checks.append(Check("schema", "note", says))
        return _NOTHING
    newer = found.schema > schema.VERSION
    says = f"{name} has schema {found.schema}" + (" of a newer version, which works beside this one" if newer else "")
    checks.append(Check("schema", "note" if newer else "ok", says))
    with ExitStack() as opened:
        database = opened.enter_context(Database(settings.database))
        with database.read() as connection:
            checks += servers.database_of(connection)
            number = partitions_of(connection) or settings.topic_partitions
            checks += fleet.processes(connection, number, shared=not settings.embedded)
            checks += fleet.leases(connection)
        log = look_at(settings.stream, settings.topic_partitions, database)
        if log is None:
            checks.append(Check("log", "note", f"nothing in {settings.data} yet; `pulsehub up` makes it"))
            return _NOTHING
        opened.enter_context(closing(log))
        checks += _log(settings, database, log)
        with database.read() as connection:
            checks += _lag(connection, log)
            counted = books(connection, log)
            checks += _books(settings, connection, counted)
            checks += _letters(connection)
        return counted


def _log(settings: Settings, database: Database, log: Reads) -> Iterator[Check]:
    ends = log.ends(EVENTS.name)
    offsets = schema.offsets
    with database.read() as connection:
        highest = connection.scalar(select(func.max(offsets.c.partition)))
        said = partitions_of(connection)
    numbers = {
        "PULSEHUB_PARTITIONS": settings.partitions,
        "the log": len(ends) or None,
        "the database": said,
    }
    known = {name: number for name, number in numbers.items() if number is not None}
    if highest is not None and ends and highest >= len(ends):
        says = f"the database knows partition {highest} and the log has {len(ends)}: they are not of one installation"
        yield Check("log", "wrong", f"{says}. See PULSEHUB_BROKER_URL and PULSEHUB_DATABASE_URL")
    elif len(set(known.values())) > 1:
        says = ", ".join(f"{name} says {number}" for name, number in known.items())
        yield Check("log", "note", f"partitions differ: {says}. An installation keeps those it was made with")
    elif ends:
        yield Check("log", "ok", f"{len(ends)} partitions of each topic")
    if expired := sum(many for name, many in log.counters().items() if name.startswith("expired.")):
        says = f"{expired:,} records went while rooms were behind them, and count as dead-lettered"
        yield Check("log", "note", f"{says}. Lag must stay below the topics' retention")
    for (room, topic), many in lost(database, log).items():
        says = f"{many:,} records of {topic} went before {room} had read them"
        yield Check("log", "wrong", f"{says}. Restore a newer backup, or go on without: `pulsehub streams --give-up`")


def partitions_of(connection: Connection) -> int | None:
    """How many partitions the installation was made with."""
    said = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "partitions"))
    return int(said) if said else None


def _lag(connection: Connection, log: Reads) -> Iterator[Check]:
    """Who is behind, and whether retention will overtake it."""
    now = time.time()
    kept = {spec.name: spec.retention for spec in ALL}
    for one in unread(connection, log):
        waits = now - one.since if one.since is not None else 0.0
        says = f"{one.room} has {one.lag:,} records of {one.topic} to read, the oldest {span(waits)} old"
        if waits > kept.get(one.topic, math.inf) / 2:
            goes = span(max(0.0, kept[one.topic] - waits))
            yield Check("lag", "wrong", f"{says}: it is lost in {goes}. Start more workers, or raise retention")
        elif waits > _LONG:
            yield Check("lag", "note", f"{says}. Where that grows, more workers are needed, or a faster database")
        elif one.lag:
            yield Check("lag", "ok", says)
        if waits < -_SKEW:
            says = f"{one.topic} has records from {span(-waits)} in the future: the clock of a door is ahead of ours"
            yield Check("lag", "note", f"{says}. Let all follow one (NTP)")


def _books(settings: Settings, connection: Connection, counted: Books) -> Iterator[Check]:
    kept = archived(connection) + forgotten(connection)
    sums = (
        f"received {counted.received:,} = applied {counted.applied:,} + duplicates {counted.duplicates:,}"
        f" + dead-lettered {counted.dead_lettered:,} + pending {counted.pending:,}"
    )
    if counted.pending < 0:
        log = "streams.db" if settings.stream.startswith("sqlite:") else "the log"
        says = f"{log} ends {-counted.pending:,} records before what was applied: it is not of the database's moment"
        yield Check("books", "wrong", f"{says}. Put back both from one backup")
    elif not counted.balanced or kept != counted.applied:
        wrong = f"; {counted.astray:+,} astray, {kept:,} in the archive"
        yield Check("books", "wrong", f"do not balance: {sums}{wrong}. Take a backup, report it")
    else:
        yield Check("books", "ok", sums)
    if many := given_up(connection):
        yield Check("books", "note", f"{many:,} of the dead-lettered were given up when the log had lost them")


def _letters(connection: Connection) -> Iterator[Check]:
    if letters := way.letters_by_connection(connection):
        many = ", ".join(f"{number} of {name or '?'}" for name, number in letters.items())
        yield Check("dead letters", "note", f"{many}: `pulsehub deadletters list` says why")
