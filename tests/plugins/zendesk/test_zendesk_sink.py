from __future__ import annotations

import asyncio

import httpx
import pytest
from pydantic import SecretStr

import hub
from hub.testing import SinkContract
from plugins.zendesk.client import Client
from plugins.zendesk.payloads import OWN_FIELDS
from plugins.zendesk.sink import OrganizationFields

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
    return OrganizationFields("zendesk", Client(http, "http://localhost:1", "a@b.example", SecretStr("t")))


def delivery(number):
    return hub.Delivery(key=f"k{number}", account=f"acc_{number}", target=f"zendesk:organization:{number}", fields={})


def polled(job, *numbers):
    def answer(_):
        return httpx.Response(200, json={"job_status": job})

    async def poll():
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            return await sink(http).poll("j1", [delivery(n) for n in numbers])

    return asyncio.run(poll())


class TestContract(SinkContract):
    references = ("key:ACME-1", "salesforce:account:001", "zendesk:user:9", "zendesk:organization:42")
    strangers = ("key:ACME-1", "zendesk:user:9", "zendesk-emea:organization:42", "zendesk:organization:x")

    def sink(self, http):
        return sink(http)

    def answer(self, request):
        return httpx.Response(200, json={"job_status": {"id": "j1", "status": "queued", "results": None}})


def test_health_is_five_fields_an_agent_can_read():
    fields = sink(httpx.AsyncClient()).fields(HEALTH)
    assert fields == {
        "pulsehub_health": 41,
        "pulsehub_band": "at_risk",
        "pulsehub_drivers": "3 urgent tickets open \N{MINUS SIGN}14; paid 12 invoices in a row +6",
        "pulsehub_risk": 0.312,
        "pulsehub_as_of": "2026-03-01T10:00:00Z",
    }
    assert set(fields) == set(OWN_FIELDS), "the source must know them all as our echo"


def test_a_job_at_work_stays_pending():
    for status in ("queued", "working"):
        assert polled({"status": status, "results": None}, 1, 2) == [hub.Pending("j1"), hub.Pending("j1")]


def test_each_organization_of_a_job_has_its_own_outcome_whatever_their_order():
    results = [
        {"id": 3, "index": 2, "success": False, "error": "DatabaseConflict", "details": "Conflict"},
        {"id": 2, "index": 1, "success": False, "error": "OrganizationNotFound", "details": "not found"},
        {"id": 1, "index": 0, "action": "update", "success": True, "status": "Updated"},
    ]
    assert polled({"status": "completed", "results": results}, 1, 2, 3, 4) == [
        hub.Ok(),
        hub.Reject("OrganizationNotFound: not found"),
        hub.Retry("DatabaseConflict: Conflict"),
        hub.Retry("the job says nothing of this organization"),
    ]


@pytest.mark.parametrize("status", ["failed", "killed", None])
def test_a_job_that_failed_as_a_whole_is_tried_again(status):
    (outcome,) = polled({"status": status, "message": "worker died"}, 1)
    assert isinstance(outcome, hub.Retry)


@pytest.mark.parametrize("results", [None, 7, "x", [], [None], [{}], {"id": 1}])
def test_results_that_are_nonsense_are_no_success(results):
    (outcome,) = polled({"status": "completed", "results": results}, 1)
    assert isinstance(outcome, hub.Retry)


def test_a_forgotten_job_is_tried_again():
    async def poll():
        answer = httpx.MockTransport(lambda _: httpx.Response(404, json={"error": "RecordNotFound"}))
        async with httpx.AsyncClient(transport=answer) as http:
            return await sink(http).poll("j1", [delivery(1)])

    (outcome,) = asyncio.run(poll())
    assert isinstance(outcome, hub.Retry)


def test_a_target_that_is_no_organization_is_rejected_and_the_rest_goes_on():
    async def push():
        answer = httpx.MockTransport(lambda _: httpx.Response(200, json={"job_status": {"id": "j1"}}))
        async with httpx.AsyncClient(transport=answer) as http:
            odd = hub.Delivery(key="k", account="acc", target="zendesk:organization:../1", fields={})
            return await sink(http).push([odd, delivery(1)]), await sink(http).push([odd])

    (odd, ok), (alone,) = asyncio.run(push())
    assert isinstance(odd, hub.Reject)
    assert isinstance(alone, hub.Reject)
    assert ok == hub.Pending("j1")
