"""Tell people once when a customer falls at risk, and once when it has recovered.

Reads `health`, publishes `actions`. What people were told is in table `warned`, written in the transaction that
stores the offsets, so a restart or a repeated step tells nobody twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

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
from scoring.sources import stale

log: Final = logging.getLogger(__name__)
_NOBODY: Final = Told()
_MOST: Final = 200
_health = msgspec.json.Decoder(Health)


class Alerts:
    """The room `success.alerts`.

    Args:
        to: whom to tell about a customer without an owner; e-mail addresses.
        clock: unix seconds now, to know news from history.
        rules: how loud to be.
        silent_after: seconds after which a source is silent (`scoring.sources`); None: nobody waits for sources.

    A fall of a customer whose sources are silent is held: a broken webhook is no churn. Once they are heard again it is
    told, if it still holds.
    """

    name: str = "success.alerts"
    topic: TopicSpec = HEALTH
    tick_every: float | None = 60.0

    def __init__(
        self,
        to: Sequence[str],
        clock: Callable[[], float] = time.time,
        rules: Rules | None = None,
        silent_after: float | None = None,
    ) -> None:
        self._to = list(to)
        self._clock = clock
        self._rules = rules or Rules()
        self._silent_after = silent_after
        self._partitions: tuple[int, ...] = ()
        self._waiting: frozenset[str] = frozenset()

    def assign(
        self,
        connection: Connection,  # noqa: ARG002 - a room's shape
        partitions: Sequence[int],
        kept: Collection[int] = (),  # noqa: ARG002 - likewise
    ) -> None:
        """Nothing to load: what people know is read when it is needed."""
        self._partitions = tuple(partitions)

    def tick(self, connection: Connection) -> Step | None:
        """Tell what waited for a silent source that is heard again. Silence itself is told by scoring."""
        if self._silent_after is None or not self._partitions:
            return None
        now = self._clock()
        healths = [(_again(row), row.health) for row in _held(connection, self._partitions, now)]
        if not healths or not self._free(connection, {health.account for _, health in healths}):
            return None
        return self._judged(connection, healths, [])

    def step(self, connection: Connection, batch: Sequence[Record]) -> Step:
        """Judge each health in order; an account's second one knows what its first one told."""
        healths, dead = _decode(batch)
        return self._judged(connection, healths, dead)

    def _judged(
        self, connection: Connection, healths: Sequence[tuple[Record, Health]], dead: Sequence[DeadLetter]
    ) -> Step:
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
        due = self._certain(connection, due, known, changed, now)
        profiles = _profiles(connection, {health.account for *_, health in due})
        messages = [
            Message(health.account.encode(), msgspec.json.encode(action))
            for key, kind, since, health in due
            if (action := self._action(key, kind, since, health, profiles.get(health.account, {})))
        ]
        return Step(write=_saving(changed), publish={ACTIONS: messages} if messages else {}, dead=list(dead))

    def _certain(
        self,
        connection: Connection,
        due: list[tuple[str, Kind, float, Health]],
        known: Mapping[str, Told],
        changed: dict[str, Told],
        now: float,
    ) -> list[tuple[str, Kind, float, Health]]:
        """Without the falls of those whose sources are silent: they are held."""
        falls = {health.account for _, kind, _, health in due if kind == "band_fell"}
        if self._silent_after is None or not falls:
            return due
        waits = stale(connection, falls, now, self._silent_after)
        self._say(waits)
        for _, kind, since, health in due:
            if kind == "band_fell" and health.account in waits and changed[health.account].open:
                before = known.get(health.account, _NOBODY)
                changed[health.account] = replace(before, open=False, held_since=since)
        believed = {account for account in waits if known.get(account, _NOBODY).open}
        return [
            one for one in due if one[3].account not in waits or (one[1] != "band_fell" and one[3].account in believed)
        ]

    def _free(self, connection: Connection, accounts: Collection[str]) -> bool:
        """Whether somebody of these waits for no source any more."""
        assert self._silent_after is not None  # noqa: S101 - nothing is held for sources where nobody waits for them
        waits = stale(connection, accounts, self._clock(), self._silent_after)
        return len(waits) < len(accounts)

    def _say(self, waits: Mapping[str, Sequence[str]]) -> None:
        """Say once which sources are waited for."""
        silent = frozenset(name for names in waits.values() for name in names)
        if silent - self._waiting:
            log.warning("success.waiting", extra={"sources": sorted(silent)})
        self._waiting = silent

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


class _Held(NamedTuple):
    """The newest row of the ledger of an account whose fall is held."""

    partition: int
    sequence: int
    health: Health


def _held(connection: Connection, partitions: Collection[int], now: float) -> list[_Held]:
    """What is held; it holds now, or scoring would have said otherwise."""
    ledger, warned = schema.ledger.c, schema.warned.c
    waiting = select(warned.account).where(warned.held_since.is_not(None), warned.open == 0).limit(_MOST)
    found = []
    for account in connection.scalars(waiting):
        asked = select(ledger.partition, ledger.sequence, ledger.message).where(ledger.account == account)
        row = connection.execute(asked.order_by(ledger.at.desc(), ledger.sequence.desc()).limit(1)).first()
        if row is not None and row.partition in partitions:
            health = msgspec.structs.replace(_health.decode(bytes(row.message)), at=now)
            found.append(_Held(row.partition, row.sequence, health))
    return found


def _again(held: _Held) -> Record:
    """The record that brought it."""
    key, value = held.health.account.encode(), msgspec.json.encode(held.health)
    return Record(held.partition, 0, held.health.at, key, value, "scoring.rescore", held.sequence)


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
    return {row.account: row._asdict() for row in rows}


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
