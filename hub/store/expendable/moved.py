"""What moved in the database since the last look: how a process learns what others did, where nobody tells it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from hub.store.database import Database
from hub.store.live import News
from hub.store.schema import archive, dead_letters, ledger, outlets, processes, receipts

_MOST: Final = 1_000  # accounts named in a look; whoever looks at more than that looks at the portfolio


class _Marks(NamedTuple):
    health: dict[int, int]  # by partition, the next sequence of the ledger
    events: int
    receipts: int
    letters: float
    processes: frozenset[tuple[str, str]]  # id, what it says of itself


class Moved:
    """Looks at the ends of four tables, each by its index, and at the few processes; what changed is the news.

    Args:
        database: which others write.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._marks: _Marks | None = None

    def look(self) -> Sequence[News]:
        """What came since the last look, nothing at the first one; raises what the database raises."""
        with self._database.read() as connection:
            marks, was = _marks(connection), self._marks
            news = _between(connection, was, marks) if was else []
        self._marks = marks
        return news


def _marks(connection: Connection) -> _Marks:
    # the ledger is the outbox of topic `health`: what an outlet gives next is the end of its partition
    ends = select(outlets.c.partition, outlets.c.next).where(outlets.c.topic == "health")
    return _Marks(
        health={row.partition: row.next for row in connection.execute(ends)},
        events=connection.scalar(select(func.max(archive.c.row))) or 0,
        receipts=connection.scalar(select(func.max(receipts.c.id))) or 0,
        letters=connection.scalar(select(func.max(dead_letters.c.at))) or 0.0,
        processes=frozenset(
            (row.id, row.state) for row in connection.execute(select(processes.c.id, processes.c.state))
        ),
    )


def _between(connection: Connection, was: _Marks, now: _Marks) -> list[News]:
    news = []
    if accounts := _rescored(connection, was.health, now.health):
        news.append(News("health", {"accounts": accounts}))
    if now.events > was.events:
        news.append(News("events", {"count": now.events - was.events}))
    if now.receipts > was.receipts:
        news += _delivered(connection, was.receipts)
    if now.letters > was.letters:
        news.append(News("dead_letters", {}))
    if now.processes != was.processes:
        news.append(News("streams", {}))
    return news


def _rescored(connection: Connection, was: dict[int, int], now: dict[int, int]) -> list[str]:
    found: set[str] = set()
    for partition, end in now.items():
        if end > (begin := was.get(partition, 1)) and len(found) < _MOST:
            asked = (
                select(ledger.c.account)
                .where(ledger.c.partition == partition, ledger.c.sequence >= begin)
                .order_by(ledger.c.sequence.desc())
                .limit(_MOST)
            )
            found.update(connection.scalars(asked))
    return sorted(found)


def _delivered(connection: Connection, after: int) -> list[News]:
    asked = (
        select(receipts.c.sink, receipts.c.account)
        .where(receipts.c.id > after)
        .order_by(receipts.c.id.desc())
        .limit(_MOST)
    )
    accounts: dict[str, set[str]] = {}
    for sink, account in connection.execute(asked):
        accounts.setdefault(sink, set()).add(account)
    return [News("deliveries", {"sink": sink, "accounts": sorted(some)}) for sink, some in accounts.items()]
