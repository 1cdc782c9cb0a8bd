from __future__ import annotations

import asyncio
import json

import httpx
import msgspec
import pytest
from pydantic import SecretStr

import hub
from hub.testing import SinkContract
from plugins.salesforce.client import Client
from plugins.salesforce.sink import OWN_FIELDS, AccountFields

HEALTH = hub.Health(
    account="acc_1",
    at=1_772_359_200.0,
    health=41.4,
    band="at_risk",
    risk=0.31234,
    base=70.0,
    drivers=[
        hub.Driver("urgent", "3 urgent tickets open", -14.2),
        hub.Driver("paid", "paid 12 invoices in a row", 6.0),
    ],
)


def sink(http):
    client = Client(http, "http://localhost:1", "app", SecretStr("s"))
    return AccountFields("salesforce", client, "Pulsehub_Key__c")


def pushed(answer, *keys):
    def org(request):
        return httpx.Response(200, json={"access_token": "t"}) if request.method == "POST" else answer(request)

    async def push():
        async with httpx.AsyncClient(transport=httpx.MockTransport(org)) as http:
            deliveries = [hub.Delivery(key=k, account="acc", target=f"key:{k}", fields={"F__c": 1}) for k in keys]
            return await sink(http).push(deliveries)

    return asyncio.run(push())


def refused(code):
    return {"success": False, "errors": [{"statusCode": code, "message": "said so", "fields": []}]}


class TestContract(SinkContract):
    references = ("salesforce:account:001", "zendesk:organization:42", "key:ACME-1")
    strangers = ("salesforce:account:001", "domain:acme.example", "key:")

    def sink(self, http):
        return sink(http)

    def is_login(self, request):
        return request.method == "POST"

    def answer(self, request):
        if self.is_login(request):
            return httpx.Response(200, json={"access_token": "t"})
        records = json.loads(request.content)["records"]
        return httpx.Response(200, json=[{"id": "001", "success": True, "errors": []} for _ in records])


def test_health_is_five_fields_a_seller_can_read():
    fields = sink(httpx.AsyncClient()).fields(HEALTH)
    assert fields == {
        "Health_Score__c": 41,
        "Health_Band__c": "at_risk",
        "Health_Drivers__c": "3 urgent tickets open \N{MINUS SIGN}14; paid 12 invoices in a row +6",
        "Churn_Risk__c": 31.2,
        "Health_As_Of__c": "2026-03-01T10:00:00Z",
    }
    assert set(fields) == OWN_FIELDS, "the source must know them all as our echo"


def test_drivers_fit_the_field_they_are_written_to():
    wordy = msgspec.structs.replace(HEALTH, drivers=[hub.Driver("d", "very " * 30, -1.0)] * 3)
    text = sink(httpx.AsyncClient()).fields(wordy)["Health_Drivers__c"]
    assert len(text) == 255
    assert text.endswith("…")


def test_accounts_are_addressed_by_the_key_you_know_them_under_and_fail_one_by_one():
    seen = []

    def answer(request):
        seen.append(json.loads(request.content))
        return httpx.Response(200, json=[{"success": True}])

    assert pushed(answer, "ACME-1") == [hub.Ok()]
    record = {"attributes": {"type": "Account"}, "Pulsehub_Key__c": "ACME-1", "F__c": 1}
    assert seen == [{"allOrNone": False, "records": [record]}]


def test_each_record_has_its_own_outcome_inside_a_success():
    results = [
        {"success": True, "errors": []},
        refused("UNABLE_TO_LOCK_ROW"),
        refused("REQUIRED_FIELD_MISSING"),
        {"success": False, "errors": []},
        {"success": "true"},
        None,
    ]
    outcomes = pushed(lambda _: httpx.Response(200, json=results), *"abcdef")
    assert outcomes[:3] == [
        hub.Ok(),
        hub.Retry("UNABLE_TO_LOCK_ROW: said so"),
        hub.Reject("REQUIRED_FIELD_MISSING: said so"),
    ]
    assert [type(o) for o in outcomes[3:]] == [hub.Retry] * 3


@pytest.mark.parametrize("count", [0, 1, 3])
def test_results_that_cannot_be_told_apart_are_no_successes(count):
    outcomes = pushed(lambda _: httpx.Response(200, json=[{"success": True}] * count), "a", "b")
    assert [type(o) for o in outcomes] == [hub.Retry, hub.Retry]


def test_a_field_that_does_not_exist_is_a_dead_letter_for_all():
    body = [{"message": "no such external id", "errorCode": "NOT_FOUND"}]
    outcomes = pushed(lambda _: httpx.Response(404, json=body), "a", "b")
    assert [type(o) for o in outcomes] == [hub.Reject, hub.Reject]
    assert "no such external id" in outcomes[0].reason


def test_nothing_is_ever_pending():
    outcomes = asyncio.run(
        sink(httpx.AsyncClient()).poll("j", [hub.Delivery(key="k", account="a", target="t", fields={})])
    )
    assert [type(o) for o in outcomes] == [hub.Retry]
