"""What customers bought, from the archive: by account and currency, what came and went back on each day.

A day on which more came than went back is one time that a customer came; what goes back on another day makes less of
what it spent. The archive keeps events for as long as setting `archive_days` says: what a customer did before is not
known here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Generator, Iterable, Sequence
from contextlib import closing
from typing import Final

import msgspec
import numpy as np
from sqlalchemy import Connection, select

from hub.store import schema
from scoring.arrays import Floats
from scoring.clock import DAY
from scoring.value.coming import Pasts
from scoring.value.orders import History

FEWEST: Final = 50
"""Customers of a currency, below whom nothing can be said of any ..."""
FEWEST_BACK: Final = 20
"""... and of them those that came back."""
_MOST: Final = 1e12  # of one event: beyond it nobody paid
_CHUNK: Final = 5_000

Book = dict[str, dict[int, float]]
"""account -> day since 1970 -> what came less what went back."""


class _Sale(msgspec.Struct):
    amount: str | float | None = None
    currency: str | None = None


_read: Final = msgspec.json.Decoder(_Sale).decode


class Sales:
    """What happened, added up.

    Args:
        purchases: kinds of events that bring money.
        refunds: kinds by which it goes back.

    Attributes:
        books: by currency.
        unreadable: how many events had no amount, or one that cannot be.
    """

    def __init__(self, purchases: Iterable[str], refunds: Iterable[str]) -> None:
        self._signs = dict.fromkeys(refunds, -1.0) | dict.fromkeys(purchases, 1.0)
        self.books: dict[str, Book] = {}
        self.unreadable = 0

    @property
    def kinds(self) -> list[str]:
        """All that are looked at."""
        return list(self._signs)

    def add(self, account: str, at: float, kind: str, amount: object, currency: str | None) -> None:
        """One event; a purchase of less than nothing is money that went back."""
        try:
            money = float(amount)  # type: ignore[arg-type]  # whatever it is
        except (TypeError, ValueError):
            money = math.nan
        if not abs(money) <= _MOST or not currency:
            self.unreadable += 1
            return
        days = self.books.setdefault(currency, {}).setdefault(account, {})
        day = math.floor(at / DAY)
        days[day] = days.get(day, 0.0) + self._signs[kind] * money


def collect(
    connection: Connection, sales: Sales, now: float, besides: Container[str], halted: Callable[[], bool]
) -> bool:
    """Add up what the archive knows until `now`, but of accounts that are left out; False if halted meanwhile."""
    with closing(archived(connection, sales.kinds, now)) as events:
        for number, (account, at, kind, body) in enumerate(events):
            if number % _CHUNK == 0 and halted():
                return False
            if account not in besides:
                said = _read(body)
                sales.add(account, at, kind, said.amount, said.currency)
    return True


def archived(
    connection: Connection, kinds: Sequence[str], now: float
) -> Generator[tuple[str, float, str, bytes], None, None]:
    """Account, time, kind and body of archived events of such kinds until `now`, in no order."""
    table = schema.archive
    asked = (
        select(table.c.account, table.c.occurred_at, table.c.kind, table.c.body)
        .where(table.c.kind.in_(kinds), table.c.occurred_at <= now)
        .execution_options(yield_per=_CHUNK)
    )
    with connection.execute(asked) as rows:  # closed also where somebody stops half-way
        for row in rows:
            yield row[0], row[1], row[2], row[3]


def history(book: Book, today: float) -> History:
    """What is known of those who have bought by the beginning of `today`, in days since 1970."""
    rows: list[tuple[float, float, float, float, float]] = []
    accounts: list[str] = []
    for account in sorted(book):
        known = {day: money for day, money in book[account].items() if day < today}
        bought = [day for day, money in known.items() if money > 0.0]
        if not bought:
            continue
        first, last = min(bought), max(bought)
        times = float(len(bought))
        accounts.append(account)
        rows.append((times - 1.0, float(last - first), max(today - first, last - first), times, sum(known.values())))
    columns = np.array(rows, float).reshape(-1, 5).T
    return History(accounts, Pasts(*columns[:3]), columns[3], columns[4])


def enough(known: History) -> bool:
    """Whether anything can be said of customers like these."""
    paid = known.spent > 0.0
    return bool(paid.sum() >= FEWEST and (paid & (known.pasts.again > 0.0)).sum() >= FEWEST_BACK)


def came(book: Book, accounts: Sequence[str], since: float, until: float) -> Floats:
    """(n,) what came from these accounts on days in [since, until), less what went back."""
    return np.array(
        [sum(money for day, money in book[account].items() if since <= day < until) for account in accounts], float
    )
