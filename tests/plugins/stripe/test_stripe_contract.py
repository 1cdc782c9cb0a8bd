from decimal import Decimal
from pathlib import Path

import msgspec
import stripe

import hub
from hub.testing import EXAMPLES, SandboxContract, SourceContract
from plugins.stripe.sandbox import StripeSandbox
from plugins.stripe.settings import StripeSettings
from plugins.stripe.source import Stripe


class TestStripe(SourceContract):
    fixtures = Path(__file__).parent / "fixtures"

    def source(self, secrets):
        return Stripe(StripeSettings(signing_secret=secrets))

    def signed(self, body, secret, at):
        signed = stripe.WebhookSignature.generate_signature_header(body.decode(), secret, int(at.timestamp()))
        return hub.Webhook(path="/in/stripe", headers={"stripe-signature": signed}, body=body)


class TestStripeSandbox(SandboxContract):
    kinds = frozenset(
        {
            "account.updated",
            "account.deleted",
            "subscription.started",
            "subscription.changed",
            "subscription.paused",
            "subscription.resumed",
            "subscription.cancelled",
            "contract.renewed",
            "trial.ending",
            "invoice.paid",
            "invoice.failed",
            "invoice.overdue",
            "refund.issued",
            "dispute.opened",
        },
    )
    more = (
        msgspec.structs.replace(EXAMPLES["invoice.paid"], amount=Decimal(4980), currency="JPY"),
        msgspec.structs.replace(EXAMPLES["invoice.paid"], amount=Decimal("5.125"), currency="KWD"),
        msgspec.structs.replace(EXAMPLES["subscription.changed"], amount=Decimal("0.00"), currency="USD"),
        msgspec.structs.replace(EXAMPLES["subscription.cancelled"], text="Too dear for us 😕"),
    )

    def sandbox(self):
        return StripeSandbox()

    def source(self, settings):
        return Stripe(StripeSettings.read(settings))
