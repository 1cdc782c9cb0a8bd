"""What each of Stripe's types becomes, in the shapes of old and new API versions."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
import stripe

import hub
from hub.testing import check_event
from plugins.stripe import register_sources
from plugins.stripe.sandbox import StripeSandbox
from plugins.stripe.settings import StripeSettings
from plugins.stripe.source import Stripe

FIXTURES = Path(__file__).parent / "fixtures"
NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
CUSTOMER = "stripe:customer:cus_Q1northwind01"
SUBSCRIPTION = "stripe:subscription:sub_1QnWsub0000001"
INVOICE = "stripe:invoice:in_1QnWinv0000001"
SAYS = {
    "customer.created": ("account.updated", "evt_1R0custCreated1", CUSTOMER, CUSTOMER, None),
    "customer.updated": ("account.updated", "evt_1R0custUpdated1", CUSTOMER, CUSTOMER, None),
    "customer.deleted": ("account.deleted", "cus_Q1northwind01:deleted", CUSTOMER, CUSTOMER, None),
    "customer.subscription.created": (
        "subscription.started",
        "sub_1QnWsub0000001:started",
        CUSTOMER,
        SUBSCRIPTION,
        "145.00",
    ),
    "customer.subscription.created.2023-10-16": (
        "subscription.started",
        "sub_1QnWsub0000001:started",
        CUSTOMER,
        SUBSCRIPTION,
        "180.00",
    ),
    "customer.subscription.updated.quantity": (
        "subscription.changed",
        "evt_1R0subUpdated01",
        CUSTOMER,
        SUBSCRIPTION,
        "348.00",
    ),
    "customer.subscription.updated.period": (
        "stripe.customer_subscription_updated",
        "evt_1R0subUpdated02",
        CUSTOMER,
        SUBSCRIPTION,
        None,
    ),
    "customer.subscription.updated.renewed": (
        "contract.renewed",
        "sub_1QnWsub0000001:renewed:1772359200",
        CUSTOMER,
        SUBSCRIPTION,
        "2400.00",
    ),
    "customer.subscription.updated.cancelling": (
        "subscription.changed",
        "evt_1R0subUpdated04",
        CUSTOMER,
        SUBSCRIPTION,
        "145.00",
    ),
    "customer.subscription.updated.first_payment": (
        "subscription.started",
        "sub_1QnWsub0000001:started",
        CUSTOMER,
        SUBSCRIPTION,
        "145.00",
    ),
    "customer.subscription.updated.collection_paused": (
        "subscription.paused",
        "evt_1R0subUpdated06",
        CUSTOMER,
        SUBSCRIPTION,
        None,
    ),
    "customer.subscription.paused": ("subscription.paused", "evt_1R0subPaused001", CUSTOMER, SUBSCRIPTION, None),
    "customer.subscription.resumed": ("subscription.resumed", "evt_1R0subResumed01", CUSTOMER, SUBSCRIPTION, None),
    "customer.subscription.trial_will_end": (
        "trial.ending",
        "sub_1QnWsub0000001:trial_ending:1772618400",
        CUSTOMER,
        SUBSCRIPTION,
        None,
    ),
    "customer.subscription.deleted": (
        "subscription.cancelled",
        "sub_1QnWsub0000001:cancelled",
        CUSTOMER,
        SUBSCRIPTION,
        None,
    ),
    "invoice.paid": ("invoice.paid", "in_1QnWinv0000001:paid", CUSTOMER, INVOICE, "145.00"),
    "invoice.paid.2023-10-16": (
        "invoice.paid",
        "in_1NiWinv0000009:paid",
        CUSTOMER,
        "stripe:invoice:in_1NiWinv0000009",
        "145.00",
    ),
    "invoice.payment_failed": ("invoice.failed", "evt_1R0invFailed001", CUSTOMER, INVOICE, "145.00"),
    "invoice.overdue": ("invoice.overdue", "in_1QnWinv0000001:overdue:1772359140", CUSTOMER, INVOICE, "145.00"),
    "invoice.payment_action_required": (
        "stripe.invoice_payment_action_required",
        "evt_1R0invAction001",
        CUSTOMER,
        INVOICE,
        "145.00",
    ),
    "invoice.marked_uncollectible": (
        "stripe.invoice_marked_uncollectible",
        "evt_1R0invUncoll001",
        CUSTOMER,
        INVOICE,
        "145.00",
    ),
    "invoice.voided": ("invoice.voided", "in_1QnWinv0000001:voided", CUSTOMER, INVOICE, "145.00"),
    "invoice.upcoming": ("stripe.invoice_upcoming", "evt_1R0invUpcoming1", CUSTOMER, None, "145.00"),
    "charge.refunded": (
        "refund.issued",
        "ch_3QnWcharge00001:refunded:6500",
        CUSTOMER,
        "stripe:charge:ch_3QnWcharge00001",
        "20.00",
    ),
    "charge.failed": (
        "stripe.charge_failed",
        "evt_1R0chFailed0001",
        CUSTOMER,
        "stripe:charge:ch_3QnWcharge00001",
        "145.00",
    ),
    "charge.dispute.created": (
        "dispute.opened",
        "du_1QnWdispute0001:opened",
        "stripe:charge:ch_3QnWcharge00001",
        "stripe:dispute:du_1QnWdispute0001",
        "145.00",
    ),
    "charge.dispute.closed": (
        "stripe.charge_dispute_closed",
        "evt_1R0disputeDone1",
        "stripe:charge:ch_3QnWcharge00001",
        "stripe:dispute:du_1QnWdispute0001",
        "145.00",
    ),
    "payout.paid": (
        "stripe.payout_paid",
        "evt_1R0payoutPaid01",
        "stripe:account:own",
        "stripe:payout:po_1QnWpayout00001",
        "990000",
    ),
    "v2.meter_error": (
        "stripe.v1_billing_meter_error_report_triggered",
        "evt_test_65UooCzDvvhQkx4k2T16R0qBaR6SQQ1a7CvYqrlOyCfQ8u",
        "stripe:account:own",
        "stripe:meter:mtr_61RCjiqdTDC91zgip41IqPCzPnxqqSVc",
        None,
    ),
}
"""By fixture: kind, id, account, entity, amount."""


def said(name, **changes):
    """The event a fixture becomes; `changes` replace members of its object."""
    tree = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    if changes:
        tree["data"]["object"] |= changes
    source = Stripe(StripeSettings(signing_secret="s"))
    (event,) = source.normalize(hub.Raw(body=json.dumps(tree).encode(), received_at=NOW))
    return event


@pytest.mark.parametrize("fixture", SAYS)
def test_every_listed_type_becomes_one_event(fixture):
    event = said(fixture)
    amount = None if event.amount is None else str(event.amount)
    assert (event.kind, event.id.removeprefix("stripe:"), event.account, event.entity, amount) == SAYS[fixture]


def test_every_fixture_is_in_the_list_above():
    assert SAYS.keys() == {path.stem for path in FIXTURES.iterdir()}


def test_a_customer_says_who_it_is():
    assert said("customer.updated").properties == {
        "name": "Nordvind Åkeri AB",
        "email": "billing@northwind.example",
        "delinquent": True,
        "external_id": "ACME-1",
    }


def test_a_key_on_a_subscription_names_the_subscription_and_is_left_alone():
    assert "external_id" not in said("customer.subscription.created").properties


def test_a_disputed_charge_is_traced_by_its_payer_s_address_or_an_expanded_charge():
    assert said("charge.dispute.created").properties["email"] == "billing@northwind.example"
    expanded = said(
        "charge.dispute.created", charge={"id": "ch_1", "object": "charge", "customer": "cus_Q1northwind01"}
    )
    assert expanded.account == CUSTOMER


def test_what_a_leaving_customer_wrote_is_text():
    event = said("customer.subscription.deleted")
    assert event.text == "Support took three weeks to answer."
    assert event.properties["feedback"] == "customer_service"


def test_an_invoice_knows_its_subscription_in_either_shape():
    assert said("invoice.paid").properties["subscription"] == SUBSCRIPTION
    assert said("invoice.paid.2023-10-16").properties["subscription"] == SUBSCRIPTION


def test_a_subscription_knows_its_renewal_in_either_shape():
    assert said("customer.subscription.updated.renewed").properties["renewal_on"] == "2027-03-01"
    assert said("customer.subscription.created.2023-10-16").properties["renewal_on"] == "2027-02-19"


def test_the_end_of_a_month_is_no_renewal():
    assert "renewal_on" not in said("customer.subscription.created").properties


def test_a_long_type_is_kept_whole_beside_its_kind():
    tree = json.loads((FIXTURES / "payout.paid.json").read_text(encoding="utf-8"))
    for name, kind in {
        "customer.subscription.pending_update_applied": "stripe.customer_subscription_pending_update_app",
        "2fa.enabled": "stripe.type_2fa_enabled",
        "☃": "stripe.type_",
    }.items():
        body = json.dumps(tree | {"type": name}).encode()
        (event,) = Stripe(StripeSettings(signing_secret="s")).normalize(hub.Raw(body=body, received_at=NOW))
        check_event(event, "stripe")
        assert (event.kind, event.properties["type"]) == (kind, name)


def test_a_trial_brings_in_nothing_yet():
    assert said("customer.subscription.created", status="trialing").amount == 0


def test_a_subscription_whose_first_payment_has_not_come_has_not_started():
    assert said("customer.subscription.created", status="incomplete").kind == "stripe.customer_subscription_created"


def test_two_events_about_one_payment_count_once():
    tree = json.loads((FIXTURES / "invoice.paid.json").read_text(encoding="utf-8"))
    source = Stripe(StripeSettings(signing_secret="s"))
    ids = set()
    for id in ("evt_1", "evt_2"):  # noqa: A001 - the field's name
        ids |= {e.id for e in source.normalize(hub.Raw(body=json.dumps(tree | {"id": id}).encode(), received_at=NOW))}
    assert ids == {"stripe:in_1QnWinv0000001:paid"}


def test_what_is_no_stripe_event_is_malformed():
    source = Stripe(StripeSettings(signing_secret="s"))
    for body in (b"", b"[]", b'{"object":"charge"}', b"\xff", b"[" * 100_000):
        with pytest.raises(hub.MalformedError):
            source.decode(hub.Webhook(path="/in/stripe", headers={}, body=body), NOW)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"created": "yesterday"}, "created"),
        ({"created": 1e300}, "created"),
        ({"id": None}, "id"),
        ({"data": 1}, "data"),
    ],
)
def test_a_record_that_cannot_be_read_says_where(change, where):
    tree = json.loads((FIXTURES / "invoice.paid.json").read_text(encoding="utf-8")) | change
    with pytest.raises(hub.RejectedError, match=where):
        list(
            Stripe(StripeSettings(signing_secret="s")).normalize(
                hub.Raw(body=json.dumps(tree).encode(), received_at=NOW)
            )
        )


def test_two_connections_never_share_an_id():
    (event,) = Stripe(StripeSettings(signing_secret="s", connection="stripe-eu")).normalize(
        hub.Raw(body=(FIXTURES / "invoice.paid.json").read_bytes(), received_at=NOW)
    )
    assert event.id == "stripe-eu:in_1QnWinv0000001:paid"
    assert event.account == "stripe-eu:customer:cus_Q1northwind01"


def test_stripe_s_own_library_accepts_what_the_sandbox_signs():
    sandbox = StripeSandbox()
    happened = hub.Event(
        id="demo:1", kind="invoice.paid", account="northwind", occurred_at=NOW, amount=Decimal("9.99"), currency="EUR"
    )
    (ping,) = sandbox.happen(happened)
    event = stripe.Webhook.construct_event(ping.body, ping.headers["stripe-signature"], "whsec_sandbox")
    assert (event.type, event.data.object.amount_paid) == ("invoice.paid", 999)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(ping.body, ping.headers["stripe-signature"], "whsec_other")


def test_any_of_several_signatures_will_do_while_a_secret_is_rotated():
    body = (FIXTURES / "invoice.paid.json").read_bytes()
    at = int(NOW.timestamp())
    header = stripe.WebhookSignature.generate_signature_header(body.decode(), "whsec_new", at)
    hook = hub.Webhook(
        path="/in/stripe", headers={"stripe-signature": f"t={at},v0=1,v1={'0' * 64},{header[13:]}"}, body=body
    )
    Stripe(StripeSettings(signing_secret="whsec_old, whsec_new")).verify(hook, NOW)


def test_the_tolerance_is_a_setting():
    body = (FIXTURES / "invoice.paid.json").read_bytes()
    at = NOW - timedelta(seconds=30)
    header = stripe.WebhookSignature.generate_signature_header(body.decode(), "s", int(at.timestamp()))
    hook = hub.Webhook(path="/in/stripe", headers={"stripe-signature": header}, body=body)
    with pytest.raises(hub.BadSignatureError, match="20 s"):
        Stripe(StripeSettings(signing_secret="s", tolerance_seconds=20)).verify(hook, NOW)


def test_without_settings_nothing_is_registered_and_half_of_them_are_an_error():
    assert list(register_sources({})) == []
    (source,) = register_sources({"PULSEHUB_STRIPE_SIGNING_SECRET": "a,b"})
    assert isinstance(source, hub.Source)
    assert source.name == "stripe"
    with pytest.raises(hub.ConfigError, match="PULSEHUB_STRIPE_SIGNING_SECRET"):
        list(register_sources({"PULSEHUB_STRIPE_TOLERANCE_SECONDS": "5"}))
    with pytest.raises(hub.ConfigError, match="PULSEHUB_STRIPE_SIGNING_SECRET"):
        list(register_sources({"PULSEHUB_STRIPE_SIGNING_SECRET": " , "}))


def test_every_event_goes_through_the_log_unchanged():
    for path in FIXTURES.iterdir():
        event = said(path.stem)
        assert msgspec.json.decode(msgspec.json.encode(event), type=hub.Event) == event
