"""Which account each reference, key and domain belongs to: the first event that says so is believed.

An explicit key, or a vendor's record that carries one, found at two accounts says that they are one customer: that is
a merge, told as an event. A person or a domain at two accounts says nothing, with one exception: where the door founded
an account only because it did not know yet what another door, or the one before it, had acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, insert, select

from hub import Event
from hub.ingest.identity import account_id, identifiers_of, is_account_id, references_of
from hub.ingest.resolver import has_key
from hub.store import schema
from hub.store.among import Among
from hub.streams.room import Message

_TABLE: Final = schema.links
INSERT: Final = insert(_TABLE)  # one that is there already is a race that was lost
_MOST_REMEMBERED: Final = 500_000
_LINKS: Final = Among(select(_TABLE.c.reference, _TABLE.c.account), _TABLE.c.reference)
MERGED: Final = "account.merged"


class Links:
    """What a batch proves about whose things are whose."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] = set()

    def forget(self) -> None:
        """Look everything up again: links have been redirected."""
        self._known.clear()

    def strays(self, connection: Connection, events: Sequence[tuple[str, Event]]) -> dict[int, str]:
        """Places of events whose own reference belongs to another account than theirs -> that account.

        The door gives an event the account it knows of. Two doors at once, or one that was killed before what it had
        acknowledged was applied, may not know what is linked by the time the event comes here. And what names an
        account itself may have been passed on for a merge that is taken back by now.
        """
        known = self._known
        asked = {
            place: (account, event.account)
            for place, (account, event) in enumerate(events)
            if (account, event.account) not in known
        }
        if not asked:
            return {}
        wanted = {reference for _, reference in asked.values()}
        holders = {reference: reference for reference in wanted if is_account_id(reference)}
        holders |= {row.reference: row.account for row in _LINKS.rows(connection, wanted - holders.keys())}
        for account, reference in asked.values():
            holders.setdefault(reference, account)
        return {
            place: holders[reference] for place, (account, reference) in asked.items() if holders[reference] != account
        }

    def found(
        self,
        connection: Connection,
        events: Sequence[tuple[str, Event]],
    ) -> tuple[list[tuple[Any, ...]], list[Message]]:
        """New rows of table `links`, and merges to publish.

        Args:
            connection: knows who holds what.
            events: account and event, in order.
        """
        claims = [(account, event, references_of(event)) for account, event in self._claiming(events)]
        if not claims:
            return [], []
        wanted = {reference for *_, proven in claims for reference, _ in proven}
        holders = {row.reference: row.account for row in _LINKS.rows(connection, wanted)}
        keyed: set[str] = set()
        rows, merges = [], {}
        for account, event, proven in claims:
            if twin := _twin(account, event, holders.get, lambda one: one in keyed or has_key(connection, one)):
                merges[twin] = (proven[-1][0], event)
            for reference, how in proven:
                holder = holders.get(reference)
                if holder is None:
                    holders[reference] = account
                    rows.append((reference, account, how, event.occurred_at.timestamp(), None))
                    if how == "key":
                        keyed.add(account)
                elif holder != account and how == "key":
                    # the account named after the key survives, whoever came first; where neither is, who has the key
                    named = account == account_id(reference)
                    merges[(holder, account) if named else (account, holder)] = (reference, event)
        return rows, [merged(survivor, absorbed, *why) for (absorbed, survivor), why in sorted(merges.items(), key=str)]

    def wrote(self, events: Iterable[tuple[str, Event]]) -> None:
        """Remember that what these events prove is on disk."""
        if len(self._known) > _MOST_REMEMBERED:
            self._known.clear()
        self._known.update([(account, event.account) for account, event in events])
        self._known.update([(account, event.contact) for account, event in events if event.contact])

    def _claiming(self, events: Sequence[tuple[str, Event]]) -> Iterator[tuple[str, Event]]:
        """Those that may say something new."""
        told: set[tuple[str, str, str | None]] = set()
        for account, event in events:
            if not _says_who(event):
                said = (account, event.account, event.contact)
                if said in told:
                    continue
                told.add(said)
            if event.kind != MERGED and self._new(account, event):
                yield account, event

    def _new(self, account: str, event: Event) -> bool:
        if not _says_who(event):
            known = self._known
            if (account, event.account) in known and (event.contact is None or (account, event.contact) in known):
                return False
        return not is_account_id(event.account)


def _says_who(event: Event) -> bool:
    """Whether it carries more than references."""
    facts = event.properties
    return bool(facts) and not facts.keys().isdisjoint(("external_id", "domain", "email"))


def _twin(
    account: str, event: Event, linked: Callable[[str], str | None], keyed: Callable[[str], bool]
) -> tuple[str, str] | None:
    """The account to be absorbed, and the survivor, where this event founded one for a domain that is another's.

    The door would have given it that other account, had it known (`hub.ingest.identity`); one with a key survives.
    """
    found = identifiers_of(event)
    home = linked(found.domain) if found.domain else None
    if home is None or home == account or account != account_id(found.strongest) or linked(found.reference):
        return None
    if found.key is None:
        return account, home
    return None if linked(found.key) or keyed(home) else (home, account)


def merged(survivor: str, absorbed: str, reference: str, event: Event) -> Message:
    """The event that two accounts are one; its id is made of facts, so that it is told once."""
    told = Event(
        id=f"pulsehub:merge:{absorbed}:{survivor}:{reference}"[:255],
        kind=MERGED,
        account=survivor,
        connection="pulsehub",
        occurred_at=event.occurred_at,
        received_at=datetime.now(UTC),
        properties={"absorbed": absorbed, "why": f"both carry {reference}"},
    )
    return Message(survivor.encode(), msgspec.json.encode(told))
