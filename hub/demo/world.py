"""A world of companies, each with a hidden state of mind that drives what it does.

A company's mood wanders: it is pulled towards where its fate wants it and shaken by what happens (an outage, a
champion who leaves, a good onboarding). Mood is never told to the hub. It shows only as it does in life: in how much
people use the product, how urgent their tickets are, whether invoices are paid, and in the end whether they stay.

Everything is a neutral `hub.Event` with bare keys; a vendor's sandbox turns it into that vendor's signed payload. The
same seed and start give the same events with the same ids, so a demo that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Final

from hub.demo import names
from hub.sdk.events import Event, Scalar

DAY: Final = timedelta(days=1)
PRIORITY: Final[dict[str, float]] = {"low": 0.5, "normal": 1.0, "high": 2.0, "urgent": 4.0}
_MONTH: Final = 30
_LEAVING: Final = 0.03  # chance a day to leave, in the worst mood
_HUSHED: Final = (0, 4, 8, 11, 13)  # days after the first silence when another customer falls silent


@dataclass(slots=True)
class Ticket:
    """A ticket that waits."""

    key: str
    contact: str
    priority: str
    due: datetime


@dataclass(slots=True)
class Company:
    """A customer, and the mood nobody sees."""

    key: str
    name: str
    domain: str
    owner: tuple[str, str]
    people: list[tuple[str, str]]
    seats: int
    price: Decimal
    plan: str
    renewal: datetime
    billing_day: int
    fate: float
    mood: float
    gone: bool = False
    tickets: list[Ticket] = field(default_factory=list)

    @property
    def keenness(self) -> float:
        """0 to 1: what a day's use is of what it could be."""
        return 1 / (1 + math.exp(-2.2 * self.mood))


class World:
    """Companies and their days.

    Args:
        start: when its history begins; aware.
        companies: how many there are, at most 450.
        seed: of all chance in it.
        hush: when a customer falls silent, and stays, and some more in the days after: every book has such, and a bad
            hour fells them.
    """

    def __init__(self, start: datetime, companies: int = 200, seed: int = 7, hush: datetime | None = None) -> None:
        self.start = start
        self._chance = Random(seed)  # noqa: S311 - a story, not a secret
        self._count = itertools.count(1)
        pairs = list(itertools.product(names.FIRST, names.SECOND))
        self._chance.shuffle(pairs)
        self.companies = [self._company(" ".join(pair), start) for pair in pairs[:companies]]
        last = zip(_HUSHED, reversed(self.companies), strict=False)
        self._silent = {company.key: hush + days * DAY for days, company in last} if hush else {}

    def founding(self) -> Iterator[Event]:
        """What every vendor knows before the first day: who the customers and their people are, and what they pay."""
        for company in self.companies:
            yield self._event(company, "account.updated", self.start, self._facts(company))
            yield self._money(
                company, "subscription.started", self.start, entity=f"sub-{company.key}", plan=company.plan
            )
            for key, name in company.people:
                yield self._event(company, "contact.identified", self.start, _person(company, key, name), contact=key)

    def day(self, begin: datetime) -> list[Event]:
        """Everything that happens in the 24 hours from `begin`, in order of time."""
        happened = [event for company in self.companies if not company.gone for event in self._live(company, begin)]
        return sorted(happened, key=lambda event: event.occurred_at)

    def moment(self, now: datetime) -> list[Event]:
        """A few things that happen now: a live world that is worth watching."""
        here = [company for company in self.companies if not company.gone and company.key not in self._silent]
        chosen = self._chance.sample(here, k=min(len(here), 3))
        happened = [event for company in chosen for event in self._use(company, now, now)]
        turn = self._chance.random()
        company = self._chance.choice(here)
        if turn < 0.06:  # noqa: PLR2004 - a story's pace
            happened += self._crisis(company, now)
        elif turn < 0.12:  # noqa: PLR2004 - a story's pace
            happened += self._recovery(company, now)
        return happened

    def bad_hour(self, key: str, now: datetime) -> list[Event]:
        """One company's very bad hour: urgent tickets, angry ratings, unpaid bills, and its champions leave."""
        company = next(one for one in self.companies if one.key == key)
        forgotten = self._ask(company, now - timedelta(days=20), "urgent")  # told only now, and never answered
        events = [forgotten, *(event for _ in range(2) for event in self._crisis(company, now))]
        for ticket in company.tickets[-3:]:
            events.append(self._event(company, "ticket.escalated", now, {"priority": "urgent"}, entity=ticket.key))
            how = names.ANGER[0]
            events.append(
                self._event(company, "csat.rated", now, entity=ticket.key, contact=ticket.contact, value=0.0, text=how)
            )
        bill = f"inv-{company.key}-{now:%Y%m%d%H%M%S}"
        events += [self._money(company, "invoice.overdue", now, entity=f"{bill}{part}") for part in ("", "-2", "-3")]
        events += [self._money(company, "invoice.failed", now, entity=f"{bill}{part}") for part in ("-2", "-3")]
        events.append(self._money(company, "dispute.opened", now, entity=f"dispute-{bill}"))
        events += [self._event(company, "contact.left", now, contact=person) for person, _ in company.people[:2]]
        events.append(self._money(company, "opportunity.lost", now, entity=f"opp-{bill}"))
        return events

    # --- a company's day ----------------------------------------------------------------------------------------

    def _live(self, company: Company, begin: datetime) -> Iterator[Event]:
        chance = self._chance
        if company.key in self._silent and begin >= self._silent[company.key]:
            yield from self._billing(company, begin)
            return
        company.mood += 0.06 * (company.fate - company.mood) + chance.gauss(0, 0.09)
        if chance.random() < 0.004:  # noqa: PLR2004 - an outage, or a champion who leaves
            company.mood -= chance.uniform(0.6, 1.3)
            company.fate -= 0.35
        if begin.weekday() < 5:  # noqa: PLR2004 - offices are closed on weekends
            yield from self._use(company, begin, begin + DAY)
        yield from self._support(company, begin)
        yield from self._billing(company, begin)
        yield from self._relationship(company, begin)
        if company.key not in self._silent and chance.random() < _LEAVING * (1 - company.keenness) ** 3:
            company.gone = True
            at = begin + timedelta(hours=20)
            yield self._money(company, "subscription.cancelled", at, entity=f"sub-{company.key}", plan=company.plan)

    def _use(self, company: Company, begin: datetime, end: datetime) -> Iterator[Event]:
        busy = company.keenness * math.sqrt(company.seats) / 2
        for _ in range(min(12, self._poisson(busy)) or int(begin == end)):
            key, name = self._chance.choice(company.people)
            at = begin if begin == end else begin + timedelta(seconds=self._chance.uniform(8, 18) * 3600)
            if self._chance.random() < 0.3:  # noqa: PLR2004 - most people stay logged in
                yield self._event(company, "session.started", at, _person(company, key, name), contact=key)
            else:
                feature = self._chance.choice(names.FEATURES)
                yield self._event(company, "usage.tracked", at, {"event": feature}, contact=key)

    def _support(self, company: Company, begin: datetime) -> Iterator[Event]:
        for ticket in [t for t in company.tickets if t.due < begin + DAY]:
            company.tickets.remove(ticket)
            yield from self._solve(company, ticket, max(ticket.due, begin))
        for _ in range(self._poisson(0.03 + 0.16 * (1 - company.keenness))):
            at = begin + timedelta(seconds=self._chance.uniform(8, 17) * 3600)
            yield self._ask(company, at, self._priority(company))

    def _billing(self, company: Company, begin: datetime) -> Iterator[Event]:
        day = (begin - self.start).days
        if day % _MONTH == company.billing_day:
            at, bill = begin + timedelta(hours=9), f"inv-{company.key}-{day // _MONTH}"
            if self._chance.random() < 0.35 * (1 - company.keenness) ** 2:
                yield self._money(company, "invoice.failed", at, entity=bill)
                company.mood -= 0.1
                if self._chance.random() < 0.5:  # noqa: PLR2004 - half of them pay at the second attempt
                    yield self._money(company, "invoice.overdue", at + timedelta(hours=6), entity=bill)
                    return
            yield self._money(company, "invoice.paid", at + timedelta(hours=7), entity=bill)

    def _relationship(self, company: Company, begin: datetime) -> Iterator[Event]:
        if self._chance.random() < 0.012 + 0.02 * company.keenness:
            key, _ = self._chance.choice(company.people)
            yield self._event(company, "meeting.held", begin + timedelta(hours=14), contact=key)
            company.mood += 0.1
        if begin <= company.renewal < begin + DAY:
            deal = f"renewal-{company.key}-{company.renewal:%Y}"
            company.renewal += timedelta(days=365)
            won = self._chance.random() < 0.25 + 0.75 * company.keenness
            kind = "opportunity.won" if won else "opportunity.lost"
            yield self._money(company, kind, begin + timedelta(hours=15), entity=deal, name="Renewal")
            if won:
                yield self._event(company, "account.updated", begin + timedelta(hours=16), self._facts(company))
            else:
                company.fate -= 1.0

    # --- what a live demo shows ---------------------------------------------------------------------------------

    def _crisis(self, company: Company, now: datetime) -> Iterator[Event]:
        company.mood, company.fate = -1.8, company.fate - 0.5
        for _ in range(3):
            yield self._ask(company, now, "urgent")
        yield self._money(company, "invoice.failed", now, entity=f"inv-{company.key}-{now:%Y%m%d%H%M}")

    def _recovery(self, company: Company, now: datetime) -> Iterator[Event]:
        company.mood, company.fate = 0.9, 0.8
        for ticket in company.tickets:
            yield from self._solve(company, ticket, now)
        company.tickets.clear()
        yield self._money(company, "invoice.paid", now, entity=f"inv-{company.key}-{now:%Y%m%d%H%M}")
        yield self._event(company, "meeting.held", now, contact=company.people[0][0])

    # --- sentences ----------------------------------------------------------------------------------------------

    def _ask(self, company: Company, at: datetime, priority: str) -> Event:
        key, _ = self._chance.choice(company.people)
        patience = timedelta(hours=self._chance.expovariate(1 / (10 + 90 * (1 - company.keenness))))
        ticket = Ticket(f"ticket-{company.key}-{next(self._count)}", key, priority, at + patience + timedelta(hours=1))
        company.tickets.append(ticket)
        company.mood -= 0.012 * PRIORITY[priority]
        text = self._chance.choice(names.TROUBLES if priority in {"urgent", "high"} else names.QUESTIONS)
        return self._event(
            company,
            "ticket.opened",
            at,
            {"priority": priority},
            entity=ticket.key,
            contact=key,
            value=PRIORITY[priority],
            text=text,
        )

    def _solve(self, company: Company, ticket: Ticket, at: datetime) -> Iterator[Event]:
        yield self._event(company, "ticket.solved", at, entity=ticket.key, contact=ticket.contact)
        if self._chance.random() < 0.35:  # noqa: PLR2004 - few people answer surveys
            happy = self._chance.random() < company.keenness
            yield self._event(
                company,
                "csat.rated",
                at + timedelta(minutes=30),
                entity=ticket.key,
                contact=ticket.contact,
                value=1.0 if happy else 0.0,
                text=self._chance.choice(names.THANKS if happy else names.ANGER),
            )

    def _priority(self, company: Company) -> str:
        gloom = 1 - company.keenness
        return self._chance.choices(list(PRIORITY), [2, 5, 1 + 4 * gloom, 0.2 + 4 * gloom])[0]

    def _event(
        self,
        company: Company,
        kind: str,
        at: datetime,
        properties: dict[str, Scalar] | None = None,
        *,
        entity: str | None = None,
        contact: str | None = None,
        value: float | None = None,
        text: str | None = None,
    ) -> Event:
        return Event(
            id=f"world-{next(self._count)}",
            kind=kind,
            account=company.key,
            occurred_at=at.replace(microsecond=0),
            entity=entity,
            contact=contact,
            value=value,
            text=text,
            properties=properties or {},
        )

    def _money(self, company: Company, kind: str, at: datetime, *, entity: str, **properties: Scalar) -> Event:
        return Event(
            id=f"world-{next(self._count)}",
            kind=kind,
            account=company.key,
            occurred_at=at.replace(microsecond=0),
            entity=entity,
            amount=company.price,
            currency="USD",
            properties=properties,
        )

    def _facts(self, company: Company) -> dict[str, Scalar]:
        owner, email = company.owner
        return {
            "name": company.name,
            "domain": company.domain,
            "external_id": company.key,
            "owner": owner,
            "owner_email": email,
            "plan": company.plan,
            "renewal_on": f"{company.renewal:%Y-%m-%d}",
        }

    def _company(self, name: str, start: datetime) -> Company:
        chance = self._chance
        key = name.lower().replace(" ", "-")
        domain = f"{key}.example"
        seats = int(chance.lognormvariate(2.6, 0.8)) + 2
        people = chance.sample(list(itertools.product(names.GIVEN, names.FAMILY)), k=min(3 + seats // 8, 9))
        fate = chance.gauss(0.7, 0.7)
        return Company(
            key=key,
            name=name,
            domain=domain,
            owner=chance.choice(names.OWNERS),
            people=[(f"{given.lower()}.{family.lower()}@{domain}", f"{given} {family}") for given, family in people],
            seats=seats,
            price=Decimal(seats * chance.choice((19, 29, 49))),
            plan=chance.choice(("starter", "team", "business")),
            renewal=start + timedelta(days=chance.randrange(20, 360)),
            billing_day=chance.randrange(28),
            fate=fate,
            mood=fate + chance.gauss(0, 0.3),
        )

    def _poisson(self, mean: float) -> int:
        limit, product, times = math.exp(-mean), self._chance.random(), 0
        while product > limit:
            product *= self._chance.random()
            times += 1
        return times


def _person(company: Company, key: str, name: str) -> dict[str, Scalar]:
    return {"email": key, "contact_name": name, "domain": company.domain}


def midnight(days_ago: int, now: datetime) -> datetime:
    """The beginning of the UTC day `days_ago` days before `now`."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - days_ago * DAY
