"""Made-up events of a company that sells software: mostly usage, some tickets, some money; few customers do most."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

import msgspec
import numpy as np

import hub
from hub.streams.log import Entry
from hub.streams.sqlite.log import SqliteLog
from hub.streams.topics import EVENTS, partition_of

SPAN = 3_600.0  # seconds of the past over which they lie: an hour's events, taken as fast as it goes
_PEOPLE = 12  # of each customer
_KINDS = {
    "usage.tracked": 0.80,
    "session.started": 0.10,
    "ticket.opened": 0.03,
    "ticket.solved": 0.025,
    "invoice.paid": 0.02,
    "subscription.changed": 0.015,
    "csat.rated": 0.01,
}
_VENDOR = {"usage": "segment", "session": "segment", "ticket": "zendesk", "csat": "zendesk"}


class Told(NamedTuple):
    """An event and the account it belongs to, as the door would have found."""

    account: str
    event: hub.Event


def account_of(number: int) -> str:
    """The id of a made-up customer."""
    return f"acc_{hashlib.blake2b(f'bench {number}'.encode(), digest_size=10).hexdigest()}"


def traffic(events: int, accounts: int, *, seed: int = 1, until: float | None = None) -> list[Told]:
    """So many events of so many customers, in order of time, the last of them now.

    Popularity is Zipf's (customer k has a share of 1/k). The same seed tells the same, but for the moments.
    """
    chance = np.random.default_rng(seed)
    return befallen(popular(events, accounts, chance), chance, str(seed), until=until)


def popular(events: int, accounts: int, chance: np.random.Generator) -> list[int]:
    """Whose each of so many events is, by Zipf."""
    share = 1.0 / np.arange(1, accounts + 1)
    found: list[int] = chance.choice(accounts, events, p=share / share.sum()).tolist()
    return found


def befallen(
    whose: Sequence[int], chance: np.random.Generator, key: str, *, until: float | None = None, span: float = SPAN
) -> list[Told]:
    """An event for each of these customers, in order of time over `span` seconds; their ids begin with `key`."""
    events = len(whose)
    kinds = chance.choice(len(_KINDS), events, p=list(_KINDS.values())).tolist()
    others = chance.integers(0, 1_000, events).tolist()
    end = time.time() if until is None else until
    moments = np.linspace(end - span, end, events).tolist()
    names = list(_KINDS)
    return [
        Told(account_of(who), _event(f"{key}-{place}", names[kind], who, other, moment))
        for place, (who, kind, other, moment) in enumerate(zip(whose, kinds, others, moments, strict=True))
    ]


def everybody(accounts: int, *, until: float | None = None) -> list[Told]:
    """Each customer's name, once."""
    return named(range(accounts), until=until)


def named(numbers: Sequence[int], *, until: float | None = None) -> list[Told]:
    """The names of these customers."""
    at = datetime.fromtimestamp(round((time.time() if until is None else until) - SPAN, 3), UTC)
    return [
        Told(
            account_of(who),
            hub.Event(
                id=f"salesforce:account:{who}:1",
                kind="account.updated",
                account=f"salesforce:account:{who}",
                connection="salesforce",
                occurred_at=at,
                received_at=at,
                properties={
                    "name": f"Customer {who}",
                    "domain": f"customer-{who}.example",
                    "owner": f"Owner {who % 20}",
                },
            ),
        )
        for who in numbers
    ]


def visits(numbers: range, *, until: float | None = None) -> list[Told]:
    """One use of the product by each of these customers, just now."""
    moment = time.time() if until is None else until
    return [Told(account_of(who), _event(f"visit-{who}", "usage.tracked", who, who, moment)) for who in numbers]


def entries(told: Sequence[Told], partitions: int, at: float | None = None) -> list[Entry]:
    """As the door would append them."""
    now = time.time() if at is None else at
    return [
        Entry(EVENTS.name, partition_of(one.account.encode(), partitions), one.account.encode(), written, now)
        for one, written in ((one, msgspec.json.encode(one.event)) for one in told)
    ]


def fill(log: SqliteLog, told: Sequence[Told], piece: int = 500) -> None:
    """Put them on the log."""
    log.declare(EVENTS)
    waiting = entries(told, log.partitions)
    for done in [log.append(waiting[first : first + piece]) for first in range(0, len(waiting), piece)]:
        done.result()


def _event(key: str, kind: str, who: int, other: int, moment: float) -> hub.Event:
    subject = kind.partition(".")[0]
    vendor = _VENDOR.get(subject, "stripe")
    more: dict[str, object] = {}
    match subject:
        case "usage" | "session":
            more = {
                "contact": f"segment:user:{who}-{other % _PEOPLE}",
                "properties": {"event": f"Feature {other % 40}"},
            }
        case "ticket":
            more = {"entity": f"zendesk:ticket:{who}-{other % 30}", "value": 2.0, "properties": {"priority": "high"}}
        case "csat":
            more = {"entity": f"zendesk:ticket:{who}-{other % 30}", "value": float(other % 2)}
        case "invoice":
            more = {"entity": f"stripe:invoice:{who}-{other}", "amount": Decimal(other), "currency": "USD"}
        case _:
            more = {"entity": f"stripe:subscription:{who}", "amount": Decimal(100 + other), "currency": "USD"}
    at = datetime.fromtimestamp(round(moment, 3), UTC)
    reference = {"segment": "group", "zendesk": "organization", "stripe": "customer"}[vendor]
    return hub.Event(
        id=f"{vendor}:{key}",
        kind=kind,
        account=f"{vendor}:{reference}:{who}",
        connection=vendor,
        occurred_at=at,
        received_at=at,
        **more,  # type: ignore[arg-type]
    )
