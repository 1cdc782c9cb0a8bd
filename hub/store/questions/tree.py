"""Whose part is this customer, and who are its parts? Accounts form a tree by the parent their CRM names."""

from __future__ import annotations

from sqlalchemy import Connection, select

from hub.store.questions import account as of_account
from hub.store.schema import links, profiles


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
