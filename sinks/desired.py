"""What each destination should show of each account: health in, rows of table `desired` out.

Only what differs from what the destination shows becomes due. An account that does not live at a destination is
`absent` there until a link appears: its next health or the sweep finds it. The sweep pages through all accounts,
slowly, and also notices those that were linked otherwise or merged, and fills a destination configured later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, bindparam, exists, null, select, union_all
from sqlalchemy.sql.selectable import ScalarSelect

from hub.sdk.contracts import Sink
from hub.sdk.health import Health
from hub.store import schema
from hub.store.among import among
from hub.store.upserts import insert
from hub.streams.room import DeadLetter, Record, Step
from hub.streams.topics import HEALTH, TopicSpec

_PAGE: Final = 500  # accounts of one sweep
_health = msgspec.json.Decoder(Health)
_upsert = insert(schema.desired)
_SAVE: Final = _upsert.on_conflict_do_update(
    index_elements=["sink", "account"],
    set_={
        name: _upsert.excluded[name]
        for name in ("sequence", "target", "fields", "shown", "pushing", "state", "attempts", "next_at", "reason")
    },
)
_EVERY: Final = union_all(  # a merge leaves no row of the absorbed account but this
    select(schema.accounts.c.id, schema.accounts.c.partition),
    select(schema.merges.c.absorbed, null()).where(~exists().where(schema.accounts.c.id == schema.merges.c.absorbed)),
).subquery()
_KNOWN: Final = select(_EVERY).where(_EVERY.c.id > bindparam("swept")).order_by(_EVERY.c.id).limit(_PAGE)


def _of_the_newest(column: ColumnElement[Any]) -> ScalarSelect[Any]:
    """A column of each account's newest row of the ledger."""
    ledger = schema.ledger
    mine = select(column).where(ledger.c.account == schema.accounts.c.id).order_by(ledger.c.sequence.desc()).limit(1)
    return mine.correlate(schema.accounts).scalar_subquery()


_LATEST: Final = select(
    schema.accounts.c.id,
    _of_the_newest(schema.ledger.c.sequence).label("sequence"),
    _of_the_newest(schema.ledger.c.message).label("message"),
)


class Wanted(NamedTuple):
    """What one row should be: the columns of `desired` that the room writes."""

    sink: str
    account: str
    sequence: int
    target: str | None
    fields: str
    shown: str | None
    pushing: str | None
    state: str
    attempts: int
    next_at: float
    reason: str | None


def wanted(sink: str, account: str, sequence: int, fields: str, *, target: str | None, row: Row[Any] | None) -> Wanted:
    """The row for these fields, given the one that is there. Pure.

    A job under way is never overtaken: its row stays pending and is due again when it ends. What a push may have
    written without our learning of it (`pushing`) makes any value due.
    """
    if row is None or row.target != target:
        kept = row is not None and row.state == "pending"  # the old record's job; its end makes the new one due
        return Wanted(
            sink,
            account,
            sequence,
            target,
            fields,
            shown=None,
            pushing=row.pushing if row is not None and kept else None,
            state="pending" if kept else "due" if target else "absent",
            attempts=0,
            next_at=row.next_at if row is not None and kept else 0.0,
            reason=None,
        )
    state, attempts, next_at, reason = row.state, row.attempts, row.next_at, row.reason
    if target is None:
        state = "absent"
    elif state != "pending":
        shown = row.shown == fields and row.pushing is None
        if shown or state != "due":  # what waits keeps its turn: the destination may have said how long
            attempts, next_at, reason = 0, 0.0, None
        state = "shown" if shown else "due"
    return Wanted(sink, account, sequence, target, fields, row.shown, row.pushing, state, attempts, next_at, reason)


class Fields:
    """The room `sinks.fields`.

    Args:
        sinks: every destination; those of alerts are ignored.
        wake: called (on any thread) once rows may be due.
    """

    name: str = "sinks.fields"
    topic: TopicSpec = HEALTH

    def __init__(self, sinks: Sequence[Sink], wake: Callable[[], None]) -> None:
        self._sinks = [sink for sink in sinks if sink.shape == "fields"]
        self._wake = wake
        self._swept = ""
        self._held: frozenset[int] = frozenset()
        self.tick_every: float | None = 5.0 if self._sinks else None

    def assign(self, _connection: Connection, partitions: Sequence[int], kept: Collection[int] = ()) -> None:  # noqa: ARG002 - a room's shape
        """Nothing to load: rows are read when they are needed."""
        self._held = frozenset(partitions)

    def step(self, connection: Connection, batch: Sequence[Record]) -> Step:
        """Want the newest health of each account shown; a target that is known is not looked up again."""
        newest, dead = _newest(batch)
        if not self._sinks:
            return Step(dead=dead)
        rows = self._rows(connection, newest)
        unplaced = {
            account
            for account in newest
            for sink in self._sinks
            if not getattr(rows.get((sink.name, account)), "target", 0)
        }
        references = _references(connection, unplaced)
        changed = []
        for account, (sequence, health) in newest.items():
            for sink in self._sinks:
                row = rows.get((sink.name, account))
                if row is not None and row.sequence >= sequence:
                    continue
                target = row.target if row is not None and row.target else sink.target(references[account])
                changed.append(wanted(sink.name, account, sequence, _json(sink, health), target=target, row=row))
        return self._saving(changed, dead=dead)

    def tick(self, connection: Connection) -> Step | None:
        """Look at the next few hundred accounts: are they still where we think they are?"""
        page = connection.execute(_KNOWN, {"swept": self._swept}).all()
        # other workers look at theirs; what was merged away is nobody's, and whoever finds it sees the same
        accounts = [row.id for row in page if row.partition in self._held or row.partition is None]
        rows = self._rows(connection, accounts)
        references = _references(connection, accounts)
        changed, new = [], []
        for account in accounts:
            for sink in self._sinks:
                row, target = rows.get((sink.name, account)), sink.target(references[account])
                if row is None:
                    new.append((sink, account, target))
                elif row.target != target:
                    changed.append(wanted(sink.name, account, row.sequence, row.fields, target=target, row=row))
        healths = _latest(connection, {account for _, account, _ in new})
        changed += [
            wanted(sink.name, account, sequence, _json(sink, health), target=target, row=None)
            for sink, account, target in new
            if account in healths
            for sequence, health in [healths[account]]
        ]
        reached = page[-1].id if len(page) == _PAGE else ""

        def swept() -> None:
            self._swept = reached

        return self._saving(changed, also=swept)

    def _rows(self, connection: Connection, accounts: Collection[str]) -> dict[tuple[str, str], Row[Any]]:
        """As they are until we are done: what a delivery writes meanwhile would be written over."""
        ours = select(schema.desired).where(schema.desired.c.sink.in_([sink.name for sink in self._sinks]))
        ours = ours.with_for_update()
        return {(row.sink, row.account): row for row in among(connection, ours, schema.desired.c.account, accounts)}

    def _saving(
        self,
        changed: Sequence[Wanted],
        dead: Sequence[DeadLetter] = (),
        also: Callable[[], None] = lambda: None,
    ) -> Step:
        def save(connection: Connection) -> None:
            if changed:
                connection.execute(_SAVE, [row._asdict() for row in changed])

        def after() -> None:
            also()
            if changed:
                self._wake()

        return Step(write=save, after=after, dead=dead)


def _json(sink: Sink, health: Health) -> str:
    return msgspec.json.encode(dict(sink.fields(health)), order="sorted").decode()


def _newest(batch: Sequence[Record]) -> tuple[dict[str, tuple[int, Health]], list[DeadLetter]]:
    newest: dict[str, tuple[int, Health]] = {}
    dead = []
    for record in batch:
        try:
            health = _health.decode(record.value)
        except msgspec.DecodeError as error:
            dead.append(DeadLetter(record, f"not a health: {error}"))
            continue
        if record.sequence >= newest.get(health.account, (0, health))[0]:
            newest[health.account] = record.sequence, health
    return newest, dead


def _references(connection: Connection, accounts: Collection[str]) -> Mapping[str, list[str]]:
    """References of each account, in order; an account without any has an empty list."""
    found: dict[str, list[str]] = defaultdict(list)
    gone = exists().where(schema.merges.c.absorbed == schema.links.c.account)  # the survivor speaks for it
    for row in among(connection, select(schema.links).where(~gone), schema.links.c.account, accounts):
        found[row.account].append(row.reference)
    for references in found.values():
        references.sort()
    return found


def _latest(connection: Connection, accounts: Collection[str]) -> dict[str, tuple[int, Health]]:
    """The newest health of each account, from the ledger."""
    rows = among(connection, _LATEST, schema.accounts.c.id, accounts)
    return {row.id: (row.sequence, _health.decode(row.message)) for row in rows if row.message is not None}
