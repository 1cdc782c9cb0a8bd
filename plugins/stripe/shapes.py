"""What we read of Stripe's objects, in the shapes of its old and new API versions.

Everything is optional but ids: `data` is rendered in the version of the account that made it and never changes, and
a field we don't find must not cost an event.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field


def _clean(text: str) -> str:
    return text.replace("\0", "")[:1000]


def _reference(value: object) -> object:
    """An id, or the object itself where the account has it expanded."""
    return value.get("id") if isinstance(value, dict) else value


Text = Annotated[str, AfterValidator(_clean)]
Id = Annotated[str, Field(min_length=1, max_length=180, pattern=r"^[^\x00]+$")]
Ref = Annotated[Id | None, BeforeValidator(_reference)]
Cents = Annotated[int, Field(ge=-(10**15), le=10**15)]
Finer = Annotated[Decimal, Field(ge=-(10**15), le=10**15, allow_inf_nan=False)]
Currency = Annotated[str, AfterValidator(str.upper), Field(pattern=r"^[A-Za-z]{3}$")]
Seconds = Annotated[int, Field(ge=0, le=253_402_300_799)]
Metadata = Annotated[dict[str, Any] | None, Field(default=None)]


class Thing(BaseModel):
    """What any object may say about whose it is."""

    id: Id | None = None  # an upcoming invoice has none yet
    object: Text = "object"
    customer: Ref = None
    currency: Currency | None = None
    status: Text | None = None
    metadata: Metadata


class Customer(Thing):
    """`customer`, the company that pays."""

    id: Id
    name: Text | None = None
    email: Text | None = None
    description: Text | None = None
    delinquent: bool | None = None


class Recurring(BaseModel):
    """How often a price is charged."""

    interval: Literal["day", "week", "month", "year"]
    interval_count: int = Field(1, ge=1, le=1200)
    usage_type: Text = "licensed"


class Price(BaseModel):
    """`price`; its forerunner `plan` says `amount` and carries its interval itself."""

    id: Id | None = None
    nickname: Text | None = None
    lookup_key: Text | None = None
    unit_amount: Cents | None = None
    unit_amount_decimal: Finer | None = None
    amount: Cents | None = None
    amount_decimal: Finer | None = None
    recurring: Recurring | None = None
    interval: Literal["day", "week", "month", "year"] | None = None
    interval_count: int | None = Field(None, ge=1, le=1200)
    usage_type: Text | None = None


class Coupon(BaseModel):
    """What a discount takes off."""

    percent_off: Annotated[Decimal, Field(ge=0, le=100)] | None = None
    amount_off: Cents | None = None
    duration: Text | None = None


class DiscountSource(BaseModel):
    """Where newer versions keep a discount's coupon; an id unless expanded."""

    coupon: Coupon | Text | None = None


class Discount(BaseModel):
    """`discount`; in a webhook often only its id, which says nothing of its size."""

    coupon: Coupon | None = None
    source: DiscountSource | None = None

    @property
    def terms(self) -> Coupon | None:
        """Its coupon, wherever this version keeps it."""
        if self.coupon:
            return self.coupon
        return self.source.coupon if self.source and isinstance(self.source.coupon, Coupon) else None


Discounts = Annotated[list[Discount | Text] | None, Field(default=None, max_length=100)]


class Item(BaseModel):
    """One line of a subscription."""

    price: Price | None = None
    plan: Price | None = None
    quantity: int | None = Field(None, ge=0, le=10**7)
    current_period_start: Seconds | None = None  # here since 2025-03-31, on the subscription before
    current_period_end: Seconds | None = None
    discounts: Discounts


class Items(BaseModel):
    """A page of lines."""

    data: list[Item] = Field(default_factory=list, max_length=1000)


class Cancellation(BaseModel):
    """What the customer said when leaving."""

    comment: Text | None = None
    feedback: Text | None = None
    reason: Text | None = None


class Subscription(Thing):
    """`subscription`."""

    id: Id
    items: Items = Field(default_factory=Items)
    plan: Price | None = None  # old versions, beside or instead of items
    quantity: int | None = Field(None, ge=0, le=10**7)
    discount: Discount | None = None
    discounts: Discounts
    current_period_start: Seconds | None = None
    current_period_end: Seconds | None = None
    cancel_at_period_end: bool | None = None
    cancellation_details: Cancellation | None = None
    trial_end: Seconds | None = None


class SubscriptionDetails(BaseModel):
    """The subscription an invoice is for."""

    subscription: Ref = None


class Parent(BaseModel):
    """Where newer versions keep what an invoice is for."""

    subscription_details: SubscriptionDetails | None = None


class Invoice(Thing):
    """`invoice`."""

    amount_due: Cents | None = None
    amount_paid: Cents | None = None
    amount_remaining: Cents | None = None
    attempt_count: int | None = Field(None, ge=0, le=10**6)
    billing_reason: Text | None = None
    customer_email: Text | None = None
    customer_name: Text | None = None
    due_date: Seconds | None = None
    subscription: Ref = None
    parent: Parent | None = None

    @property
    def pays_for(self) -> str | None:
        """The subscription's id, wherever this version keeps it."""
        if self.subscription:
            return self.subscription
        details = self.parent.subscription_details if self.parent else None
        return details.subscription if details else None


class Charge(Thing):
    """`charge`."""

    amount: Cents = 0
    amount_refunded: Cents = 0
    invoice: Ref = None


class Evidence(BaseModel):
    """What Stripe knows of the person behind a disputed charge."""

    customer_email_address: Text | None = None
    customer_name: Text | None = None


class Dispute(Thing):
    """`dispute`; it names its charge, never its customer, unless the charge is expanded."""

    amount: Cents = 0
    reason: Text | None = None
    charge: Charge | Id | None = None
    evidence: Evidence | None = None


class Data(BaseModel):
    """What an event is about."""

    object: dict[str, Any]
    previous_attributes: dict[str, Any] | None = None


class Related(BaseModel):
    """What a thin event is about; the thing itself has to be fetched."""

    id: Id
    type: Text = "object"


class Happening(BaseModel):
    """`event`, and the thin `v2.core.event`, whose `created` is a string."""

    id: Id
    object: Literal["event", "v2.core.event"]
    type: Annotated[str, Field(min_length=1, max_length=200)]
    created: Any
    account: Ref = None  # the connected account it happened on
    context: Any = None
    data: Data | None = None
    related_object: Related | None = None
