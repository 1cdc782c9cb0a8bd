from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qs

import httpx
import pytest
from pydantic import SecretStr

import hub
from plugins.salesforce.client import Client, _raise_for

ERRORS = (hub.RejectedError, hub.RetryLaterError, hub.CredentialsError)
EXPIRED = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
USED_UP = [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]


def meaning(status, body=None, **headers):
    reply = httpx.Response(status, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})
    try:
        _raise_for(reply)
    except hub.HubError as error:
        return error
    return None


class Org:
    """An organization that answers what it is told to, and remembers what it was asked."""

    def __init__(self, *answers, login=None):
        self.answers = list(answers)
        self.login = login or (lambda: httpx.Response(200, json={"access_token": f"token-{len(self.asked)}"}))
        self.asked = []

    def __call__(self, request):
        self.asked.append(request)
        return self.login() if request.url.path == "/services/oauth2/token" else self.answers.pop(0)

    def upsert(self, times=1):
        async def call():
            async with httpx.AsyncClient(transport=httpx.MockTransport(self)) as http:
                client = Client(http, "https://acme.my.salesforce.com", "app", SecretStr("s3cret"))
                for _ in range(times):
                    found = await client.upsert("Account", "Pulsehub_Key__c", [{"Pulsehub_Key__c": "ACME-1"}])
                return found

        return asyncio.run(call())


def ok():
    return httpx.Response(200, json=[{"success": True}])


def test_every_status_says_what_happens_next():
    for status in range(200, 600):
        for body in (None, [], {}, "x", EXPIRED, [{"errorCode": 7}], {"error": "x"}):
            error = meaning(status, body)
            assert isinstance(error, ERRORS) if status >= 300 else error is None, (status, body)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (300, "", hub.RejectedError),
        (302, "", hub.RetryLaterError),
        (400, "INVALID_FIELD", hub.RejectedError),
        (400, "UNABLE_TO_LOCK_ROW", hub.RetryLaterError),
        (401, "INVALID_SESSION_ID", hub.CredentialsError),
        (403, "INSUFFICIENT_ACCESS", hub.CredentialsError),
        (403, "REQUEST_LIMIT_EXCEEDED", hub.RateLimitedError),
        (404, "NOT_FOUND", hub.RejectedError),
        (409, "", hub.RetryLaterError),
        (429, "", hub.RateLimitedError),
        (500, "UNKNOWN_EXCEPTION", hub.RetryLaterError),
        (503, "SERVER_UNAVAILABLE", hub.RetryLaterError),
    ],
)
def test_a_status_and_its_code_mean(status, code, kind):
    assert type(meaning(status, [{"errorCode": code, "message": "m"}])) is kind


def test_an_exhausted_allowance_is_a_403_and_comes_back_slowly():
    assert meaning(403, USED_UP).after == 900
    assert meaning(403, USED_UP, retry_after="30").after == 30


def test_a_limit_says_how_long_in_seconds_or_as_a_date_or_not_at_all():
    assert meaning(429, retry_after="7").after == 7
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert meaning(429, retry_after=soon).after == pytest.approx(90, abs=3)
    assert meaning(429, retry_after="nan").after == 60
    assert meaning(503, retry_after="99999").after == 3600


def test_the_app_logs_in_once_and_says_who_it_is_in_every_write():
    org = Org(ok(), ok())
    org.upsert(times=2)
    login, *writes = org.asked
    assert parse_qs(login.content.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["app"],
        "client_secret": ["s3cret"],
    }
    assert [w.headers["authorization"] for w in writes] == ["Bearer token-1"] * 2
    assert [w.headers["sforce-call-options"] for w in writes] == ["client=app"] * 2
    assert writes[0].method == "PATCH"
    assert writes[0].url.path == "/services/data/v61.0/composite/sobjects/Account/Pulsehub_Key__c"


def test_a_session_that_is_over_is_renewed_once_and_the_call_made_once_more():
    org = Org(httpx.Response(401, json=EXPIRED), ok())
    assert org.upsert() == [{"success": True}]
    assert [r.url.path.rpartition("/")[2] for r in org.asked] == [
        "token",
        "Pulsehub_Key__c",
        "token",
        "Pulsehub_Key__c",
    ]
    assert org.asked[3].headers["authorization"] == "Bearer token-3"


def test_a_renewed_session_that_is_refused_too_needs_a_person():
    org = Org(*(httpx.Response(401, json=EXPIRED) for _ in range(2)))
    with pytest.raises(hub.CredentialsError, match="INVALID_SESSION_ID"):
        org.upsert()
    assert len(org.asked) == 4


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_login_needs_a_person_and_tells_why_without_the_secret(status):
    body = {"error": "invalid_client", "error_description": "invalid client credentials"}
    org = Org(login=lambda: httpx.Response(status, json=body))
    with pytest.raises(hub.CredentialsError, match="invalid_client: invalid client credentials") as caught:
        org.upsert()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("status", [302, 429, 500, 503])
def test_a_login_that_fails_for_now_is_tried_later(status):
    with pytest.raises(hub.RetryLaterError):
        Org(login=lambda: httpx.Response(status, text="maintenance")).upsert()


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"access_token": 7}', '{"access_token": "a\\nb"}', "<html>"])
def test_a_login_without_a_token_is_tried_later(text):
    with pytest.raises(hub.RetryLaterError):
        Org(login=lambda: httpx.Response(200, text=text)).upsert()


def test_the_token_never_goes_to_the_host_that_the_login_names():
    login = {"access_token": "t", "instance_url": "https://evil.example"}
    org = Org(ok(), login=lambda: httpx.Response(200, json=login))
    org.upsert()
    assert {r.url.host for r in org.asked} == {"acme.my.salesforce.com"}
