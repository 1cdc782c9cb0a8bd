"""From Stripe's event types to our kinds.

Ids: what can happen to a thing only once is named by the thing (`stripe:in_1:paid`), so that Stripe's two events about
one payment count once and a list of old invoices agrees with the webhooks; everything else by its event
(`stripe:evt_1`), on which webhooks and `GET /v1/events` agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from pydantic import BaseModel

import hub
from plugins.stripe import mrr
from plugins.stripe.money import units
from plugins.stripe.periods import changed, new_period, period
from plugins.stripe.shapes import Charge, Customer, Dispute, Happening, Invoice, Subscription, Thing

M = TypeVar("M", bound=BaseModel)

LONGEST_WORD: Final = 40
PENDING: Final = ("incomplete", "incomplete_expired")
"""Statuses of a subscription whose first payment has not come."""


@dataclass(frozen=True, slots=True)
class News:
    """One happening with what all of its readings need."""

    event: Happening
    at: datetime
    body: Mapping[str, Any]
    before: Mapping[str, Any]

    def read(self, shape: type[M]) -> M:
        """The object, as this shape."""
        return shape.model_validate(self.body)


class Words:
    """What one connection says of Stripe's news. Pure.

    Args:
        connection: what ids and references begin with.
        external_id_key: metadata key of the customer's key.
    """

    def __init__(self, connection: str, external_id_key: str) -> None:
        self._name = connection
        self._key = external_id_key
        self._readings: Mapping[str, Callable[[News], hub.Event]] = {
            "customer.created": self._customer,
            "customer.updated": self._customer,
            "customer.deleted": self._customer_gone,
            "customer.subscription.created": self._subscribed,
            "customer.subscription.updated": self._resubscribed,
            "customer.subscription.deleted": self._unsubscribed,
            "customer.subscription.paused": lambda news: self._subscription(news, "subscription.paused"),
            "customer.subscription.resumed": lambda news: self._subscription(news, "subscription.resumed"),
            "customer.subscription.trial_will_end": self._trial,
            "invoice.paid": self._paid,
            "invoice.payment_failed": self._failed,
            "invoice.overdue": self._overdue,
            "invoice.voided": self._voided,
            "charge.refunded": self._refunded,
            "charge.dispute.created": self._disputed,
        }

    def say(self, event: Happening, at: datetime) -> hub.Event:
        """The one event that a happening is.

        Raises:
            pydantic.ValidationError: the object is not what its type says.
            ArithmeticError: an amount is beyond counting.
        """
        if event.data is None:
            return self._thin(event, at)
        news = News(event, at, event.data.object, event.data.previous_attributes or {})
        return self._readings.get(event.type, self._other)(news)

    def _customer(self, news: News) -> hub.Event:
        customer = news.read(Customer)
        return self._event(
            news,
            customer,
            "account.updated",
            account=self._ref("customer", customer.id),
            properties=_known(
                name=customer.name or customer.description,
                email=customer.email,
                delinquent=customer.delinquent,
            ),
        )

    def _customer_gone(self, news: News) -> hub.Event:
        customer = news.read(Customer)
        return self._event(
            news,
            customer,
            "account.deleted",
            account=self._ref("customer", customer.id),
            id=f"{self._name}:{customer.id}:deleted",
        )

    def _subscribed(self, news: News) -> hub.Event:
        if news.body.get("status") in PENDING:
            return self._other(news)
        return self._started(news)

    def _started(self, news: News) -> hub.Event:
        subscription = news.read(Subscription)
        once = f"{self._name}:{subscription.id}:started"
        return self._subscription(news, "subscription.started", id=once, **_mrr(subscription))

    def _resubscribed(self, news: News) -> hub.Event:
        subscription = news.read(Subscription)
        if news.before.get("status") in PENDING and subscription.status not in PENDING:
            return self._started(news)
        if "pause_collection" in news.before:
            resumed = news.body.get("pause_collection") is None
            return self._subscription(news, "subscription.resumed" if resumed else "subscription.paused")
        if (start := new_period(subscription, news.before)) and mrr.interval(subscription) == "year":
            once = f"{self._name}:{subscription.id}:renewed:{start}"
            return self._subscription(news, "contract.renewed", id=once, **_price(subscription))
        if not changed(news.body, news.before):
            return self._other(news)
        return self._subscription(news, "subscription.changed", **_mrr(subscription))

    def _unsubscribed(self, news: News) -> hub.Event:
        subscription = news.read(Subscription)
        said = subscription.cancellation_details
        return self._subscription(
            news,
            "subscription.cancelled",
            id=f"{self._name}:{subscription.id}:cancelled",
            text=said.comment if said else None,
            facts=_known(feedback=said.feedback, reason=said.reason) if said else {},
        )

    def _trial(self, news: News) -> hub.Event:
        subscription = news.read(Subscription)
        ends = subscription.trial_end
        once = f"{self._name}:{subscription.id}:trial_ending:{ends}" if ends else None
        return self._subscription(news, "trial.ending", id=once, facts=_known(trial_ends_on=_date(ends)))

    def _subscription(
        self,
        news: News,
        kind: str,
        *,
        facts: Mapping[str, hub.Scalar] | None = None,
        **parts: Any,
    ) -> hub.Event:
        subscription = news.read(Subscription)
        price = next((item.price or item.plan for item in mrr.lines(subscription) if item.price or item.plan), None)
        return self._event(
            news,
            subscription,
            kind,
            properties=_known(
                status=subscription.status,
                plan=(price.nickname or price.lookup_key or price.id) if price else None,
                # what ends each month is no renewal anybody decides about
                renewal_on=_date(period(subscription)[1]) if mrr.interval(subscription) == "year" else None,
                cancel_at_period_end=subscription.cancel_at_period_end or None,
            )
            | dict(facts or {}),
            **parts,
        )

    def _paid(self, news: News) -> hub.Event:
        invoice = news.read(Invoice)
        once = f"{self._name}:{invoice.id}:paid" if invoice.id else None
        return self._invoice(news, invoice, "invoice.paid", invoice.amount_paid, id=once)

    def _failed(self, news: News) -> hub.Event:
        invoice = news.read(Invoice)
        left = invoice.amount_due if invoice.amount_remaining is None else invoice.amount_remaining
        return self._invoice(news, invoice, "invoice.failed", left)

    def _overdue(self, news: News) -> hub.Event:
        invoice = news.read(Invoice)
        left = invoice.amount_due if invoice.amount_remaining is None else invoice.amount_remaining
        once = f"{self._name}:{invoice.id}:overdue:{invoice.due_date}" if invoice.id and invoice.due_date else None
        return self._invoice(news, invoice, "invoice.overdue", left, id=once)

    def _voided(self, news: News) -> hub.Event:
        invoice = news.read(Invoice)
        once = f"{self._name}:{invoice.id}:voided" if invoice.id else None
        return self._invoice(news, invoice, "invoice.voided", invoice.amount_due, id=once)

    def _invoice(self, news: News, invoice: Invoice, kind: str, amount: int | None, **parts: Any) -> hub.Event:
        return self._event(
            news,
            invoice,
            kind,
            properties=_known(
                attempt=invoice.attempt_count,
                email=invoice.customer_email,
                subscription=self._ref("subscription", invoice.pays_for) if invoice.pays_for else None,
            ),
            **_money(amount, invoice.currency),
            **parts,
        )

    def _refunded(self, news: News) -> hub.Event:
        charge = news.read(Charge)
        before = news.before.get("amount_refunded")
        before = before if isinstance(before, int) and 0 <= before <= charge.amount_refunded else 0
        # `amount_refunded` is the sum so far: it tells a second refund of the charge from a repeat of the first
        once = f"{self._name}:{charge.id}:refunded:{charge.amount_refunded}" if charge.id else None
        return self._event(
            news,
            charge,
            "refund.issued",
            id=once,
            properties=_known(invoice=self._ref("invoice", charge.invoice) if charge.invoice else None),
            **_money(charge.amount_refunded - before, charge.currency),
        )

    def _disputed(self, news: News) -> hub.Event:
        dispute = news.read(Dispute)
        once = f"{self._name}:{dispute.id}:opened" if dispute.id else None
        return self._event(news, dispute, "dispute.opened", id=once, **_money(dispute.amount, dispute.currency))

    def _other(self, news: News) -> hub.Event:
        """What we have no word for: stored and counted under its own, with its money where it has some."""
        thing = news.read(Thing)
        amount = next((a for name in ("amount_due", "amount") if _is_cents(a := news.body.get(name))), None)
        facts = _known(type=_plain(news.event.type), status=thing.status)
        return self._event(news, thing, _own_kind(news.event.type), properties=facts, **_money(amount, thing.currency))

    def _thin(self, event: Happening, at: datetime) -> hub.Event:
        """A thin event says only what it is about: what became of it has to be asked for."""
        about = event.related_object
        kind = about.type.rpartition(".")[2] if about else ""
        entity = self._ref(kind, about.id) if about else None
        return hub.Event(
            id=f"{self._name}:{event.id}",
            kind=_own_kind(event.type),
            account=entity if entity and kind == "customer" else self._nobody(event),
            occurred_at=at,
            entity=entity,
            properties={"type": _plain(event.type)},
        )

    def _event(
        self,
        news: News,
        thing: Thing,
        kind: str,
        *,
        id: str | None = None,  # noqa: A002 - the field's name
        account: str | None = None,
        properties: Mapping[str, hub.Scalar] | None = None,
        **parts: Any,
    ) -> hub.Event:
        dispute = news.read(Dispute) if news.event.type.startswith("charge.dispute.") else None
        facts = dict(properties or {})
        # a subscription's own metadata may hold a key of the same name that names the subscription
        key = (thing.metadata or {}).get(self._key) if thing.object in ("customer", "dispute") else None
        if isinstance(key, str | int) and not isinstance(key, bool) and str(key).strip("\0 "):
            facts["external_id"] = str(key).replace("\0", "").strip()[:200]
        if dispute and dispute.evidence:
            facts |= _known(email=dispute.evidence.customer_email_address)
        return hub.Event(
            id=id or f"{self._name}:{news.event.id}",
            kind=kind,
            account=account or self._whose(news.event, thing, dispute),
            occurred_at=news.at,
            entity=self._ref(thing.object, thing.id) if thing.id else None,
            properties=facts,
            **parts,
        )

    def _whose(self, event: Happening, thing: Thing, dispute: Dispute | None) -> str:
        if thing.customer:
            return self._ref("customer", thing.customer)
        if dispute and isinstance(dispute.charge, Charge) and dispute.charge.customer:
            return self._ref("customer", dispute.charge.customer)
        if dispute and isinstance(dispute.charge, str):
            return self._ref("charge", dispute.charge)
        return self._nobody(event)

    def _nobody(self, event: Happening) -> str:
        """What belongs to no customer (a payout, a price) is filed under the Stripe account itself."""
        return self._ref("account", event.account or "own")

    def _ref(self, what: str, key: str) -> str:
        word = re.sub(r"[^a-z0-9_]+", "_", what.lower())[:30] or "object"
        return f"{self._name}:{word}:{key}"


def _known(**facts: hub.Scalar) -> dict[str, hub.Scalar]:
    return {name: fact for name, fact in facts.items() if fact is not None}


def _own_kind(kind: str) -> str:
    """Stripe's word for it, cut to what a kind may have; the property `type` has it whole."""
    word = re.sub(r"[^a-z0-9]+", "_", kind.lower()).strip("_")
    return f"stripe.{word if word[:1].isalpha() else f'type_{word}'}"[: len("stripe.") + LONGEST_WORD]


def _plain(text: str) -> str:
    return text.replace("\0", "")


def _money(amount: int | None, currency: str | None) -> dict[str, Any]:
    if amount is None or currency is None:
        return {}
    return {"amount": units(amount, currency), "currency": currency}


def _is_cents(amount: object) -> bool:
    return isinstance(amount, int) and not isinstance(amount, bool) and abs(amount) <= 10**15


def _mrr(subscription: Subscription) -> dict[str, Any]:
    currency = subscription.currency
    return {"amount": mrr.monthly(subscription, currency), "currency": currency} if currency else {}


def _price(subscription: Subscription) -> dict[str, Any]:
    currency = subscription.currency
    return {"amount": mrr.per_period(subscription, currency), "currency": currency} if currency else {}


def _date(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).date().isoformat()
