"""An account is what it was told, and what those were told that were merged into it."""

from __future__ import annotations

from sqlalchemy import Connection, select

from hub.store.schema import merges


def family(connection: Connection, account: str) -> list[str]:
    """An account, first, and all that were merged into it: archived events stay under the account they came to."""
    found, asked = [account], [account]
    while asked:
        absorbed = connection.scalars(select(merges.c.absorbed).where(merges.c.survivor.in_(asked)))
        asked = [one for one in absorbed if one not in found]
        found += asked
    return found


def head(connection: Connection, account: str) -> str:
    """Who an account is now: itself, or at the end of all merges its survivor."""
    met = {account}
    while into := connection.scalar(select(merges.c.survivor).where(merges.c.absorbed == account)):
        if into in met:  # a circle, which nobody writes
            break
        met.add(into)
        account = into
    return account
