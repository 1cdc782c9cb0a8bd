"""What changed about a subscription: its terms, its period, or nothing that matters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from plugins.stripe.shapes import Subscription

TERMS: Final = frozenset(
    ["items", "plan", "quantity", "discount", "discounts", "status", "cancel_at_period_end", "cancel_at", "trial_end"]
)
"""Attributes whose change is news; a new period, a new invoice, a new card is not."""
MOVED: Final = frozenset(["current_period_start", "current_period_end"])


def period(subscription: Subscription) -> tuple[int | None, int | None]:
    """Start and end of the running period: on the subscription in old versions, on its items in new ones."""
    items = subscription.items.data
    starts = [subscription.current_period_start, *(item.current_period_start for item in items)]
    ends = [subscription.current_period_end, *(item.current_period_end for item in items)]
    return next(filter(None, starts), None), next(filter(None, ends), None)


def new_period(subscription: Subscription, before: Mapping[str, Any]) -> int | None:
    """The start of the period that has just begun; None if it is the same as before."""
    start, _ = period(subscription)
    starts = [before.get("current_period_start"), *(item.get("current_period_start") for item in _items(before))]
    was = next((s for s in starts if isinstance(s, int)), None)
    return start if start is not None and was is not None and was < start else None


def changed(now: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether terms changed; `before` holds whole items even where only their period moved."""
    terms = TERMS & before.keys()
    if terms != {"items"}:
        return bool(terms)
    ours, theirs = _items(now), _items(before)
    if len(ours) != len(theirs) or not ours:
        return True
    return any(
        new.get(name) != value
        for new, old in zip(ours, theirs, strict=True)
        for name, value in old.items()
        if name not in MOVED
    )


def _items(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    page = body.get("items")
    data = page.get("data") if isinstance(page, dict) else None
    return [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []
