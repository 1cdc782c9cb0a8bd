"""The sandbox's API, asked by Stripe's own library over a real socket."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
import stripe

import hub
from plugins.stripe.sandbox import StripeSandbox

START = datetime(2026, 3, 1, 10, tzinfo=UTC)


def happened(number, kind, **parts):
    return hub.Event(
        id=f"demo:{number}", kind=kind, account="northwind", occurred_at=START + timedelta(hours=number), **parts
    )


@pytest.fixture(scope="module")
def url(answering):
    sandbox = StripeSandbox()
    sandbox.happen(
        happened(0, "account.updated", properties={"name": "Northwind <Traders>", "domain": "northwind.example"})
    )
    sandbox.happen(happened(1, "subscription.started", entity="sub", amount=Decimal("99.50"), currency="EUR"))
    for n in range(2, 27):
        paid = happened(n, "invoice.paid", entity=f"in-{n}", amount=Decimal("99.50"), currency="EUR")
        sandbox.happen(paid)
    with answering(sandbox.app) as address:
        yield address


@pytest.fixture
def client(url):
    return stripe.StripeClient("sk_test_any", base_addresses={"api": url}, max_network_retries=0)


def test_events_are_listed_page_by_page_newest_first(client):
    listed = list(client.v1.events.list({"limit": 10}).auto_paging_iter())
    assert len(listed) == len({e.id for e in listed}) == 27
    assert [e.created for e in listed] == sorted((e.created for e in listed), reverse=True)


def test_events_are_chosen_by_type_and_time(client):
    since = int((START + timedelta(hours=20)).timestamp())
    params = {"types": ["invoice.paid"], "created": {"gte": since}, "limit": 100}
    assert [e.type for e in client.v1.events.list(params).data] == ["invoice.paid"] * 7


def test_a_page_before_another_is_the_one_it_followed(client):
    first = client.v1.events.list({"limit": 5})
    second = client.v1.events.list({"limit": 5, "starting_after": first.data[-1].id})
    back = client.v1.events.list({"limit": 5, "ending_before": second.data[0].id})
    assert [e.id for e in back.data] == [e.id for e in first.data]


def test_customers_subscriptions_and_invoices_hold_what_happened(client):
    (customer,) = client.v1.customers.list().data
    assert (customer.name, customer.email) == ("Northwind <Traders>", "billing@northwind.example")
    assert customer.metadata["external_id"] == "northwind"
    assert client.v1.customers.retrieve(customer.id).id == customer.id
    (subscription,) = client.v1.subscriptions.list({"customer": customer.id}).data
    assert subscription["items"].data[0].price.unit_amount == 9950
    invoices = client.v1.invoices.list({"limit": 100}).data
    assert {i.parent.subscription_details.subscription for i in invoices} == {subscription.id}
    assert client.v1.subscriptions.list({"customer": "cus_other"}).data == []


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"limit": 101}, {"starting_after": "evt_none"}, {"created": {"gte": "x"}}]
)
def test_what_stripe_would_refuse_is_refused(client, params):
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.events.list(params)


def test_nobody_without_a_key_and_nothing_unknown_is_answered(client, url):
    assert httpx.get(f"{url}/v1/events").status_code == 401
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.retrieve("cus_none")
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.balance.retrieve()


def test_its_page_shows_who_pays_what_as_text(url):
    page = httpx.get(url).text
    assert "Northwind &lt;Traders&gt;" in page
    assert "99.50 EUR" in page


def test_refunds_add_up_to_the_charge_and_each_is_its_own():
    sandbox = StripeSandbox()
    for n, amount in enumerate(("20.00", "45.00")):
        sandbox.happen(happened(n, "refund.issued", entity="in-1", amount=Decimal(amount), currency="EUR"))
    (charge,) = sandbox._records.newest_first("charges")
    assert (charge["amount_refunded"], charge["amount"], charge["refunded"]) == (6500, 6500, True)
