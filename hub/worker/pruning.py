"""What the database lets go of after its time, besides the archive: a little at a time, found again after a restart.

Kept for ever are links and merges (who is who), accounts and what they have, the versions of configurations and the
newest of each model. `docs/backup.md` has the whole table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, delete, exists, select, tuple_

from hub.store import schema
from hub.streams.accounting import SCORING
from hub.streams.topics import HEALTH

DAY: Final = 86_400.0
LETTERS: Final = 90 * DAY  # after which a dead letter that was replayed goes
ORPHANS: Final = 90 * DAY  # after which a snapshot goes whose account is gone
_MOST: Final = 2_000  # rows of each table at a time
_BEGINNING: Final = (float("-inf"), 0, 0)

Key = dict[str, Any]


class Due(NamedTuple):
    """Keys of rows that may go, by table, and whether to look again at once."""

    keys: Mapping[str, Sequence[Key]]
    more: bool


class Pruning:
    """Finds and forgets. Remembers how far it has looked through the ledger, since much of what is old there stays.

    Args:
        ledger_days: how long changes of health, and labels, are kept; infinity: for ever.
        most: rows of each table at a time.
    """

    def __init__(self, ledger_days: float, most: int = _MOST) -> None:
        self._kept = ledger_days * DAY
        self._most = most
        self._reached = _BEGINNING

    def due(self, connection: Connection, now: float) -> Due:
        """Look for what may go. Only reads.

        Args:
            connection: to the database.
            now: unix seconds.
        """
        ledger, more = self._ledger(connection, now - self._kept)
        found = {schema.ledger.name: ledger}
        for table, condition in _rules(now, now - self._kept):
            asked = select(*table.primary_key).where(condition).limit(self._most)
            found[table.name] = [dict(row._mapping) for row in connection.execute(asked)]  # noqa: SLF001 - SQLAlchemy's public name
            more = more or len(found[table.name]) == self._most
        return Due(found, more)

    def forget(self, connection: Connection, found: Due) -> int:
        """Let go of it; how many rows went."""
        gone = 0
        for name, keys in found.keys.items():
            if keys:
                table = schema.metadata.tables[name]
                here = and_(*(column == bindparam(f"b_{column.name}") for column in table.primary_key))
                rows = [{f"b_{column}": value for column, value in key.items()} for key in keys]
                gone += connection.execute(delete(table).where(here), rows).rowcount
        return gone

    def _ledger(self, connection: Connection, before: float) -> tuple[list[Key], bool]:
        """The next old rows that are neither an account's newest nor unpublished; whether there are more."""
        ledger, outlets = schema.ledger, schema.outlets
        newer = ledger.alias("newer")
        superseded = exists().where(
            newer.c.account == ledger.c.account, newer.c.at > ledger.c.at, newer.c.sequence > ledger.c.sequence
        )
        owed = exists().where(
            outlets.c.room == SCORING,
            outlets.c.topic == HEALTH.name,
            outlets.c.partition == ledger.c.partition,
            outlets.c.published < ledger.c.sequence,
        )
        place = tuple_(ledger.c.at, ledger.c.partition, ledger.c.sequence)
        asked = (
            select(ledger.c.at, ledger.c.partition, ledger.c.sequence, and_(superseded, ~owed).label("goes"))
            .where(ledger.c.at < before, place > tuple_(*self._reached))
            .order_by(ledger.c.at, ledger.c.partition, ledger.c.sequence)
            .limit(self._most)
        )
        rows = connection.execute(asked).all()
        more = len(rows) == self._most
        self._reached = tuple(rows[-1])[:3] if more else _BEGINNING
        return [{"partition": row.partition, "sequence": row.sequence} for row in rows if row.goes], more


def _rules(now: float, before: float) -> list[tuple[Table, ColumnElement[bool]]]:
    letters, labels, snapshots = schema.dead_letters, schema.labels, schema.snapshots
    homeless = ~exists().where(schema.accounts.c.id == snapshots.c.account)
    return [
        (letters, and_(letters.c.state == "replayed", letters.c.at < now - LETTERS)),
        (labels, labels.c.matured_at < before),
        (schema.expansions, schema.expansions.c.matured_at < before),
        (schema.early_labels, schema.early_labels.c.matured_at < now - ORPHANS),
        (snapshots, and_(snapshots.c.due < now - ORPHANS, homeless)),
    ]
