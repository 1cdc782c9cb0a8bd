"""What a sandboxed Stripe remembers, and how what happens changes it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Final

import hub
from plugins.stripe.money import smallest, units

Record = dict[str, Any]
MONTH: Final = 30 * 86_400
YEAR: Final = 365 * 86_400
KEPT: Final = 20_000
"""Events it remembers; Stripe forgets after 30 days."""
ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def vendor_id(prefix: str, *facts: str) -> str:
    """An id that looks like Stripe's, always the same for the same facts.

    >>> vendor_id("cus", "northwind") == vendor_id("cus", "northwind") != vendor_id("cus", "acme")
    True
    """
    number = int.from_bytes(hashlib.blake2b("\0".join(facts).encode(), digest_size=14).digest())
    letters = ""
    while len(letters) < 14:  # noqa: PLR2004 - as long as theirs
        number, letter = divmod(number, len(ALPHABET))
        letters += ALPHABET[letter]
    return f"{prefix}_{letters}"


class Records:
    """Customers, subscriptions, invoices, charges and the events about them."""

    def __init__(self) -> None:
        self.sent = 0
        self._paid_for: dict[str, str] = {}  # customer -> its first subscription
        self._kinds: dict[str, dict[str, Record]] = {
            name: {} for name in ("customers", "subscriptions", "invoices", "charges", "disputes", "events")
        }
        self._tellers: Mapping[str, Callable[[hub.Event, int], tuple[str, Record, Record | None]]] = {
            "account.updated": self._customer,
            "account.deleted": self._customer_gone,
            "subscription.started": self._started,
            "subscription.changed": self._changed,
            "subscription.paused": self._paused,
            "subscription.resumed": self._resumed,
            "subscription.cancelled": self._cancelled,
            "contract.renewed": self._renewed,
            "trial.ending": self._trial,
            "invoice.paid": self._paid,
            "invoice.failed": self._failed,
            "invoice.overdue": self._overdue,
            "refund.issued": self._refunded,
            "dispute.opened": self._disputed,
        }

    def tell(self, event: hub.Event) -> Record | None:
        """Change the records; the event Stripe would send, or None for a kind it does not know."""
        if event.kind not in self._tellers:
            return None
        at = int(event.occurred_at.timestamp())
        kind, thing, before = self._tellers[event.kind](event, at)
        told: Record = {
            "id": vendor_id("evt", event.id, event.kind, str(at)),
            "object": "event",
            "created": at,
            "data": {"object": thing} | ({} if before is None else {"previous_attributes": before}),
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
        events = self._kinds["events"]
        events[told["id"]] = told
        if len(events) > KEPT:
            del events[next(iter(events))]
        self.sent += 1
        return told

    def newest_first(self, kind: str) -> list[Record] | None:
        """All records of a kind, by when they were made; None if there is no such kind."""
        if kind not in self._kinds:
            return None
        return sorted(self._kinds[kind].values(), key=lambda r: (r["created"], r["id"]), reverse=True)

    def tables(self, most: int) -> Mapping[str, Sequence[Mapping[str, object]]]:
        """What its page shows: each customer with what it pays, and the newest events."""
        return {
            "Customers": [self._row(c) for c in islice(self._kinds["customers"].values(), most)],
            "Events": [
                {"when": _moment(e["created"]), "type": e["type"], "about": e["data"]["object"]["id"], "id": e["id"]}
                for e in islice(reversed(self._kinds["events"].values()), most)
            ],
        }

    def _row(self, customer: Record) -> Mapping[str, object]:
        ours = [s for s in self._kinds["subscriptions"].values() if s["customer"] == customer["id"]]
        prices = [(s["items"]["data"][0]["price"], s["currency"].upper()) for s in ours if s["status"] == "active"]
        return {
            "name": customer["name"],
            "key": customer["metadata"]["external_id"],
            "email": customer["email"],
            "pays a month": ", ".join(f"{units(Decimal(p['unit_amount_decimal']), c):f} {c}" for p, c in prices),
            "status": ", ".join(s["status"] for s in ours),
            "id": customer["id"],
        }

    def _of(self, event: hub.Event) -> Record:
        """The customer, made up if nobody has said anything of it yet."""
        key = vendor_id("cus", event.account)
        made = {
            "id": key,
            "object": "customer",
            "created": int(event.occurred_at.timestamp()),
            "delinquent": False,
            "description": None,
            "email": None,
            "livemode": False,
            "metadata": {"external_id": event.account},
            "name": None,
        }
        return self._kinds["customers"].setdefault(key, made)

    def _customer(self, event: hub.Event, _at: int) -> tuple[str, Record, Record | None]:
        known = vendor_id("cus", event.account) in self._kinds["customers"]
        customer, domain = self._of(event), event.properties.get("domain")
        email = event.properties.get("email") or (f"billing@{domain}" if domain else customer["email"])
        fresh = {"name": event.properties.get("name") or customer["name"], "email": email}
        before = {name: customer[name] for name, value in fresh.items() if customer[name] != value}
        customer.update(fresh)
        return ("customer.updated", dict(customer), before) if known else ("customer.created", dict(customer), None)

    def _customer_gone(self, event: hub.Event, _at: int) -> tuple[str, Record, Record | None]:
        customer = self._of(event)
        del self._kinds["customers"][customer["id"]]
        return "customer.deleted", customer, None

    def _subscription(self, event: hub.Event, at: int) -> Record:
        key = vendor_id("sub", event.account, event.entity or "")
        made = {
            "id": key,
            "object": "subscription",
            "cancel_at_period_end": False,
            "canceled_at": None,
            "cancellation_details": {"comment": None, "feedback": None, "reason": None},
            "created": at,
            "currency": "usd",
            "customer": self._of(event)["id"],
            "discounts": [],
            "ended_at": None,
            "items": {"object": "list", "has_more": False, "data": [_item(key, "usd", Decimal(0), "month", at)]},
            "livemode": False,
            "metadata": {},
            "pause_collection": None,
            "status": "active",
            "trial_end": None,
        }
        self._paid_for.setdefault(made["customer"], key)
        return self._kinds["subscriptions"].setdefault(key, made)

    def _priced(self, event: hub.Event, at: int, interval: str) -> tuple[Record, Record]:
        """The subscription at its new price, and its items before."""
        subscription = self._subscription(event, at)
        before = subscription["items"]
        if event.amount is not None and event.currency is not None:
            plan = event.properties.get("plan") or before["data"][0]["price"]["nickname"]
            cents = smallest(event.amount, event.currency)
            item = _item(subscription["id"], event.currency.lower(), cents, interval, at, plan=plan)
            subscription["currency"] = event.currency.lower()
            subscription["items"] = {**before, "data": [item]}
        return subscription, before

    def _started(self, event: hub.Event, at: int) -> tuple[str, Record, Record | None]:
        subscription, _ = self._priced(event, at, "month")
        subscription["status"] = "active"
        return "customer.subscription.created", dict(subscription), None

    def _changed(self, event: hub.Event, at: int) -> tuple[str, Record, Record | None]:
        subscription, before = self._priced(event, at, "month")
        if before == subscription["items"]:  # made up just now, or told twice: it still has to read as a change
            before = {**before, "data": []}
        return "customer.subscription.updated", dict(subscription), {"items": before}

    def _renewed(self, event: hub.Event, at: int) -> tuple[str, Record, Record | None]:
        subscription, _ = self._priced(event, at, "year")
        (item,) = subscription["items"]["data"]
        was = {**item, "current_period_start": at - YEAR, "current_period_end": at}
        return "customer.subscription.updated", dict(subscription), {"items": {"object": "list", "data": [was]}}

    def _paused(self, event: hub.Event, at: int) -> tuple[str, Record, Record | None]:
        subscription = self._subscription(event, at)
        subscription["status"] = "paused"
        return "customer.subscription.paused", dict(subscription), {"status": "active"}

    def _resumed(self, event: hub.Event, at: int) -> tuple[str, Record, Record | None]:
        subscription = self._subscription(event, at)
        subscription["status"] = "active"
        return "customer.subscription.resumed", dict(subscription), {"status": "paused"}

    def _cancelled(self, event: hub.Event, at: int) -> tuple[str, Record, Record | None]:
        subscription = self._subscription(event, at)
        said = {"comment": event.text, "feedback": None, "reason": "cancellation_requested"}
        subscription.update(status="canceled", canceled_at=at, ended_at=at, cancellation_details=said)
        return "customer.subscription.deleted", dict(subscription), None

    def _trial(self, event: hub.Event, at: int) -> tuple[str, Record, Record | None]:
        subscription = self._subscription(event, at)
        subscription["trial_end"] = at + 3 * 86_400
        return "customer.subscription.trial_will_end", {**subscription, "status": "trialing"}, None

    def _invoice(self, event: hub.Event, at: int) -> Record:
        key = vendor_id("in", event.account, event.entity or event.id)
        customer = self._of(event)
        subscription = self._paid_for.get(customer["id"])
        details: Record = {"metadata": {}, "subscription": subscription}
        made = {
            "id": key,
            "object": "invoice",
            "amount_due": _cents(event),
            "amount_paid": 0,
            "amount_remaining": _cents(event),
            "attempt_count": 0,
            "billing_reason": "subscription_cycle",
            "created": at,
            "currency": (event.currency or "usd").lower(),
            "customer": customer["id"],
            "customer_email": customer["email"],
            "customer_name": customer["name"],
            "due_date": None,
            "livemode": False,
            "metadata": {},
            "parent": {"type": "subscription_details", "quote_details": None, "subscription_details": details}
            if subscription
            else None,
            "status": "open",
        }
        return self._kinds["invoices"].setdefault(key, made)

    def _paid(self, event: hub.Event, at: int) -> tuple[str, Record, Record | None]:
        invoice = self._invoice(event, at)
        attempts = invoice["attempt_count"] + 1
        invoice.update(status="paid", amount_paid=_cents(event), amount_remaining=0, attempt_count=attempts)
        return "invoice.paid", dict(invoice), None

    def _failed(self, event: hub.Event, at: int) -> tuple[str, Record, Record | None]:
        invoice = self._invoice(event, at)
        invoice.update(amount_remaining=_cents(event), attempt_count=invoice["attempt_count"] + 1)
        return "invoice.payment_failed", dict(invoice), None

    def _overdue(self, event: hub.Event, at: int) -> tuple[str, Record, Record | None]:
        invoice = self._invoice(event, at)
        invoice.update(amount_remaining=_cents(event), due_date=at)
        return "invoice.overdue", dict(invoice), None

    def _charge(self, event: hub.Event, at: int) -> Record:
        key = vendor_id("ch", event.account, event.entity or event.id)
        made = {
            "id": key,
            "object": "charge",
            "amount": _cents(event),
            "amount_refunded": 0,
            "created": at,
            "currency": (event.currency or "usd").lower(),
            "customer": self._of(event)["id"],
            "livemode": False,
            "metadata": {},
            "paid": True,
            "refunded": False,
            "status": "succeeded",
        }
        return self._kinds["charges"].setdefault(key, made)

    def _refunded(self, event: hub.Event, at: int) -> tuple[str, Record, Record | None]:
        charge = self._charge(event, at)
        before = {"amount_refunded": charge["amount_refunded"]}
        charge["amount_refunded"] += _cents(event)
        charge["amount"] = max(charge["amount"], charge["amount_refunded"])
        charge["refunded"] = charge["amount"] == charge["amount_refunded"]
        return "charge.refunded", dict(charge), before

    def _disputed(self, event: hub.Event, at: int) -> tuple[str, Record, Record | None]:
        charge, customer = self._charge(event, at), self._of(event)
        dispute = {
            "id": vendor_id("dp", event.account, event.entity or event.id),
            "object": "dispute",
            "amount": _cents(event),
            "charge": charge["id"],
            "created": at,
            "currency": (event.currency or "usd").lower(),
            "evidence": {"customer_email_address": customer["email"], "customer_name": customer["name"]},
            "livemode": False,
            # a dispute names no customer: this one's merchant copies the key onto it, as one may
            "metadata": {"external_id": event.account},
            "reason": "general",
            "status": "needs_response",
        }
        self._kinds["disputes"][dispute["id"]] = dispute
        return "charge.dispute.created", dict(dispute), None


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def _cents(event: hub.Event) -> int:
    return int(smallest(event.amount or Decimal(0), event.currency or "USD"))


def _item(key: str, currency: str, cents: Decimal, interval: str, at: int, *, plan: object = None) -> Record:
    return {
        "id": key.replace("sub_", "si_"),
        "object": "subscription_item",
        "current_period_start": at,
        "current_period_end": at + (YEAR if interval == "year" else MONTH),
        "discounts": [],
        "price": {
            "id": vendor_id("price", str(plan), str(cents), currency, interval),
            "object": "price",
            "currency": currency,
            "lookup_key": None,
            "nickname": plan,
            "recurring": {"interval": interval, "interval_count": 1, "usage_type": "licensed"},
            "unit_amount": int(cents) if cents == int(cents) else None,
            "unit_amount_decimal": f"{cents:f}",
        },
        "quantity": 1,
    }
