"""One of the sixty companies as the scoring room would have left it, so that what-if can be asked of it."""

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
from sqlalchemy import update

from hub.sdk.events import Event
from hub.store import schema
from hub.store.bulk import insert_rows
from scoring import accounts, archive, entities
from scoring.entities import Things
from scoring.loading import load
from scoring.scorers import Scorers

DAY = 86_400.0


def stand(database, account, now):
    """Write an account's row: used every day until a week ago, three tickets open, an invoice overdue."""
    config = load()
    scorers = Scorers(config)
    measures = accounts.measures_of(config, scorers.names)
    row = np.full(1, measures.empty, measures.dtype)
    things = Things(measures.holdings.sums, measures.holdings.oldest)
    archive.fold(measures, row, _events(account, now), account, things)
    values = measures.read(row, now)
    scores = scorers.plain.score(values, np.full(1, np.nan), np.full(1, -1, np.int8))
    row["health"] = row["published"] = scores.health
    row["band"], row["scored_at"] = scores.band, now
    mine = update(schema.accounts).where(schema.accounts.c.id == account)

    def write(connection):
        accounts.remember(connection, measures.layout)
        connection.execute(mine.values(state=row.tobytes()))
        insert_rows(connection, entities.UPSERT, entities.rows(things.changed))

    database.write(write).result()


def _events(account, now):
    found = [_event(account, "session.started", now - day * DAY, f"s{day}") for day in range(8, 30)]
    found += [
        _event(
            account,
            "ticket.opened",
            now - (place + 1) * DAY,
            f"t{place}",
            entity=f"zendesk:ticket:what-if-{place}",
            properties={"priority": "urgent" if place < 2 else "normal"},
        )
        for place in range(3)
    ]
    overdue = {"entity": "stripe:invoice:what-if", "amount": Decimal(300), "currency": "EUR"}
    return [*found, _event(account, "invoice.overdue", now - 3 * DAY, "i", **overdue)]


def _event(account, kind, at, key, **more):
    when = datetime.fromtimestamp(at, UTC)
    return Event(id=f"{account}:{key}", kind=kind, account=account, connection="zendesk", occurred_at=when, **more)
