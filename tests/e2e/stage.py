"""The world around a hub: the vendors' stand-ins answering on sockets, an inbox, and what happens there."""

import contextlib
import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hub import Event
from hub.demo.inbox import Inbox
from hub.demo.vendors import Vendors
from hub.registry import Registry


class World:
    """Stand-in vendors by name, an inbox, and the settings of a hub among them."""

    def __init__(self, inbox):
        self.sandboxes = {one.vendor: one for one in Registry().sandboxes()}
        self.vendors = Vendors(list(self.sandboxes.values()))
        self.inbox = inbox
        self._count = itertools.count(1)

    @property
    def settings(self):
        return self.vendors.settings() | {
            "PULSEHUB_SMTP_URL": self.inbox.smtp_url,
            "PULSEHUB_MAIL_FROM": "Pulsehub <health@pulsehub.example>",
        }

    def told(self, vendor, *events):
        """The webhooks one vendor sends for these."""
        return [ping for event in events for ping in self.sandboxes[vendor].happen(event)]

    def event(self, kind, ago=timedelta(), **facts):
        """Something at Northwind, `ago` before now."""
        at = (datetime.now(UTC) - ago).replace(microsecond=0)
        return Event(id=f"world-{next(self._count)}", kind=kind, account="northwind", occurred_at=at, **facts)

    def founding(self):
        """A customer as all four vendors know it, who has not been seen for three weeks: vendor -> webhooks."""
        ada = "ada@northwind.example"
        facts = {
            "name": "Northwind Logistics",
            "domain": "northwind.example",
            "external_id": "northwind",
            "owner": "Mira Solberg",
            "owner_email": "mira@pulsehub.example",
            "plan": "team",
        }
        known = self.event("account.updated", timedelta(days=60), properties=facts)
        paying = self.event(
            "subscription.started",
            timedelta(days=60),
            entity="sub-northwind",
            amount=Decimal(900),
            currency="USD",
            properties={"plan": "team"},
        )
        person = self.event(
            "contact.identified",
            timedelta(days=60),
            contact=ada,
            properties={"email": ada, "contact_name": "Ada King", "domain": "northwind.example"},
        )
        use = [
            self.event("usage.tracked", timedelta(days=days), contact=ada, properties={"event": "Report Viewed"})
            for days in range(21, 36)
        ]
        return {
            "salesforce": self.told("salesforce", known),
            "zendesk": self.told("zendesk", known),
            "stripe": self.told("stripe", known, paying),
            "segment": self.sandboxes["segment"].happen_many([known, person, *use]),
        }

    def trouble(self):
        """A very bad hour: urgent tickets, an escalation, an angry rating, money that does not come, a lost renewal."""
        ticket = {"contact": "ada@northwind.example", "properties": {"priority": "urgent"}}
        text = "Nothing loads since this morning."
        tickets = [self.event("ticket.opened", entity=f"ticket-{n}", value=4.0, text=text, **ticket) for n in range(9)]
        angry = [
            self.event("ticket.escalated", entity="ticket-0", properties={"priority": "urgent"}),
            self.event("csat.rated", entity="ticket-1", contact=ticket["contact"], value=0.0, text="Still broken."),
        ]
        money = {"amount": Decimal(900), "currency": "USD"}
        unpaid = [
            self.event(kind, entity=f"inv-{number}", **money)
            for number in range(3)
            for kind in ("invoice.failed", "invoice.overdue")
        ]
        disputed = self.event("dispute.opened", entity="inv-0", **money)
        lost = self.event("opportunity.lost", entity="renewal-northwind", properties={"name": "Renewal"}, **money)
        return {
            "salesforce": self.told("salesforce", lost),
            "zendesk": self.told("zendesk", *tickets, *angry),
            "stripe": self.told("stripe", *unpaid, disputed),
        }


@contextlib.contextmanager
def world():
    """A world that answers."""
    with Inbox() as inbox:
        made = World(inbox)
        with made.vendors:
            yield made
