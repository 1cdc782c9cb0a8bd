from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from pydantic import SecretStr

import hub
from plugins.zendesk.client import Client, _raise_for

ERRORS = (hub.RejectedError, hub.RetryLaterError, hub.CredentialsError)


def meaning(status, text="", **headers):
    try:
        _raise_for(httpx.Response(status, text=text, headers={k.replace("_", "-"): v for k, v in headers.items()}))
    except hub.HubError as error:
        return error
    return None


def calling(answer, clock=lambda: 0.0):
    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return Client(http, "https://acme.zendesk.com", "robin@acme.example", SecretStr("t0ken"), clock)


def update(client):
    return asyncio.run(client.update_organizations([{"id": 42, "organization_fields": {}}]))


def test_every_status_says_what_happens_next():
    for status in range(200, 600):
        error = meaning(status)
        assert isinstance(error, ERRORS) if status >= 300 else error is None, status


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, hub.RetryLaterError),
        (400, hub.RejectedError),
        (401, hub.CredentialsError),
        (403, hub.CredentialsError),
        (404, hub.RejectedError),
        (409, hub.RetryLaterError),
        (413, hub.RejectedError),
        (422, hub.RejectedError),
        (429, hub.RateLimitedError),
        (500, hub.RetryLaterError),
        (503, hub.RetryLaterError),
    ],
)
def test_a_status_means(status, kind):
    assert type(meaning(status)) is kind


def test_a_limit_says_how_long_in_seconds_or_as_a_date_or_not_at_all():
    assert meaning(429, retry_after="7").after == 7
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert meaning(429, retry_after=soon).after == pytest.approx(90, abs=3)
    for nonsense in ("soon", "nan", ""):
        assert meaning(429, "Too many requests", retry_after=nonsense).after == 60
    assert meaning(429, retry_after="-5").after == 1
    assert meaning(429, retry_after="99999999").after == 3600


def test_an_outage_that_says_how_long_is_waited_for():
    assert meaning(503, retry_after="120").after == 120


def test_an_error_repeats_what_zendesk_said_but_not_all_of_it():
    said = str(meaning(422, '{"error":"RecordInvalid","description":"Record validation errors","details":{"name":[]}}'))
    assert said == "Zendesk answered 422: RecordInvalid; Record validation errors; {'name': []}"
    assert len(str(meaning(400, "x" * 5000))) < 250


def test_a_call_is_signed_with_the_agents_token():
    seen = []

    def answer(request):
        seen.append(request)
        return httpx.Response(200, json={"job_status": {"id": "j1"}})

    assert update(calling(answer)) == "j1"
    assert seen[0].url == "https://acme.zendesk.com/api/v2/organizations/update_many"
    assert seen[0].headers["authorization"] == httpx.BasicAuth("robin@acme.example/token", "t0ken")._auth_header


def test_a_job_is_asked_for_by_id_at_our_own_host_whatever_its_url_says():
    hosts = []

    def answer(request):
        hosts.append(request.url.host)
        job = {"id": "j1", "url": "https://evil.example/api/v2/job_statuses/j1.json", "status": "queued"}
        return httpx.Response(200, json={"job_status": job})

    client = calling(answer)
    asyncio.run(client.job(update(client)))
    assert hosts == ["acme.zendesk.com", "acme.zendesk.com"]


def test_an_id_that_could_lead_elsewhere_is_never_asked_for():
    client = calling(lambda _: pytest.fail("nothing may be sent"))
    for job in ("../users/me", "//evil.example", "a?b", ""):
        with pytest.raises(hub.RejectedError):
            asyncio.run(client.job(job))
    with pytest.raises(hub.RetryLaterError):
        update(calling(lambda _: httpx.Response(200, json={"job_status": {"id": "../users/me"}})))


def test_when_nothing_remains_of_the_minute_we_wait_by_ourselves():
    now, calls = [100.0], []

    def answer(request):
        calls.append(request)
        headers = {"ratelimit-remaining": "0", "ratelimit-reset": "41"}
        return httpx.Response(200, json={"job_status": {"id": "j1"}}, headers=headers)

    client = calling(answer, lambda: now[0])
    update(client)
    now[0] = 120.0
    with pytest.raises(hub.RateLimitedError) as caught:
        update(client)
    assert (caught.value.after, len(calls)) == (21.0, 1)
    now[0] = 142.0
    update(client)
    assert len(calls) == 2
