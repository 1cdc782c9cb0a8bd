"""What a subscription brings in each month."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from plugins.stripe.money import exponent, units
from plugins.stripe.shapes import Coupon, Discount, Item, Price, Recurring, Subscription

MONTHS: Final = {
    "day": Decimal(12) / Decimal("365.25"),
    "week": Decimal(84) / Decimal("365.25"),
    "month": Decimal(1),
    "year": Decimal(12),
}
PAYING: Final = frozenset(["active", "past_due", "unpaid"])
"""Statuses in which money is owed; a trial brings in nothing yet."""


def monthly(subscription: Subscription, currency: str) -> Decimal:
    """Monthly recurring revenue in units of `currency`, rounded to its smallest unit.

    Quantity times price, made monthly, less every lasting discount that the webhook spells out. Metered and tiered
    prices count as nothing: what they bring is only known from the invoice. Nothing either unless money is owed.
    """
    return _rounded(_cents(subscription), currency)


def per_period(subscription: Subscription, currency: str) -> Decimal:
    """What one period of the subscription costs, in units of `currency`."""
    return _rounded(_cents(subscription) * _every(subscription), currency)


def lines(subscription: Subscription) -> Sequence[Item]:
    """The items; in the oldest shape the subscription itself is its only one."""
    if subscription.items.data or subscription.plan is None:
        return subscription.items.data
    return [Item(plan=subscription.plan, quantity=subscription.quantity, discounts=None)]


def interval(subscription: Subscription) -> str | None:
    """`month`, `year`, ... of its first recurring line."""
    return next((r.interval for item in lines(subscription) if (r := _recurring(item))), None)


def _cents(subscription: Subscription) -> Decimal:
    """Each month, in the currency's smallest unit, not rounded."""
    if subscription.status is not None and subscription.status not in PAYING:
        return Decimal(0)
    total = sum((_line(item) for item in lines(subscription)), Decimal(0))
    return _reduced(total, _terms([subscription.discount, *(subscription.discounts or [])]), _every(subscription))


def _every(subscription: Subscription) -> Decimal:
    """Months between two invoices."""
    return next((months for item in lines(subscription) if (months := _months(item))), Decimal(1))


def _rounded(cents: Decimal, currency: str) -> Decimal:
    return units(cents, currency).quantize(Decimal(1).scaleb(-exponent(currency)))


def _recurring(item: Item) -> Recurring | None:
    price = item.price or item.plan
    if price is None or price.recurring or price.interval is None:
        return price.recurring if price else None
    return Recurring(
        interval=price.interval,
        interval_count=price.interval_count or 1,
        usage_type=price.usage_type or "licensed",
    )


def _months(item: Item) -> Decimal | None:
    recurring = _recurring(item)
    return MONTHS[recurring.interval] * recurring.interval_count if recurring else None


def _line(item: Item) -> Decimal:
    recurring, price = _recurring(item), item.price or item.plan
    if recurring is None or price is None or recurring.usage_type == "metered":
        return Decimal(0)
    months = MONTHS[recurring.interval] * recurring.interval_count
    gross = _unit(price) * (1 if item.quantity is None else item.quantity) / months
    return _reduced(gross, _terms(item.discounts or []), months)


def _unit(price: Price) -> Decimal:
    for amount in (price.unit_amount_decimal, price.unit_amount, price.amount_decimal, price.amount):
        if amount is not None:
            return Decimal(amount)
    return Decimal(0)


def _terms(discounts: Sequence[Discount | str | None]) -> list[Coupon]:
    spelled = [d.terms for d in discounts if isinstance(d, Discount)]
    return [coupon for coupon in spelled if coupon and coupon.duration != "once"]


def _reduced(monthly_amount: Decimal, coupons: Sequence[Coupon], months: Decimal) -> Decimal:
    for coupon in coupons:
        monthly_amount *= 1 - (coupon.percent_off or Decimal(0)) / 100
        monthly_amount -= Decimal(coupon.amount_off or 0) / months
    return max(monthly_amount, Decimal(0))
