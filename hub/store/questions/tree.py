"""Whose part is this customer, and who are its parts? Accounts form a tree by the parent their CRM names."""

from __future__ import annotations

import math
from typing import Final, Literal, NamedTuple

from sqlalchemy import Connection, select

from hub.store.among import among
from hub.store.questions import account as of_account
from hub.store.schema import accounts, links, profiles

MOST: Final = 10_000  # accounts of one tree
By = Literal["value", "average"]


class Rollup(NamedTuple):
    """The health of an account and all its parts, as one.

    Attributes:
        health: 0 to 100.
        by: `value`: each counts by what it pays; `average`: each counts the same, also where nobody knows what they pay
            or they pay in several currencies.
        accounts: how many count; who left does not.
    """

    health: float
    by: By
    accounts: int


def parent(connection: Connection, account: str) -> str | None:
    """Our id of the account this one is a part of; None without one, or while nothing has been heard of it."""
    reference = connection.scalar(select(profiles.c.parent).where(profiles.c.account == account))
    found = of_account.resolve(connection, reference) if reference else None
    return found if found != account else None


def parts(connection: Connection, account: str, limit: int = 100) -> list[str]:
    """Our ids of the accounts that name this one as their parent, by any of its references."""
    own = select(links.c.reference).where(links.c.account == account)
    asked = (
        select(profiles.c.account)
        .where(profiles.c.parent.in_(own) | (profiles.c.parent == account))
        .where(profiles.c.merged_into.is_(None), profiles.c.account != account)
        .order_by(profiles.c.name.nulls_first(), profiles.c.account)
        .limit(limit)
    )
    return list(connection.scalars(asked))


def rollup(connection: Connection, account: str, by: By) -> Rollup | None:
    """The health of an account and all that are parts of it, at any depth; None where it has no parts that count."""
    members = _members(connection, account)
    if len(members) == 1:
        return None
    scored = among(connection, select(accounts.c.id, accounts.c.health, accounts.c.band), accounts.c.id, members)
    healths = {row.id: row.health for row in scored if row.health is not None and row.band != "left"}
    if not healths.keys() - {account}:
        return None
    asked = select(profiles.c.account, profiles.c.mrr, profiles.c.currency)
    paid = {row.account: row for row in among(connection, asked, profiles.c.account, healths)}
    worth = {one: row.mrr for one, row in paid.items() if row.mrr is not None and row.mrr > 0.0}
    if by == "average" or not worth or len({paid[one].currency for one in worth}) > 1:
        return Rollup(math.fsum(healths.values()) / len(healths), "average", len(healths))
    total = math.fsum(worth.values())
    return Rollup(math.fsum(healths[one] * share for one, share in worth.items()) / total, "value", len(worth))


def _members(connection: Connection, account: str) -> set[str]:
    """An account and all below it; whoever goes in circles is met once."""
    found, level = {account}, {account}
    while level and len(found) < MOST:
        named = select(links.c.reference)
        names = level | {row.reference for row in among(connection, named, links.c.account, level)}
        asked = select(profiles.c.account).where(profiles.c.merged_into.is_(None))
        level = {row.account for row in among(connection, asked, profiles.c.parent, names)} - found
        found |= level
    return found
