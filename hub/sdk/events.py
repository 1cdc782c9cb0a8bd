"""Something that happened to a customer, in our words.

Times are aware datetimes in UTC, money is `Decimal` with its ISO 4217 currency, references and ids begin with
the name of the connection they came from (`zendesk:organization:42`), so that two Zendesks never collide.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

Scalar = str | int | float | bool | None

KINDS: Final[dict[str, str]] = {
    "account.updated": "what a customer is called, worth and owned by",
    "account.deleted": "the vendor no longer knows this customer",
    "contact.updated": "a person's name, address or role",
    "contact.left": "a person is no longer there",
    "owner.changed": "another of us looks after this customer",
    "opportunity.updated": "a deal moved",
    "opportunity.won": "a deal was won",
    "opportunity.lost": "a deal was lost",
    "contract.renewed": "the customer signed again",
    "ticket.opened": "the customer asked for help",
    "ticket.replied": "somebody wrote in a ticket",
    "ticket.escalated": "a ticket became more urgent",
    "ticket.solved": "a ticket was solved",
    "ticket.reopened": "a solved ticket came back",
    "csat.rated": "the customer rated our help",
    "subscription.started": "the customer began to pay",
    "subscription.changed": "what the customer pays each month changed",
    "subscription.paused": "billing is paused",
    "subscription.resumed": "billing goes on",
    "subscription.cancelled": "the customer left",
    "trial.ending": "a trial ends in a few days",
    "invoice.paid": "an invoice was paid",
    "invoice.failed": "a payment failed",
    "invoice.overdue": "an invoice is late",
    "invoice.voided": "an invoice was withdrawn",
    "refund.issued": "money went back",
    "dispute.opened": "the customer's bank disputes a charge",
    "usage.tracked": "somebody did something in the product",
    "session.started": "somebody came to the product",
    "contact.identified": "the product learned who somebody is",
    "survey.answered": "a survey (nps, csat or ces) was answered",
    "meeting.held": "we met",
    "email.received": "the customer wrote to us",
    "note.logged": "one of us wrote something down",
    "milestone.reached": "a goal of the customer's plan was reached",
    "health.overridden": "a person set the health by hand",
    "account.merged": "two accounts turned out to be one",
}


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened, once.

    Attributes:
        id: made of facts, so that a webhook and a backfill of the same thing agree and a second solving of the
            same ticket differs (`zendesk:ticket:42:solved:2026-03-01T10:00:00Z`). 1 to 255 characters.
        kind: `subject.past_tense`; one of `KINDS`, or a plugin's own.
        account: the vendor's reference of the customer, `zendesk:organization:42`; the door resolves it to one of
            our accounts. Where the vendor names only a person, the person's reference.
        occurred_at: when it happened, by the vendor's clock; aware.
        connection: the configured source it came through; the door fills it in.
        received_at: when the door took it; the door fills it in.
        entity: the thing it is about: `zendesk:ticket:42`, `stripe:subscription:sub_1`.
        contact: the person it is about: `segment:user:u1`.
        amount: money, in units of `currency` (never in cents).
        currency: ISO 4217, upper case; given whenever `amount` is.
        value: a number without a currency: a rating, a priority's weight, a count.
        text: what a person wrote; the only field that sentiment reads.
        properties: flat facts. These names mean the same everywhere and feed identity and profiles: `name`,
            `domain` (the customer's web domain), `email` and `contact_name` (the person's), `external_id` (the key
            under which *you* know the customer in every system), `owner`, `owner_email`, `parent` (a reference),
            `renewal_on` (ISO date), `priority`, `plan`, `status`.
    """

    id: str
    kind: str
    account: str
    occurred_at: datetime
    connection: str = ""
    received_at: datetime | None = None
    entity: str | None = None
    contact: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    value: float | None = None
    text: str | None = None
    properties: dict[str, Scalar] = msgspec.field(default_factory=dict)
