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
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from sqlalchemy import Connection, Table, bindparam, create_engine, select

from bench.traffic import SPAN, Told, account_of, befallen, entries, named
from hub import Event, Health
from hub.ingest.dedupe import digest_of
from hub.store import schema
from hub.store.database import Database, insert_rows
from hub.store.upserts import insert
from hub.streams.room import Record, Waiting
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
    """What one customer left in each table, of which others are cut; and the places in each row that name it."""

    number: int
    account: str
    rows: dict[str, list[Row]]
    named: dict[str, list[list[int]]]


def build(
    url: str, partitions: int, accounts: int, history: int, progress: Callable[[float], None] = lambda _: None
) -> None:
    """Fill a new installation with so many customers, each with so many events beside its name.

    Args:
        url: of the database of an installation that has been opened once, and is closed.
        partitions: of its topics.
        accounts: how many.
        history: events of each.
        progress: told how much of it is done, 0 to 1.
    """
    patterns = lived(history)
    tables = {table.name: _insert(table) for table in _TABLES}
    last = dict.fromkeys(range(partitions), 0)
    numbers = sorted(range(accounts), key=account_of)  # an index grows at its end then, which is four times as fast
    with _writer(url) as write:
        for first in range(0, accounts, _PIECE):
            progress(first / accounts)
            write(partial(_put, tables=tables, rows=cut(patterns, numbers[first : first + _PIECE], partitions, last)))
        for some in _hot(patterns[0], accounts * (history + 1) // 9, partitions, last):
            write(partial(_put, tables=tables, rows=some))
        marks = [("scoring.rescore", HEALTH.name, partition, at + 1, at) for partition, at in last.items()]
        write(lambda connection: insert_rows(connection, _OUTLET, marks))
    progress(1.0)


def lived(history: int) -> list[Pattern]:
    """The two hundred, with what their lives left behind."""
    numbers, end = range(_FIRST, _FIRST + _PATTERNS), time.time() - _LAST
    now = [0.0]
    with tempfile.TemporaryDirectory(prefix="pulsehub-bench-") as folder:
        url = f"sqlite:///{Path(folder) / 'hub.db'}"
        with Database(url) as database:
            room = Rescore(database, load(), Clock("wall", lambda: now[0]), 1)
        with _writer(url) as write:
            write(lambda connection: room.assign(connection, [0]))
            moved = 1
            for told in sorted(_lives(numbers, history, end), key=_when):
                now[0] = _when(told) + 1.0
                moved += write(partial(_live, room=room, told=[told], first=moved))()
            now[0] = end
            write(partial(_live, room=room, told=[], first=moved))()
            return write(lambda connection: [_pattern(connection, number) for number in numbers])


def _lives(numbers: Sequence[int], history: int, end: float) -> Iterator[Told]:
    """Each began and was last heard of at moments of its own: a third of them today."""
    chance = np.random.default_rng(5)
    for place, number in enumerate(numbers):
        until = end - _SPAN * place / len(numbers)
        yield from named([number], until=until - _SPAN + SPAN)
        rest = _SPAN * (1.0 - 1.0 / (history + 1))
        for turn, one in enumerate(befallen([number] * history, chance, "", until=until, span=rest)):
            # an id that has its customer's number in it, so that nobody else's is the same
            yield one._replace(event=msgspec.structs.replace(one.event, id=f"{one.event.connection}:{number}-{turn}"))


def _when(told: Told) -> float:
    return told.event.occurred_at.timestamp()


def cut(
    patterns: Sequence[Pattern], numbers: Sequence[int], partitions: int, last: dict[int, int]
) -> dict[str, list[Row]]:
    """Rows of these customers by table, each after the pattern whose turn it is; moves the ledger's `last`."""
    out: dict[str, list[Row]] = {table.name: [] for table in _TABLES}
    for number in numbers:
        pattern, account = patterns[number % _PATTERNS], account_of(number)
        partition = partition_of(account.encode(), partitions)
        for name, rows in pattern.rows.items():
            for row, places in zip(rows, pattern.named[name], strict=True):
                made = list(row)
                for place in places:
                    made[place] = _renamed(row[place], pattern, number, account)
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
    *_, message, parts = pattern.rows["ledger"][-1]
    moved = _health(_renamed(message, pattern, HOT, account))
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
            out["ledger"].append((partition, last[partition], account, at, health, was, *bands, message, parts))
        yield out


def _live(connection: Connection, room: Rescore, told: Sequence[Told], first: int) -> Callable[[], int]:
    """What these events come to, or the time that has passed; then, how many rows of the ledger that was."""
    records = [
        Record(0, place, entry.timestamp, entry.key, entry.value or b"") for place, entry in enumerate(entries(told, 1))
    ]
    step = room.step(connection, records) if records else room.tick(connection)
    if step is None:
        return lambda: 0
    step.write(connection)
    moved = step.publish.get(HEALTH, ())
    Ledger().append(connection, [Waiting(0, number, message) for number, message in enumerate(moved, first)])

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
    unnamed = Pattern(number, account, rows, {})
    named = {
        name: [[place for place, one in enumerate(row) if _renamed(one, unnamed, 0, "") != one] for row in some]
        for name, some in rows.items()
    }
    return unnamed._replace(named=named)


def _renamed(value: Any, pattern: Pattern, number: int, account: str) -> Any:
    if isinstance(value, str):
        return value.replace(pattern.account, account).replace(str(pattern.number), str(number))
    if isinstance(value, bytes):
        was = b"%d" % pattern.number
        return value.replace(pattern.account.encode(), account.encode()).replace(was, b"%d" % number)
    return value


def _put(connection: Connection, tables: dict[str, Any], rows: dict[str, list[Row]]) -> None:
    digests = sorted((digest_of(row[4], row[5]), 0) for row in rows[schema.archive.name])
    insert_rows(connection, _SEEN, digests)
    for name, statement in tables.items():
        insert_rows(connection, statement, rows[name])


@contextmanager
def _writer(url: str) -> Iterator[Callable[[Callable[[Connection], Any]], Any]]:
    """Runs jobs, each in a transaction. A file need not survive a crash while it is built: no journal, no waiting."""
    if not url.startswith("sqlite"):
        with Database(url) as database:
            yield lambda job: database.write(job).result()
        return
    engine = create_engine(url)
    with engine.connect() as connection:
        for pragma in ("journal_mode=off", "synchronous=off", "cache_size=-1000000"):
            connection.exec_driver_sql(f"pragma {pragma}")

        def write(job: Callable[[Connection], Any]) -> Any:
            found = job(connection)
            connection.commit()
            return found

        yield write
        connection.exec_driver_sql("pragma journal_mode=wal")
    engine.dispose()


def _columns(table: Table) -> list[Any]:
    return [column for column in table.c if column not in _NUMBERED]


def _insert(table: Table) -> Any:
    return insert(table).inline().values({column.name: bindparam(column.name) for column in _columns(table)})
