from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import httpx
import msgspec
import pytest
from starlette.responses import PlainTextResponse

import hub
from hub.testing import EXAMPLES, SandboxContract, listen
from plugins import zendesk
from plugins.zendesk.sandbox import ZendeskSandbox

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


class TestContract(SandboxContract):
    kinds = (
        "account.updated",
        "account.deleted",
        "contact.updated",
        "contact.left",
        "ticket.opened",
        "ticket.replied",
        "ticket.escalated",
        "ticket.solved",
        "ticket.reopened",
        "csat.rated",
    )
    more = (
        *(changed("ticket.opened", value=value) for value in (0.5, 1.0, 2.0, 4.0)),
        *(changed("ticket.escalated", value=value) for value in (1.0, 2.0, 4.0)),
        *(changed("ticket.reopened", value=value) for value in (1.0, 4.0)),
        *(changed("csat.rated", value=value) for value in (0.0, 0.25, 0.5, 1.0)),
    )

    def sandbox(self):
        return ZendeskSandbox()

    def source(self, settings):
        (source,) = zendesk.register_sources(settings)
        return source


def heard(sandbox, pings):
    (source,) = zendesk.register_sources(sandbox.settings(URL))
    hooks = [hub.Webhook(path=p.path, headers=p.headers, body=p.body) for p in pings]
    return [event for hook in hooks for event in listen(source, hook, datetime.now(UTC))]


def delivered(sandbox, *deliveries, settings=None, polls=5):
    """Push with the real sink over the sandbox's API, polling until the job has said what became of it."""

    async def push():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox.app)) as http:
            (sink,) = zendesk.register_sinks(sandbox.settings(URL) | (settings or {}), http)
            outcomes = await sink.push(deliveries)
            for _ in range(polls):
                if not (jobs := {o.job for o in outcomes if isinstance(o, hub.Pending)}):
                    break
                outcomes = await sink.poll(jobs.pop(), deliveries)
            return list(outcomes), await http.get(URL + "/")

    return asyncio.run(push())


def delivery(reference, **fields):
    return hub.Delivery(key="k", account="acc_1", target=reference, fields=fields)


@pytest.fixture
def known():
    """A sandbox that knows Northwind, and Northwind's reference."""
    sandbox = ZendeskSandbox()
    (event,) = heard(sandbox, sandbox.happen(EXAMPLES["account.updated"]))
    return sandbox, event.account


def test_health_reaches_the_record_through_a_job_and_shows_on_the_page(known):
    sandbox, reference = known
    (sink,) = zendesk.register_sinks(sandbox.settings(URL), httpx.AsyncClient())
    outcomes, page = delivered(sandbox, delivery(reference, **sink.fields(HEALTH)))
    assert outcomes == [hub.Ok()]
    (record,) = sandbox.organizations.values()
    assert record["organization_fields"]["pulsehub_health"] == 41
    assert "3 &lt;urgent&gt; tickets open" in page.text
    assert "at risk" in page.text


def test_our_own_writes_come_back_as_pings_that_say_nothing(known):
    sandbox, reference = known
    (sink,) = zendesk.register_sinks(sandbox.settings(URL), httpx.AsyncClient())
    delivered(sandbox, delivery(reference, **sink.fields(HEALTH)))
    echoes = sandbox.echoes()
    assert len(echoes) == 5
    assert heard(sandbox, echoes) == []
    assert sandbox.echoes() == []


def test_somebody_else_changing_a_field_is_news(known):
    sandbox, reference = known
    delivered(sandbox, delivery(reference, plan="enterprise"))
    (event,) = heard(sandbox, sandbox.echoes())
    assert (event.kind, event.properties["plan"]) == ("account.updated", "enterprise")


def test_a_locked_record_is_tried_again_and_a_missing_one_is_not(known):
    sandbox, reference = known
    sandbox.faults.locked.add(int(reference.rpartition(":")[2]))
    outcomes, _ = delivered(sandbox, delivery(reference), delivery("zendesk:organization:7"))
    assert [type(o) for o in outcomes] == [hub.Retry, hub.Reject]


def test_a_slow_job_stays_pending(known):
    sandbox, reference = known
    sandbox.faults.polls = 3
    assert isinstance(delivered(sandbox, delivery(reference), polls=3)[0][0], hub.Pending)
    assert delivered(sandbox, delivery(reference), polls=4)[0] == [hub.Ok()]


def test_a_wrong_token_is_refused(known):
    sandbox, reference = known
    with pytest.raises(hub.CredentialsError):
        delivered(sandbox, delivery(reference), settings={"PULSEHUB_ZENDESK_TOKEN": "wrong"})


def test_the_limit_of_calls_a_minute_is_enforced_and_respected(known):
    sandbox, reference = known
    sandbox.faults.limit = 2
    with pytest.raises(hub.RateLimitedError) as caught:
        delivered(sandbox, delivery(reference))
    assert 0 < caught.value.after <= 60


def test_a_fault_happens_once(known):
    sandbox, reference = known
    sandbox.faults.answers.append(PlainTextResponse("Service unavailable", 503))
    with pytest.raises(hub.RetryLaterError):
        delivered(sandbox, delivery(reference))
    assert delivered(sandbox, delivery(reference))[0] == [hub.Ok()]


def test_organizations_are_listed_for_those_who_may_see_them(known):
    sandbox, _ = known

    async def ask(auth):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox.app)) as http:
            return await http.get(URL + "/api/v2/organizations.json", auth=auth)

    assert asyncio.run(ask(None)).status_code == 401
    settings = sandbox.settings(URL)
    auth = (settings["PULSEHUB_ZENDESK_EMAIL"] + "/token", settings["PULSEHUB_ZENDESK_TOKEN"])
    (record,) = asyncio.run(ask(auth)).json()["organizations"]
    assert (record["name"], record["external_id"]) == ("Northwind Traders", "northwind")


def test_more_than_a_hundred_organizations_at_once_are_refused(known):
    sandbox, reference = known
    outcomes, _ = delivered(sandbox, *[delivery(reference)] * 101)
    assert all(isinstance(o, hub.Reject) for o in outcomes)
