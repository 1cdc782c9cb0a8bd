"""Tell people once when a customer falls at risk, and once when it has recovered.

Reads `health`, publishes `actions`. What people were told is in table `warned`, written in the transaction that
stores the offsets, so a restart or a repeated step tells nobody twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from hub.sdk.actions import Action
from hub.sdk.health import Health
from hub.store import schema
from hub.store.among import among
from hub.store.upserts import insert
from hub.streams.room import DeadLetter, Message, Record, Step
from hub.streams.topics import ACTIONS, HEALTH, TopicSpec
from hub.success.falls import Kind, Rules, Told, decide

_NOBODY: Final = Told()
_health = msgspec.json.Decoder(Health)


class Alerts:
    """The room `success.alerts`.

    Args:
        to: whom to tell about a customer without an owner; e-mail addresses.
        clock: unix seconds now, to know news from history.
        rules: how loud to be.
    """

    name: str = "success.alerts"
    topic: TopicSpec = HEALTH
    tick_every: float | None = None

    def __init__(self, to: Sequence[str], clock: Callable[[], float] = time.time, rules: Rules | None = None) -> None:
        self._to = list(to)
        self._clock = clock
        self._rules = rules or Rules()

    def assign(self, connection: Connection, partitions: Sequence[int], kept: Collection[int] = ()) -> None:
        """Nothing to load: what people know is read when it is needed."""

    def tick(self, connection: Connection) -> Step | None:  # noqa: ARG002 - a room's shape
        """Silence is told by scoring, as health that time moved."""
        return None

    def step(self, connection: Connection, batch: Sequence[Record]) -> Step:
        """Judge each health in order; an account's second one knows what its first one told."""
        healths, dead = _decode(batch)
        # most health is of an account that is fine and of whom nobody was told anything: it costs one small look-up
        known = _told(connection, {health.account for _, health in healths})
        now = self._clock()
        changed: dict[str, Told] = {}
        due: list[tuple[str, Kind, float, Health]] = []
        for record, health in healths:
            before = changed.get(health.account) or known.get(health.account, _NOBODY)
            kind, since, after = decide(health, before, now, self._rules)
            if after != before:
                changed[health.account] = after
            if kind:
                due.append((_key(kind, health.account, record), kind, since, health))
        profiles = _profiles(connection, {health.account for *_, health in due})
        messages = [
            Message(health.account.encode(), msgspec.json.encode(action))
            for key, kind, since, health in due
            if (action := self._action(key, kind, since, health, profiles.get(health.account, {})))
        ]
        return Step(write=_saving(changed), publish={ACTIONS: messages} if messages else {}, dead=dead)

    def _action(self, key: str, kind: Kind, since: float, health: Health, found: Mapping[str, Any]) -> Action | None:
        if found.get("merged_into"):
            return None  # the survivor speaks for it
        owner = found.get("owner_email")
        return Action(
            key=key,
            account=health.account,
            kind=kind,
            at=health.at,
            health=health,
            to=[owner] if owner else self._to,
            name=found.get("name") or health.name or found.get("domain") or "A customer without a name",
            facts={
                "since": since,
                "addressed": "owner" if owner else "list",
                **{name: found.get(name) for name in ("owner", "mrr", "currency", "renewal_on", "domain")},
            },
        )


def _decode(batch: Sequence[Record]) -> tuple[list[tuple[Record, Health]], list[DeadLetter]]:
    healths, dead = [], []
    for record in batch:
        try:
            healths.append((record, _health.decode(record.value)))
        except msgspec.DecodeError as error:
            dead.append(DeadLetter(record, f"not a health: {error}"))
    return healths, dead


def _key(kind: Kind, account: str, record: Record) -> str:
    """Made of facts: the same for the same message of the ledger, however often it is read."""
    band = "at_risk" if kind == "band_fell" else "recovered"
    return f"alert:{account}:{band}:{record.sequence}"


def _told(connection: Connection, accounts: Collection[str]) -> dict[str, Told]:
    rows = among(connection, select(schema.warned), schema.warned.c.account, accounts)
    return {row.account: Told(row.at, row.health, bool(row.open), row.held_since) for row in rows}


def _profiles(connection: Connection, accounts: Collection[str]) -> dict[str, Mapping[str, Any]]:
    rows = among(connection, select(schema.profiles), schema.profiles.c.account, accounts)
    return {row.account: dict(row._mapping) for row in rows}  # noqa: SLF001 - SQLAlchemy's own public name


def _saving(changed: Mapping[str, Told]) -> Callable[[Connection], None]:
    rows = [
        {"account": account, "at": t.at, "health": t.health, "open": int(t.open), "held_since": t.held_since}
        for account, t in changed.items()
    ]

    def save(connection: Connection) -> None:
        if rows:
            upsert = insert(schema.warned)
            news = {name: upsert.excluded[name] for name in ("at", "health", "open", "held_since")}
            connection.execute(upsert.on_conflict_do_update(index_elements=["account"], set_=news), rows)

    return save
