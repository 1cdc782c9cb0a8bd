"""Which sources are heard, and which have fallen silent: then what is known of their customers grows stale.

A customer's silence is news. A source's silence is none: a revoked key or a broken webhook looks like every customer
falling silent at once. What is usual is learned: a source is silent when nothing at all came from it for longer than
the scorecard's `silent_after`, and for four times the usual while between two days on which it was heard. Who was heard
on one day only (a file, once) is never silent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from hub.store import schema
from hub.store.bulk import insert_rows
from hub.store.family import family
from hub.store.upserts import insert
from scoring.clock import DAY
from scoring.families.by_hand import OURS

_MINUTE: Final = 60.0  # how old what is on disk may be
_USUAL: Final = 4.0  # times the usual while
_SLOWLY: Final = 0.3  # how much the newest while counts
_TABLE: Final = schema.heard
_INSERT: Final = insert(_TABLE)
_UPSERT: Final = _INSERT.on_conflict_do_update(
    index_elements=[_TABLE.c.connection],
    set_={"at": _INSERT.excluded.at, "gap": _INSERT.excluded.gap},
    where=_INSERT.excluded.at > _TABLE.c.at,
)


class Heard(NamedTuple):
    """When something last came from a source, unix seconds; and the usual while between days, None after one day."""

    at: float
    gap: float | None = None

    def again(self, at: float) -> Heard:
        """Once something came at `at`."""
        days = at // DAY - self.at // DAY
        if days <= 0.0:
            return Heard(max(self.at, at), self.gap)
        while_now = days * DAY
        return Heard(at, while_now if self.gap is None else self.gap + _SLOWLY * (while_now - self.gap))

    def silent(self, now: float, least: float) -> bool:
        """Whether it has been silent for longer than is usual, and than `least` seconds."""
        return self.gap is not None and now - self.at > max(least, _USUAL * self.gap)


class Told(NamedTuple):
    """A source that told of a customer.

    Attributes:
        name: the connection's.
        as_of: unix seconds of the newest event it told of.
        heard_at: unix seconds when anything last came from it, of whomever; None: before that was noted.
        silent: whether that is longer ago than it should be.
    """

    name: str
    as_of: float
    heard_at: float | None
    silent: bool


class Sources:
    """What a worker has heard, and has yet to write down."""

    def __init__(self) -> None:
        self._known: dict[str, Heard] = {}

    def load(self, connection: Connection) -> None:
        """Read what is on disk."""
        self._known = load(connection)

    def due(self, names: Iterable[str], at: float) -> list[tuple[str, float, float | None]]:
        """Rows to write when these were heard at `at`; one of each a minute at most."""
        rows = []
        for name in names:
            was = self._known.get(name)
            if name != OURS and (was is None or at >= was.at + _MINUTE):
                rows.append((name, *(Heard(at) if was is None else was.again(at))))
        return rows

    def wrote(self, rows: Iterable[tuple[str, float, float | None]]) -> None:
        """They are on disk."""
        self._known.update((name, Heard(at, gap)) for name, at, gap in rows)


def write(connection: Connection, rows: Collection[tuple[str, float, float | None]]) -> None:
    """Keep when sources were heard."""
    insert_rows(connection, _UPSERT, list(rows))


def load(connection: Connection) -> dict[str, Heard]:
    """Every source that was ever heard."""
    return {row.connection: Heard(row.at, row.gap) for row in connection.execute(select(_TABLE))}


def told(connection: Connection, account: str, now: float, least: float) -> list[Told]:
    """Who told of a customer, as far as the archive reaches; the newest first."""
    archive, known = schema.archive.c, load(connection)
    asked = select(archive.connection, func.max(archive.occurred_at).label("at"))
    asked = asked.where(archive.account.in_(family(connection, account))).group_by(archive.connection)
    found = []
    for name, as_of in connection.execute(asked):
        if name != OURS:
            heard = known.get(name)
            silent = heard is not None and heard.silent(now, least)
            found.append(Told(name, as_of, None if heard is None else heard.at, silent))
    return sorted(found, key=lambda one: -one.as_of)


def stale(connection: Connection, accounts: Iterable[str], now: float, least: float) -> Mapping[str, list[str]]:
    """Of these accounts those whose health rests on sources that are silent; which."""
    if not any(one.silent(now, least) for one in load(connection).values()):
        return {}
    found = {account: [one.name for one in told(connection, account, now, least) if one.silent] for account in accounts}
    return {account: names for account, names in found.items() if names}
