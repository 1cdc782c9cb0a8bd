"""The part of Salesforce's API we speak, and what each of its answers means to us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx
from pydantic import SecretStr

import hub

_PATIENCE: Final = 60.0  # seconds to wait after a 429 that does not say how long
_ALLOWANCE: Final = 900.0  # after the calls of the last 24 hours are used up; they come back one by one
_LONGEST: Final = 3600.0
_TRANSIENT: Final = frozenset({"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "REQUEST_RUNNING_TOO_LONG", "QUERY_TIMEOUT"})


class Client:
    """Calls to one organization as a connected app, over a client it is handed.

    Every method raises `CredentialsError` where the app is refused, `RateLimitedError` where Salesforce asks us to
    wait, `RetryLaterError` where it is out of order, `RejectedError` where the request itself is wrong.
    """

    def __init__(
        self, http: httpx.AsyncClient, url: str, client_id: str, client_secret: SecretStr, version: str = "61.0"
    ) -> None:
        self._http = http
        self._url = url
        self._client_id = client_id
        self._client_secret = client_secret
        self._data = f"/services/data/v{version}"
        self._token: str | None = None

    async def upsert(self, sobject: str, key: str, records: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Write up to 200 records of one type by their external id; the results are in their order.

        A success says nothing of the single record: each result has its own `success` and `errors`.
        """
        body = {"allOrNone": False, "records": [{"attributes": {"type": sobject}, **record} for record in records]}
        found = await self._call("PATCH", f"{self._data}/composite/sobjects/{sobject}/{key}", body)
        if not isinstance(found, list):
            raise hub.RetryLaterError("Salesforce answered a collection with something that is no list")
        return found

    async def _call(self, method: str, path: str, body: Mapping[str, Any]) -> object:
        token = self._token or await self._login()
        reply = await self._send(method, path, token, body)
        if reply.status_code == httpx.codes.UNAUTHORIZED:  # the session is over: one new one, one more attempt
            reply = await self._send(method, path, await self._login(), body)
        _raise_for(reply)
        return _json(reply)

    async def _send(self, method: str, path: str, token: str, body: Mapping[str, Any]) -> httpx.Response:
        headers = {
            "authorization": f"Bearer {token}",
            # comes back as `changeOrigin` of the change events our writes cause: how we know our own echo
            "sforce-call-options": f"client={self._client_id}",
        }
        try:
            return await self._http.request(method, self._url + path, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise hub.RetryLaterError(f"cannot reach {self._url}: {type(error).__name__}") from None

    async def _login(self) -> str:
        """A new session. Its `instance_url` is not followed: the token stays with the host an operator named."""
        self._token = None
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._client_secret.get_secret_value(),
        }
        try:
            reply = await self._http.post(f"{self._url}/services/oauth2/token", data=form)
        except httpx.HTTPError as error:
            raise hub.RetryLaterError(f"cannot reach {self._url}: {type(error).__name__}") from None
        if reply.status_code in {httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise hub.CredentialsError(f"Salesforce refused the connected app: {_said(reply)[1]}")
        _raise_for(reply)
        found = _json(reply)
        token = found.get("access_token") if isinstance(found, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise hub.RetryLaterError("Salesforce's answer to the login has no access token")
        self._token = token
        return token


def _raise_for(reply: httpx.Response) -> None:
    """Turn a status, and the error code beside it, into what happens next; nothing for a success."""
    if reply.is_success:
        return
    status = reply.status_code
    code, words = _said(reply)
    said = f"Salesforce answered {status}: {words}"
    after = _seconds(reply.headers.get("retry-after", ""))
    match status, code:
        case 403, "REQUEST_LIMIT_EXCEEDED":  # not 429
            raise hub.RateLimitedError(said, after or _ALLOWANCE)
        case 429, _:
            raise hub.RateLimitedError(said, after or _PATIENCE)
        case _ if code in _TRANSIENT:
            raise hub.RetryLaterError(said)
        case ((401 | 403), _):
            raise hub.CredentialsError(said)
        case ((408 | 409 | 420 | 423 | 425), _):
            raise hub.RetryLaterError(said)
        case 300, _:  # the external id is not unique
            raise hub.RejectedError(said)
        case _ if status >= httpx.codes.INTERNAL_SERVER_ERROR and after:
            raise hub.RateLimitedError(said, after)
        case _ if status >= httpx.codes.INTERNAL_SERVER_ERROR or status < httpx.codes.BAD_REQUEST:
            raise hub.RetryLaterError(said)  # a redirect too: following it could carry our token elsewhere
        case _:
            raise hub.RejectedError(said)


def _said(reply: httpx.Response) -> tuple[str, str]:
    """The error's code and its words: `[{message, errorCode}]` of the API, `{error, error_description}` of logins."""
    try:
        found = reply.json()
    except ValueError:
        return "", " ".join(reply.text.split())[:200]
    first = found[0] if isinstance(found, list) and found else found
    if not isinstance(first, dict):
        return "", str(found)[:200]
    code = str(first.get("errorCode") or first.get("error") or "")
    words = str(first.get("message") or first.get("error_description") or "")
    return code, f"{code}: {words}"[:200]


def _json(reply: httpx.Response) -> object:
    try:
        found: object = reply.json()
    except ValueError:
        raise hub.RetryLaterError("Salesforce answered with something that is not JSON") from None
    return found


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
