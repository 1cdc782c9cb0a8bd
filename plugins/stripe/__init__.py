"""Stripe: whether customers pay, how much, and when they stop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import hub
from plugins.stripe.settings import StripeSettings
from plugins.stripe.source import Stripe


@hub.hookimpl
def register_sources(settings: Mapping[str, str]) -> Iterable[hub.Source]:
    """Listen to Stripe's webhooks where a signing secret is set."""
    return [Stripe(ours)] if (ours := StripeSettings.read(settings)) else []


@hub.hookimpl
def register_sandboxes() -> Iterable[hub.Sandbox]:
    """A Stripe without money."""
    from plugins.stripe.sandbox import StripeSandbox  # noqa: PLC0415 - an installation never loads it

    return [StripeSandbox()]
