"""All customers valued at once: what was learned of them together, and what each will bring.

A customer that has had a subscription is valued by what it pays a month and by its risk; any other by what it bought.
Money of different currencies is never added: who paid in two is valued in each, and each currency is learned by
itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec
import numpy as np
from sqlalchemy import Connection, or_, select

from hub.store import schema
from scoring.clock import DAY
from scoring.outcome import Outcome
from scoring.value import contracts, orders
from scoring.value.coming import Pace
from scoring.value.model import Contracts, Learned, Valuation, Worth
from scoring.value.proof import held_out
from scoring.value.purchases import FEWEST, FEWEST_BACK, Book, Sales, archived, collect, enough, history
from scoring.value.settings import Valuing
from scoring.value.spending import Spend

_MOST_PROVEN: Final = 20_000  # customers whose past is held out; more prove no more
_CHUNK: Final = 2_000  # customers, between two looks at whether to stop
STARTS: Final = ("subscription.started", "subscription.resumed")
ENDS: Final = ("subscription.cancelled",)


class _Paying(NamedTuple):
    account: str
    mrr: float
    currency: str
    risk: float | None


class Valuer:
    """Reads what is known, learns from it, and values everybody.

    Args:
        valuing: how.
        outcome: whose horizon risks are of.
        base_rate: share of customers lost within it, before anything is known.
        now: unix seconds, of customers' time.
        version: what it is to be called.
    """

    def __init__(self, valuing: Valuing, outcome: Outcome, base_rate: float, now: float, version: int) -> None:
        self._valuing, self._base_rate, self._now = valuing, base_rate, now
        self._horizon = outcome.horizon / DAY
        self._version = version
        self._books: dict[str, Book] = {}
        self._left: frozenset[str] = frozenset()
        self._paying: list[_Paying] = []
        self._stayed: dict[str, float] = {}

    def learn(self, connection: Connection, halted: Callable[[], bool]) -> Valuation | None:
        """Read the archive and the profiles, and learn what they tell of all customers; None if halted meanwhile."""
        ours = self._valuing
        subscribers = self._subscribers(connection)
        sales = Sales(ours.purchases, ours.refunds)
        if not collect(connection, sales, self._now, frozenset(subscribers), halted):
            return None
        self._books = sales.books
        self._left = _left(connection)
        return Valuation(
            self._version,
            self._now,
            ours.days,
            ours.discount,
            ours.interval,
            {currency: self._orders(book) for currency, book in sorted(sales.books.items())},
            self._contracts(connection, subscribers),
            sales.unreadable,
        )

    def worths(self, learned: Valuation) -> Iterator[list[Worth]]:
        """Everybody who bought or has a subscription, some at a time; not those who left."""
        for currency, book in self._books.items():
            here = {account: days for account, days in book.items() if account not in self._left}
            names = sorted(here)
            for first in range(0, len(names), _CHUNK):
                some = {account: here[account] for account in names[first : first + _CHUNK]}
                yield order_worths(learned, currency, some)
        for first in range(0, len(self._paying), _CHUNK):
            yield self._contract_worths(learned, self._paying[first : first + _CHUNK])

    def _orders(self, book: Book) -> Learned:
        known = history(book, self._now / DAY)
        customers, back = len(known.times), int((known.pasts.again > 0.0).sum())
        if not enough(known):
            return Learned(customers=customers, back=back)
        numbers = orders.fitted(known)
        proven = held_out(_some(book), self._now / DAY, self._valuing.days, self._valuing.interval)
        shares, proof = proven or ([self._valuing.interval] * len(orders.GROUPS), None)
        return Learned(tuple(numbers.pace), tuple(numbers.spend), customers, back, shares, proof)

    def _subscribers(self, connection: Connection) -> dict[str, bool]:
        """Accounts that have had a subscription, and whether one runs; those that pay are kept."""
        p, a = schema.profiles.c, schema.accounts.c
        asked = (
            select(p.account, p.mrr, p.currency, a.risk, a.band)
            .select_from(schema.profiles.join(schema.accounts, a.id == p.account))
            .where(p.mrr.is_not(None), p.merged_into.is_(None))
            .order_by(p.account)
        )
        found: dict[str, bool] = {}
        for row in connection.execute(asked):
            runs = row.mrr > 0.0 and math.isfinite(row.mrr)
            found[row.account] = runs
            if runs and row.band != "left" and row.currency:
                self._paying.append(_Paying(row.account, row.mrr, row.currency, row.risk))
        return found

    def _contracts(self, connection: Connection, subscribers: Mapping[str, bool]) -> Contracts | None:
        if not subscribers:
            return None
        starts, ends = _runs(connection, self._now)
        begun = [account for account in subscribers if account in starts]
        until = [self._now if subscribers[account] else ends.get(account, self._now) for account in begun]
        horizons = [
            max(0.0, end - starts[account]) / DAY / self._horizon for account, end in zip(begun, until, strict=True)
        ]
        self._stayed = dict(zip(begun, horizons, strict=True))
        ended = np.array([not subscribers[account] and account in ends for account in begun], bool)
        return contracts.fitted(np.array(horizons, float), ended, self._base_rate)

    def _contract_worths(self, learned: Valuation, some: list[_Paying]) -> list[Worth]:
        known = [one for one in some if one.risk is not None]
        found = [
            Worth(one.account, one.currency, "contract", mrr=one.mrr, lacking="it has no risk yet: it was never scored")
            for one in some
            if one.risk is None
        ]
        if not known or learned.contracts is None:
            return found
        said = contracts.stream(
            learned.contracts,
            np.array([one.mrr for one in known]),
            np.array([one.risk for one in known], float),
            np.array([self._stayed.get(one.account, 0.0) for one in known]),
            days=learned.days,
            horizon=self._horizon,
            discount=learned.discount,
            interval=learned.interval,
        )
        columns = zip(known, *(column.tolist() for column in said), strict=True)
        return found + [
            Worth(
                one.account,
                one.currency,
                "contract",
                value,
                low,
                high,
                discounted,
                alive=stays,
                mrr=one.mrr,
                risk=one.risk,
            )
            for one, value, low, high, discounted, stays in columns
        ]


def order_worths(learned: Valuation, currency: str, book: Book) -> list[Worth]:
    """What customers with these pasts will bring: by the numbers of a valuation, whoever they are."""
    today = learned.at / DAY
    known = history(book, today)
    fit = learned.orders.get(currency, Learned())
    told = [
        Worth(
            account,
            currency,
            "orders",
            times=int(times),
            since_first=age,
            since_last=age - last,
            spent=spent,
            lacking=_lacking(fit, spent),
        )
        for account, times, last, age, spent in zip(
            known.accounts,
            known.times.tolist(),
            known.pasts.last.tolist(),
            known.pasts.age.tolist(),
            known.spent.tolist(),
            strict=True,
        )
    ]
    valued = np.array([place for place, one in enumerate(told) if not one.lacking], int)
    if not valued.size:
        return told
    some = known.some(valued)
    numbers = orders.Numbers(Pace(*fit.pace), Spend(*fit.spend))
    said = orders.expected(numbers, some, learned.days, learned.discount)
    share = np.array(fit.shares, float)[orders.group(some.times)]
    low, high = orders.narrowest(orders.draws(numbers, some, learned.days), share)
    for n, place in enumerate(valued.tolist()):
        told[place] = msgspec.structs.replace(
            told[place],
            value=float(said.value[n]),
            low=float(low[n]),
            high=float(high[n]),
            discounted=float(said.discounted[n]),
            alive=float(said.alive[n]),
            expected_times=float(said.times[n]),
            each=float(said.each[n]),
        )
    return told


def _lacking(fit: Learned, spent: float) -> str:
    if not fit.pace:
        return (
            f"{fit.customers} customers have bought in this currency and {fit.back} came back: "
            f"it takes {FEWEST}, and {FEWEST_BACK} that did"
        )
    return "" if spent > 0.0 else "all that it paid went back"


def _some(book: Book) -> Book:
    """The whole book, or of a very large one a part that is the same every time."""
    if len(book) <= _MOST_PROVEN:
        return book
    names = sorted(book)
    chosen = np.random.default_rng(0).choice(len(names), _MOST_PROVEN, replace=False)
    return {names[place]: book[names[place]] for place in sorted(chosen.tolist())}


def _left(connection: Connection) -> frozenset[str]:
    """Accounts that are customers no more, or are another one now."""
    a, p = schema.accounts.c, schema.profiles.c
    asked = (
        select(a.id)
        .select_from(schema.accounts.outerjoin(schema.profiles, p.account == a.id))
        .where(or_(a.band == "left", p.merged_into.is_not(None)))
    )
    return frozenset(connection.scalars(asked))


def _runs(connection: Connection, now: float) -> tuple[dict[str, float], dict[str, float]]:
    """When each account's first subscription began and its last one ended, of those the archive knows."""
    starts: dict[str, float] = {}
    ends: dict[str, float] = {}
    for account, at, kind, _ in archived(connection, (*STARTS, *ENDS), now):
        if kind in ENDS:
            ends[account] = max(ends.get(account, at), at)
        else:
            starts[account] = min(starts.get(account, at), at)
    return starts, ends
