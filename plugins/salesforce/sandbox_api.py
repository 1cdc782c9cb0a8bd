"""The sandbox's API: what our client calls, with Salesforce's sessions, limits and errors inside successes."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

CLIENT_ID: Final = "3MVG9.pulsehub.sandbox"
CLIENT_SECRET: Final = "salesforce-sandbox-client-secret"  # noqa: S105 - of a sandbox
KEY: Final = "Pulsehub_Key__c"
_MOST: Final = 200  # records in one collection
_WRITABLE: Final = frozenset(
    {"Health_Score__c", "Health_Band__c", "Health_Drivers__c", "Churn_Risk__c", "Health_As_Of__c", "Plan__c"}
)


@dataclass(slots=True)
class Faults:
    """What is broken.

    Attributes:
        answers: answered to the next calls instead of doing anything, first to last.
        locked: keys of accounts that somebody else is writing just now.
        limit: calls a day before every other is refused.
    """

    answers: list[Response] = field(default_factory=list)
    locked: set[str] = field(default_factory=set)
    limit: int = 100_000


class Records(Protocol):
    """What the API serves; `lock` is held while it does."""

    lock: threading.Lock
    faults: Faults
    accounts: dict[str, dict[str, Any]]

    def page(self) -> str:
        """The page at `/`."""

    def wrote(self, account: Mapping[str, Any], fields: Sequence[str], client: str) -> None:
        """A call changed an account's fields."""


class Api:
    """An ASGI application over the records."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._sessions: set[str] = set()
        self._used = 0
        data = "/services/data/v{version}"
        self.app = Starlette(
            routes=[
                Route("/", self._page),
                Route("/services/oauth2/token", self._login, methods=["POST"]),
                Route(data + "/composite/sobjects/Account/{field}", self._upsert, methods=["PATCH"]),
                Route(data + "/query", self._query),
            ],
        )
        self.app.state.end_sessions = self._sessions.clear  # for tests of what happens when one is over

    async def _page(self, _: Request) -> Response:
        with self._records.lock:
            return HTMLResponse(self._records.page())

    async def _login(self, request: Request) -> Response:
        form = {name: values[-1] for name, values in parse_qs((await request.body()).decode()).items()}
        if form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type", "error_description": "not supported"}, 400)
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return JSONResponse({"error": "invalid_client", "error_description": "invalid client credentials"}, 400)
        token = f"00DSB!{uuid.uuid4().hex}"
        self._sessions.add(token)
        home = str(request.base_url).rstrip("/")
        return JSONResponse({"access_token": token, "instance_url": home, "token_type": "Bearer", "scope": "api"})

    async def _upsert(self, request: Request) -> Response:
        body = await request.body()
        options = request.headers.get("sforce-call-options", "")
        client = next((p.strip()[7:] for p in options.split(",") if p.strip().startswith("client=")), "")

        def upsert() -> Response:
            if request.path_params["field"] != KEY:
                said = f"Provided external ID field does not exist or is not accessible: {request.path_params['field']}"
                return _error(404, "NOT_FOUND", said)
            try:
                records = [dict(r) for r in json.loads(body)["records"]]
            except (ValueError, KeyError, TypeError):
                return _error(400, "JSON_PARSER_ERROR", "a list of records is expected")
            if not 0 < len(records) <= _MOST:
                return _error(
                    400, "EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {_MOST} records"
                )
            return JSONResponse([self._write(record, client) for record in records])

        return self._guarded(request, upsert)

    async def _query(self, request: Request) -> Response:
        def query() -> Response:
            if "from account" not in request.query_params.get("q", "").lower():
                return _error(400, "INVALID_TYPE", "only Account can be queried here")
            found = sorted(self._records.accounts.values(), key=lambda account: str(account["Name"]))
            rows = [{"attributes": {"type": "Account"}, **account} for account in found]
            return JSONResponse({"totalSize": len(rows), "done": True, "records": rows})

        return self._guarded(request, query)

    def _write(self, record: Mapping[str, Any], client: str) -> dict[str, Any]:
        key = str(record.get(KEY))
        account = next((a for a in self._records.accounts.values() if a[KEY] == key), None)
        fields = {name: value for name, value in record.items() if name not in {KEY, "attributes"}}
        if account is None:
            return _refused("REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", ["Name"])
        if key in self._records.faults.locked:
            return _refused("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record", [])
        if strange := sorted(fields.keys() - _WRITABLE):
            return _refused("INVALID_FIELD", f"No such column '{strange[0]}' on sobject of type Account", [])
        changed = [name for name, value in fields.items() if account.get(name) != value]
        account |= fields
        if changed:
            self._records.wrote(account, changed, client)
        return {"id": account["Id"], "success": True, "errors": [], "created": False}

    def _guarded(self, request: Request, do: Callable[[], Response]) -> Response:
        """Faults, the session and the limit first; then the call."""
        faults = self._records.faults
        with self._records.lock:
            self._used += 1
            if faults.answers:
                return faults.answers.pop(0)
            if request.headers.get("authorization", "").removeprefix("Bearer ") not in self._sessions:
                return _error(401, "INVALID_SESSION_ID", "Session expired or invalid")
            if self._used > faults.limit:
                return _error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
            answer = do()
        answer.headers["sforce-limit-info"] = f"api-usage={self._used}/{faults.limit}"
        return answer


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse([{"message": message, "errorCode": code}], status)


def _refused(code: str, message: str, fields: Sequence[str]) -> dict[str, Any]:
    return {"success": False, "errors": [{"statusCode": code, "message": message, "fields": list(fields)}]}
