"""Who customers and their people are: of each fact, what the newest event that carries it says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from hub import Event, Scalar
from hub.store import schema
from hub.store.among import Among
from hub.store.bulk import insert_rows
from hub.store.upserts import insert
from scoring.entities import Entity

_ABOUT_ACCOUNTS: Final = ("name", "domain", "external_id", "owner", "owner_email", "parent", "renewal_on", "plan")
_FACTS: Final[dict[str, tuple[str, ...]]] = {
    "account": _ABOUT_ACCOUNTS,
    "owner": ("owner", "owner_email"),
    **dict.fromkeys(("contract", "subscription", "invoice", "refund"), _ABOUT_ACCOUNTS),
}
"""Which facts an event tells of its account, by its kind's subject: deals and people have names of their own."""
_COLUMNS: Final = ("name", "domain", "owner", "owner_email", "parent", "renewal_on")
_ABOUT_PEOPLE: Final = ("contact_name", "email", "role")
_LONGEST: Final = 512
_HOUR: Final = 3_600.0
_MOST_REMEMBERED: Final = 200_000

Facts = dict[str, tuple[float, str, Scalar]]
"""Fact -> (unix seconds, event id, value); the newest wins."""

_PROFILE: Final = insert(schema.profiles)
UPSERT_PROFILE: Final = _PROFILE.on_conflict_do_update(
    index_elements=[schema.profiles.c.account],
    set_={c.name: _PROFILE.excluded[c.name] for c in schema.profiles.c if c.name not in ("account", "merged_into")},
)
_CONTACT: Final = insert(schema.contacts)
UPSERT_CONTACT: Final = _CONTACT.on_conflict_do_update(
    index_elements=[schema.contacts.c.reference],
    set_={c.name: _CONTACT.excluded[c.name] for c in schema.contacts.c if c.name not in ("reference", "account")},
)
_P, _C, _E = schema.profiles.c, schema.contacts.c, schema.entities.c
_BEFORE: Final = Among(select(_P.account, _P.facts, _P.mrr, _P.currency), _P.account)
_NAMES: Final = Among(select(_P.account, _P.name).where(_P.name.is_not(None)), _P.account)
_MET: Final = Among(  # locked, in one order: a person may be of two customers, and those of two workers
    select(_C.reference, _C.account, _C.last_seen_at, _C.facts).order_by(_C.reference).with_for_update(),
    _C.reference,
)
_PAID: Final = Among(select(_E.account, _E.reference, _E.state).where(_E.kind == "subscription"), _E.account)
decode: Final = msgspec.json.Decoder(Facts).decode


def newer(facts: Facts, more: Mapping[str, tuple[float, str, Scalar]]) -> Facts:
    """Both together: of each fact the newer, whichever came first."""
    out = dict(facts)
    for name, said in more.items():
        if name not in out or (said[0], said[1]) > (out[name][0], out[name][1]):
            out[name] = said
    return out


def facts_of(event: Event, names: Iterable[str]) -> Facts:
    """What an event says about these facts."""
    at = event.occurred_at.timestamp()
    found = {name: event.properties[name] for name in names if event.properties.get(name) not in (None, "")}
    return {
        name: (at, event.id, value[:_LONGEST] if isinstance(value, str) else value) for name, value in found.items()
    }


def about_account(event: Event) -> Facts:
    """What an event tells of its account."""
    names = _FACTS.get(event.kind.partition(".")[0]) if event.properties else None
    return {} if names is None else facts_of(event, names)


class Profiles:
    """What a batch tells of customers and of people; written once it is applied."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}

    def accounts(
        self,
        connection: Connection,
        events: Sequence[tuple[str, Event]],
        entities: Mapping[tuple[str, str], Entity],
    ) -> list[tuple[Any, ...]]:
        """Rows of table `profiles` that change.

        Args:
            connection: knows what was said before.
            events: account and event.
            entities: changed by the same batch; what a customer pays is the sum of its subscriptions.
        """
        told: dict[str, Facts] = {}
        for account, event in events:
            if facts := about_account(event):
                told[account] = newer(told.get(account, {}), facts)
        paying = {account for (account, _), entity in entities.items() if entity.kind == "subscription"}
        touched = told.keys() | paying
        if not touched:
            return []
        before = {row.account: row for row in _BEFORE.rows(connection, touched)}
        money = revenue(connection, paying, entities)
        rows = []
        for account in sorted(touched):
            was = before.get(account)
            facts = newer(decode(was.facts) if was else {}, told.get(account, {}))
            mrr, currency = money.get(account, (was.mrr, was.currency) if was else (None, None))
            rows.append(profile(account, facts, mrr, currency))
        return rows

    def people(self, connection: Connection, events: Sequence[tuple[str, Event]]) -> list[tuple[Any, ...]]:
        """Rows of table `contacts` that change; when somebody was last seen is kept to the hour."""
        told: dict[str, tuple[str, float, Facts]] = {}
        for account, event in events:
            if event.contact is None:
                continue
            facts = {} if event.properties.keys().isdisjoint(_ABOUT_PEOPLE) else facts_of(event, _ABOUT_PEOPLE)
            at = event.occurred_at.timestamp()
            if not facts and at < self._seen.get(event.contact, -1.0) + _HOUR:
                continue
            held = told.get(event.contact, (account, at, {}))
            told[event.contact] = (held[0], max(held[1], at), newer(held[2], facts))
        if not told:
            return []
        before = {row.reference: row for row in _MET.rows(connection, told)}
        rows = []
        for reference, (account, at, facts) in sorted(told.items()):
            was = before.get(reference)
            rows.append(
                person(
                    reference,
                    was.account if was else account,
                    max(at, was.last_seen_at) if was else at,
                    newer(decode(was.facts) if was else {}, facts),
                )
            )
        return rows

    def wrote(self, people: Iterable[tuple[Any, ...]]) -> None:
        """Remember who is on disk; the next sighting within the hour is not worth a write."""
        if len(self._seen) > _MOST_REMEMBERED:
            self._seen.clear()
        self._seen.update((row[0], row[4]) for row in people)


def profile(account: str, facts: Facts, mrr: float | None, currency: str | None) -> tuple[Any, ...]:
    """One row of table `profiles`."""
    columns = [facts.get(name, (0.0, "", None))[2] for name in _COLUMNS]
    texts = [None if value is None else str(value) for value in columns]
    return (account, *texts, mrr, currency, None, msgspec.json.encode(facts).decode())


def person(reference: str, account: str, seen_at: float, facts: Facts) -> tuple[Any, ...]:
    """One row of table `contacts`."""
    name, email = (facts.get(fact, (0.0, "", None))[2] for fact in ("contact_name", "email"))
    texts = (None if name is None else str(name), None if email is None else str(email))
    return (reference, account, *texts, seen_at, msgspec.json.encode(facts).decode())


def names(connection: Connection, accounts: Iterable[str]) -> dict[str, str]:
    """What these accounts are called, where that is known."""
    return {row.account: row.name for row in _NAMES.rows(connection, set(accounts))}


def revenue(
    connection: Connection,
    accounts: set[str],
    changed: Mapping[tuple[str, str], Entity],
) -> dict[str, tuple[float, str | None]]:
    """Monthly revenue of each account's open subscriptions and its currency (that of the largest)."""
    held: dict[tuple[str, str], Entity] = {
        (row.account, row.reference): _entity(row.state) for row in _PAID.rows(connection, accounts)
    }
    held |= {key: entity for key, entity in changed.items() if entity.kind == "subscription"}
    sums: dict[str, float] = dict.fromkeys(accounts, 0.0)
    largest: dict[str, tuple[float, str | None]] = {}
    for (account, _), entity in held.items():
        if entity.amount is None or account not in sums:
            continue
        worth = entity.amount[2]
        if entity.open_since is not None:
            sums[account] += worth
        largest[account] = max(largest.get(account, (-1.0, None)), (worth, entity.currency), key=lambda found: found[0])
    return {account: (round(total, 3), largest.get(account, (0.0, None))[1]) for account, total in sums.items()}


def write(connection: Connection, profiles: list[tuple[Any, ...]], people: list[tuple[Any, ...]]) -> None:
    """Put changed rows in the database."""
    insert_rows(connection, UPSERT_PROFILE, profiles)
    insert_rows(connection, UPSERT_CONTACT, people)


_entity: Final = msgspec.json.Decoder(Entity).decode
