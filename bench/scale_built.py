"""An installation of very many customers, without waiting until each of them was fed through the whole path.

Two hundred customers live through the real thing: their events go through the scoring room, one after the other at the
moment of each, on a database of their own. What that leaves in its tables is then written for all the others, with
numbers, ids and digests of their own, through the statements that the product writes with. So each row is one that the
product made for a customer like it, and every index has all of its entries. One customer is hot: a tenth of all that is
archived, and of the ledger, is its own.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from sqlalchemy import Connection, Table, bindparam, select

from bench.traffic import Told, account_of, befallen, entries, named
from hub import Event, Health
from hub.ingest.dedupe import digest_of
from hub.store import schema
from hub.store.database import Database, insert_rows
from hub.store.upserts import insert
from hub.streams.room import Record
from hub.streams.topics import HEALTH, partition_of
from scoring.clock import DAY, Clock
from scoring.ledger import Ledger
from scoring.loading import load
from scoring.rescore import Rescore

HOT: Final = 0  # the number of the customer who has a tenth of all events
_FIRST: Final = 700_000_000  # numbers of the two hundred: digits that stand nowhere else in a row
_PATTERNS: Final = 200
_SPAN: Final = 3 * DAY  # over which they lived
_LAST: Final = 60.0  # seconds ago that it ended
_PIECE: Final = 5_000  # customers of a transaction
_NUMBERED: Final = (schema.archive.c.row,)  # the database does
_SEEN: Final = insert(schema.seen).on_conflict_do_nothing()
_OUTLET: Final = insert(schema.outlets)
_TABLES: Final = (
    schema.accounts,
    schema.profiles,
    schema.links,
    schema.contacts,
    schema.entities,
    schema.snapshots,
    schema.archive,
    schema.ledger,
)
Row = tuple[Any, ...]
_event: Final = msgspec.json.Decoder(Event).decode
_health: Final = msgspec.json.Decoder(Health).decode


class Pattern(NamedTuple):
    """What one customer left in each table, of which others are cut."""

    number: int
    account: str
    rows: dict[str, list[Row]]


def build(
    database: Database, partitions: int, accounts: int, history: int, progress: Callable[[float], None] = lambda _: None
) -> None:
    """Fill a new installation with so many customers, each with so many events beside its name.

    Args:
        database: of an installation that has been opened once.
        partitions: of its topics.
        accounts: how many.
        history: events of each.
        progress: told how much of it is done, 0 to 1.
    """
    patterns = lived(history)
    tables = {table.name: _insert(table) for table in _TABLES}
    last = dict.fromkeys(range(partitions), 0)
    numbers = sorted(range(accounts), key=account_of)  # an index grows at its end then, which is four times as fast
    for first in range(0, accounts, _PIECE):
        progress(first / accounts)
        _write(database, tables, cut(patterns, numbers[first : first + _PIECE], partitions, last))
    for some in _hot(patterns[0], accounts * (history + 1) // 9, partitions, last):
        _write(database, tables, some)
    marks = [("scoring.rescore", HEALTH.name, partition, at + 1, at) for partition, at in last.items()]
    database.write(lambda connection: insert_rows(connection, _OUTLET, marks)).result()
    progress(1.0)


def lived(history: int) -> list[Pattern]:
    """The two hundred, with what their lives left behind."""
    numbers, chance, end = range(_FIRST, _FIRST + _PATTERNS), np.random.default_rng(5), time.time() - _LAST
    moments = np.linspace(end - _SPAN, end, history + 1).tolist()
    turns = [named(numbers, until=moments[0])]
    for turn, moment in enumerate(moments[1:]):
        some = befallen(numbers, chance, f"turn-{turn}", until=moment, span=1.0)
        turns.append([_known_by(one, who, turn) for who, one in zip(numbers, some, strict=True)])
    with (
        tempfile.TemporaryDirectory(prefix="pulsehub-bench-") as folder,
        Database(f"sqlite:///{Path(folder) / 'hub.db'}") as database,
    ):
        now = [0.0]
        room = Rescore(database, load(), Clock("wall", lambda: now[0]), 1)
        database.write(lambda connection: room.assign(connection, [0])).result()
        told = 1
        for moment, turn in zip(moments, turns, strict=True):
            now[0] = moment + 1.0
            told += database.write(partial(_live, room=room, told=turn, first=told)).result()()
        with database.read() as connection:
            return [_pattern(connection, number) for number in numbers]


def cut(
    patterns: Sequence[Pattern], numbers: Sequence[int], partitions: int, last: dict[int, int]
) -> dict[str, list[Row]]:
    """Rows of these customers by table, each after the pattern whose turn it is; moves the ledger's `last`."""
    out: dict[str, list[Row]] = {table.name: [] for table in _TABLES}
    for number in numbers:
        pattern, account = patterns[number % _PATTERNS], account_of(number)
        partition = partition_of(account.encode(), partitions)
        for name, rows in pattern.rows.items():
            for row in rows:
                made = [_renamed(value, pattern, number, account) for value in row]
                if name == "accounts":
                    made[1] = partition
                elif name == "snapshots":
                    made[2] = partition
                elif name == "ledger":
                    last[partition] += 1
                    made[:2] = partition, last[partition]
                out[name].append(tuple(made))
    return out


def _hot(pattern: Pattern, events: int, partitions: int, last: dict[int, int]) -> Iterator[dict[str, list[Row]]]:
    """Events and moves of the hot customer: the last that its pattern knows, again and again, until a minute ago."""
    account = account_of(HOT)
    partition = partition_of(account.encode(), partitions)
    happened = _event(_renamed(pattern.rows["archive"][-1][6], pattern, HOT, account))
    moved = _health(_renamed(pattern.rows["ledger"][-1][8], pattern, HOT, account))
    end = time.time() - _LAST
    for first in range(0, events, _PIECE):
        out: dict[str, list[Row]] = {table.name: [] for table in _TABLES}
        for place in range(first, min(events, first + _PIECE)):
            at = end - _SPAN * (1.0 - place / events)
            event = msgspec.structs.replace(happened, id=f"{happened.connection}:hot-{place}")
            body = msgspec.json.encode(event)
            out["archive"].append((account, at, at, event.kind, event.connection, event.id, body))
            last[partition] += 1
            low, high = 40.0, 41.0
            was, health = (low, high) if place % 2 else (high, low)
            bands = ("steady", "steady")
            said = msgspec.structs.replace(moved, at=at, was=was, health=health, band=bands[0], was_band=bands[1])
            message = msgspec.json.encode(said)
            out["ledger"].append((partition, last[partition], account, at, health, was, *bands, message))
        yield out


def _known_by(one: Told, who: int, turn: int) -> Told:
    """The same with an id that has its customer's number in it, so that nobody else's is the same."""
    return one._replace(event=msgspec.structs.replace(one.event, id=f"{one.event.connection}:{who}-{turn}"))


def _live(connection: Connection, room: Rescore, told: Sequence[Told], first: int) -> Callable[[], int]:
    records = [
        Record(0, place, entry.timestamp, entry.key, entry.value or b"") for place, entry in enumerate(entries(told, 1))
    ]
    step = room.step(connection, records)
    step.write(connection)
    moved = step.publish[HEALTH]
    Ledger().append(connection, 0, first, moved)

    def after() -> int:
        step.after()
        return len(moved)

    return after


def _pattern(connection: Connection, number: int) -> Pattern:
    account, rows = account_of(number), {}
    for table in _TABLES:
        whose = table.c.id if table is schema.accounts else table.c.account
        asked = select(*_columns(table)).where(whose == account)
        rows[table.name] = [tuple(row) for row in connection.execute(asked)]
    return Pattern(number, account, rows)


def _renamed(value: Any, pattern: Pattern, number: int, account: str) -> Any:
    if isinstance(value, str):
        return value.replace(pattern.account, account).replace(str(pattern.number), str(number))
    if isinstance(value, bytes):
        was = b"%d" % pattern.number
        return value.replace(pattern.account.encode(), account.encode()).replace(was, b"%d" % number)
    return value


def _write(database: Database, tables: dict[str, Any], rows: dict[str, list[Row]]) -> None:
    happened = rows[schema.archive.name]
    digests = sorted((digest_of(row[4], row[5]), 0) for row in happened)

    def job(connection: Connection) -> None:
        insert_rows(connection, _SEEN, digests)
        for name, statement in tables.items():
            insert_rows(connection, statement, rows[name])

    database.write(job).result()


def _columns(table: Table) -> list[Any]:
    return [column for column in table.c if column not in _NUMBERED]


def _insert(table: Table) -> Any:
    return insert(table).inline().values({column.name: bindparam(column.name) for column in _columns(table)})
