from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import msgspec
import pytest
from starlette.responses import JSONResponse

import hub
from hub.testing import EXAMPLES, SandboxContract, listen
from plugins import salesforce
from plugins.salesforce.sandbox import SalesforceSandbox

HEALTH = hub.Health(
    account="acc_1",
    at=1_772_359_200.0,
    health=41.4,
    band="at_risk",
    risk=0.31,
    base=70.0,
    drivers=[hub.Driver("urgent", "3 <urgent> tickets open", -14.0)],
)
URL = "http://localhost:1"


def changed(kind, **parts):
    return msgspec.structs.replace(EXAMPLES[kind], **parts)


MEETING = msgspec.structs.replace(EXAMPLES["contact.left"], id="demo:meeting", kind="meeting.held")


class TestContract(SandboxContract):
    kinds = (
        "account.updated",
        "account.deleted",
        "contact.updated",
        "contact.left",
        "owner.changed",
        "opportunity.updated",
        "opportunity.won",
        "opportunity.lost",
        "contract.renewed",
    )
    more = (
        MEETING,
        msgspec.structs.replace(MEETING, value=45.0, text="They want the export fixed."),
        msgspec.structs.replace(MEETING, contact=None),
        changed("opportunity.won", amount=Decimal("12000.75"), currency="USD"),
        changed("opportunity.lost", amount=Decimal(15000), currency="JPY", text="Too expensive"),
        changed("opportunity.updated", amount=None, currency=None),
    )

    def sandbox(self):
        return SalesforceSandbox()

    def source(self, settings):
        (source,) = salesforce.register_sources(settings)
        return source


def heard(sandbox, pings):
    (source,) = salesforce.register_sources(sandbox.settings(URL))
    hooks = [hub.Webhook(path=p.path, headers=p.headers, body=p.body) for p in pings]
    return [event for hook in hooks for event in listen(source, hook, datetime.now(UTC))]


def delivered(sandbox, *deliveries, settings=None, first=()):
    """Push with the real sink over the sandbox's API; `first` are pushed before, over the same session."""

    async def push():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox.app)) as http:
            (sink,) = salesforce.register_sinks(sandbox.settings(URL) | (settings or {}), http)
            if first:
                await sink.push(first)
                sandbox.app.state.end_sessions()
            return list(await sink.push(deliveries)), await http.get(URL + "/")

    return asyncio.run(push())


def delivery(key="northwind", **fields):
    return hub.Delivery(key="k", account="acc_1", target=f"key:{key}", fields=fields)


@pytest.fixture
def sandbox():
    """One that knows Northwind."""
    sandbox = SalesforceSandbox()
    sandbox.happen(EXAMPLES["account.updated"])
    return sandbox


def test_health_reaches_the_record_and_shows_on_the_page(sandbox):
    (sink,) = salesforce.register_sinks(sandbox.settings(URL), httpx.AsyncClient())
    assert sandbox.showing() == []
    outcomes, page = delivered(sandbox, delivery(**sink.fields(HEALTH)))
    assert outcomes == [hub.Ok()]
    (record,) = sandbox.accounts.values()
    assert (record["Health_Score__c"], record["Health_Band__c"]) == (41, "at_risk")
    assert sandbox.showing() == ["Northwind Traders"]
    for shown in ("Northwind Traders", "Robin", "3 &lt;urgent&gt; tickets open", "at risk", "31.0 %", "2026-09-01"):
        assert shown in page.text


def test_our_own_writes_come_back_as_changes_that_say_nothing(sandbox):
    (sink,) = salesforce.register_sinks(sandbox.settings(URL), httpx.AsyncClient())
    delivered(sandbox, delivery(**sink.fields(HEALTH)))
    echoes = sandbox.echoes()
    assert len(echoes) == 1
    assert heard(sandbox, echoes) == []
    assert sandbox.echoes() == []


def test_writing_the_same_again_changes_nothing(sandbox):
    for _ in range(2):
        delivered(sandbox, delivery(Health_Score__c=41))
    sandbox.echoes()
    delivered(sandbox, delivery(Health_Score__c=41))
    assert sandbox.echoes() == []


def test_a_locked_row_is_tried_again_an_unknown_account_and_an_unknown_field_are_not(sandbox):
    sandbox.happen(changed("account.updated", account="acme"))
    sandbox.faults.locked.add("northwind")
    outcomes, _ = delivered(sandbox, delivery(), delivery("nobody"), delivery("acme", Nonsense__c=1), delivery("acme"))
    assert [type(o) for o in outcomes] == [hub.Retry, hub.Reject, hub.Reject, hub.Ok]
    assert len(sandbox.accounts) == 2, "an unknown key never makes an account"


def test_a_session_that_ended_is_renewed_without_anybody_noticing(sandbox):
    outcomes, _ = delivered(sandbox, delivery(), first=[delivery()])
    assert outcomes == [hub.Ok()]


def test_a_wrong_secret_needs_a_person(sandbox):
    with pytest.raises(hub.CredentialsError, match="invalid_client"):
        delivered(sandbox, delivery(), settings={"PULSEHUB_SALESFORCE_CLIENT_SECRET": "wrong"})


def test_the_allowance_of_calls_is_enforced(sandbox):
    sandbox.faults.limit = 0
    with pytest.raises(hub.RateLimitedError):
        delivered(sandbox, delivery())


def test_an_external_id_field_that_does_not_exist_is_told(sandbox):
    outcomes, _ = delivered(sandbox, delivery(), settings={"PULSEHUB_SALESFORCE_EXTERNAL_ID_FIELD": "Other__c"})
    assert isinstance(outcomes[0], hub.Reject)
    assert "Other__c" in outcomes[0].reason


def test_a_fault_happens_once(sandbox):
    sandbox.faults.answers.append(JSONResponse([{"message": "down", "errorCode": "SERVER_UNAVAILABLE"}], 503))
    with pytest.raises(hub.RetryLaterError):
        delivered(sandbox, delivery())
    assert delivered(sandbox, delivery())[0] == [hub.Ok()]


def test_more_than_two_hundred_records_at_once_are_refused(sandbox):
    outcomes, _ = delivered(sandbox, *[delivery()] * 201)
    assert all(isinstance(o, hub.Reject) for o in outcomes)


def test_many_changes_travel_together(sandbox):
    events = [changed("account.updated", account=f"customer-{n}") for n in range(250)]
    pings = sandbox.happen_many(events)
    assert len(pings) == 3
    assert len({e.account for e in heard(sandbox, pings)}) == 250


def test_accounts_are_queried_by_those_who_logged_in(sandbox):
    settings = sandbox.settings(URL)
    form = {
        "grant_type": "client_credentials",
        "client_id": settings["PULSEHUB_SALESFORCE_CLIENT_ID"],
        "client_secret": settings["PULSEHUB_SALESFORCE_CLIENT_SECRET"],
    }

    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox.app), base_url=URL) as http:
            token = (await http.post("/services/oauth2/token", data=form)).json()["access_token"]
            query = "/services/data/v61.0/query?q=SELECT+Name+FROM+Account"
            return [await http.get(query, headers={"authorization": f"Bearer {t}"}) for t in ("guess", token)]

    refused, found = asyncio.run(ask())
    assert refused.status_code == 401
    assert [r["Name"] for r in found.json()["records"]] == ["Northwind Traders"]
    assert found.headers["sforce-limit-info"] == "api-usage=2/100000"
