"""The part of Zendesk's API we speak, and what each of its answers means to us."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx
from pydantic import SecretStr

import hub

_PATIENCE: Final = 60.0  # seconds to wait after a 429 that does not say how long; Zendesk counts by the minute
_LONGEST: Final = 3600.0  # no wait is longer: a header that asks for a year is a mistake
_JOB: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


class Client:
    """Calls to one Zendesk account, over a client it is handed.

    Every method raises `CredentialsError` where our token is refused, `RateLimitedError` where Zendesk asks us to
    wait, `RetryLaterError` where it is out of order, `RejectedError` where the request itself is wrong.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        email: str,
        token: SecretStr,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._url = url
        self._auth = httpx.BasicAuth(f"{email}/token", token.get_secret_value())
        self._clock = clock
        self._not_before = 0.0

    async def update_organizations(self, organizations: Sequence[Mapping[str, Any]]) -> str:
        """Update up to 100 organizations by their `id`; the answer is the id of the job that does it."""
        reply = await self._call("PUT", "/api/v2/organizations/update_many", {"organizations": list(organizations)})
        job = _object(reply, "job_status").get("id")
        if not isinstance(job, str) or not _JOB.fullmatch(job):
            raise hub.RetryLaterError("Zendesk took the update but named no job")
        return job

    async def job(self, job: str) -> Mapping[str, Any]:
        """How a job is: `status` (queued, working, completed, failed, killed) and `results`.

        Asked by its id at our own address: the absolute URL in Zendesk's payload may name another host, which would
        be sent our token.
        """
        if not _JOB.fullmatch(job):
            raise hub.RejectedError(f"{job!r} is no id of a Zendesk job")
        return _object(await self._call("GET", f"/api/v2/job_statuses/{job}"), "job_status")

    async def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        wait = self._not_before - self._clock()
        if wait > 0:
            raise hub.RateLimitedError("Zendesk's limit of requests a minute is used up", wait)
        try:
            reply = await self._http.request(method, self._url + path, json=body, auth=self._auth)
        except httpx.HTTPError as error:
            raise hub.RetryLaterError(f"cannot reach {self._url}: {type(error).__name__}") from None
        self._remember(reply.headers)
        _raise_for(reply)
        try:
            found = reply.json()
        except ValueError:
            raise hub.RetryLaterError(f"Zendesk answered {path} with something that is not JSON") from None
        if not isinstance(found, dict):
            raise hub.RetryLaterError(f"Zendesk answered {path} with something that is no object")
        return found

    def _remember(self, headers: httpx.Headers) -> None:
        """Wait for the next window by ourselves once the headers say that nothing remains of this one."""
        remaining = headers.get("ratelimit-remaining") or headers.get("x-rate-limit-remaining")
        if remaining == "0":
            self._not_before = self._clock() + (_seconds(headers.get("ratelimit-reset", "")) or _PATIENCE)


def _raise_for(reply: httpx.Response) -> None:
    """Turn a status into what happens next; nothing for a success."""
    status = reply.status_code
    if reply.is_success:
        return
    said = f"Zendesk answered {status}: {_said(reply)}"
    after = _seconds(reply.headers.get("retry-after", ""))
    match status:
        case 401 | 403:
            raise hub.CredentialsError(said)
        case 429:  # may be plain text, may lack the header
            raise hub.RateLimitedError(said, after or _PATIENCE)
        case 408 | 409 | 423 | 425:
            raise hub.RetryLaterError(said)
        case _ if status >= httpx.codes.INTERNAL_SERVER_ERROR and after:
            raise hub.RateLimitedError(said, after)
        case _ if status >= httpx.codes.INTERNAL_SERVER_ERROR or status < httpx.codes.BAD_REQUEST:
            raise hub.RetryLaterError(said)  # a redirect too: following it could carry our token elsewhere
        case _:
            raise hub.RejectedError(said)


def _said(reply: httpx.Response) -> str:
    try:
        found = reply.json()
    except ValueError:
        return " ".join(reply.text.split())[:200]
    if not isinstance(found, dict):
        return str(found)[:200]
    words = [found.get("error"), found.get("description"), found.get("details")]
    return "; ".join(str(word) for word in words if word)[:200] or str(found)[:200]


def _seconds(header: str) -> float | None:
    """Seconds that a `Retry-After` (a number, or a date) asks for, between 1 and 3600; None if it says nothing."""
    try:
        wait = float(header)
    except ValueError:
        try:
            wait = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(wait, 1.0), _LONGEST) if wait == wait else None  # noqa: PLR0124 - NaN alone differs from itself


def _object(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = found.get(key)
    if not isinstance(inner, dict):
        raise hub.RetryLaterError(f"Zendesk's answer has no {key}")
    return inner
