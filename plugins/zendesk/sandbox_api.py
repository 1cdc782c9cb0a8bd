"""The sandbox's API: what our client calls, with Zendesk's credentials, limits and jobs."""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

EMAIL: Final = "robin@pulsehub.example"
TOKEN: Final = "zendesk-sandbox-token"  # noqa: S105 - of a sandbox
_MOST: Final = 100  # organizations in one update
_MINUTE: Final = 60.0


@dataclass(slots=True)
class Faults:
    """What is broken.

    Attributes:
        answers: answered to the next calls instead of doing anything, first to last.
        locked: ids of organizations that cannot be written just now; their results say so.
        polls: how often a job is still at work before it says what became of it.
        limit: calls a minute before it answers 429.
    """

    answers: list[Response] = field(default_factory=list)
    locked: set[int] = field(default_factory=set)
    polls: int = 1
    limit: int = 700


class Records(Protocol):
    """What the API serves; `lock` is held while it does."""

    lock: threading.Lock
    faults: Faults
    organizations: dict[int, dict[str, Any]]

    def page(self) -> str:
        """The page at `/`."""

    def wrote(self, organization: Mapping[str, Any], key: str, previous: object, value: object) -> None:
        """A call changed an organization's field."""


class Api:
    """An ASGI application over the records."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._jobs: dict[str, dict[str, Any]] = {}
        self._minute, self._used = 0.0, 0
        calls = (
            ("GET", "/api/v2/organizations", self._list),
            ("PUT", "/api/v2/organizations/update_many", self._update_many),
            ("GET", "/api/v2/job_statuses/{job}", self._job),
        )
        self.app = Starlette(
            routes=[
                Route("/", self._page),
                *(Route(path + end, do, methods=[verb]) for verb, path, do in calls for end in (".json", "")),
            ],
        )

    async def _page(self, _: Request) -> Response:
        with self._records.lock:
            return HTMLResponse(self._records.page())

    async def _list(self, request: Request) -> Response:
        def found() -> Response:
            many = sorted(self._records.organizations.values(), key=lambda o: str(o["name"]))
            return JSONResponse({"organizations": many, "next_page": None, "previous_page": None, "count": len(many)})

        return self._guarded(request, found)

    async def _update_many(self, request: Request) -> Response:
        body = await request.body()

        def update() -> Response:
            try:
                wanted = json.loads(body)["organizations"]
                changes = [(int(o["id"]), dict(o["organization_fields"])) for o in wanted]
            except (ValueError, KeyError, TypeError):
                return _error(400, "BadRequest", "organizations with id and organization_fields are expected")
            if not 0 < len(changes) <= _MOST:
                return _error(400, "TooManyOrganizations", f"1 to {_MOST} organizations are expected")
            results = [self._write(index, number, fields) for index, (number, fields) in enumerate(changes)]
            job = uuid.uuid4().hex
            self._jobs[job] = {"results": results, "polls": self._records.faults.polls}
            return self._status(job, "queued")

        return self._guarded(request, update)

    async def _job(self, request: Request) -> Response:
        def look() -> Response:
            job = request.path_params["job"]
            if job not in self._jobs:
                return _error(404, "RecordNotFound", "Not found")
            self._jobs[job]["polls"] -= 1
            return self._status(job, "working" if self._jobs[job]["polls"] >= 0 else "completed")

        return self._guarded(request, look)

    def _status(self, job: str, status: str) -> Response:
        results = self._jobs[job]["results"]
        said = {
            "id": job,
            "url": f"https://another-pod.zendesk.example/api/v2/job_statuses/{job}.json",  # as recorded: not our host
            "total": len(results),
            "progress": len(results) if status == "completed" else None,
            "status": status,
            "message": None,
            "results": results if status == "completed" else None,
        }
        return JSONResponse({"job_status": said})

    def _write(self, index: int, number: int, fields: Mapping[str, Any]) -> dict[str, Any]:
        result = {"id": number, "index": index, "action": "update"}
        organization = self._records.organizations.get(number)
        if organization is None:
            return result | {"success": False, "error": "OrganizationNotFound", "details": "Organization not found"}
        if number in self._records.faults.locked:
            return result | {"success": False, "error": "DatabaseConflict", "details": "Conflict with another update"}
        for key, value in fields.items():
            previous = organization["organization_fields"].get(key)
            if value != previous:
                organization["organization_fields"][key] = value
                self._records.wrote(organization, key, previous, value)
        return result | {"success": True, "status": "Updated"}

    def _guarded(self, request: Request, do: Callable[[], Response]) -> Response:
        """Faults, credentials and the limit first; then the call."""
        faults = self._records.faults
        with self._records.lock:
            if time.monotonic() - self._minute > _MINUTE:
                self._minute, self._used = time.monotonic(), 0
            self._used += 1
            reset = str(max(1, int(self._minute + _MINUTE - time.monotonic())))
            if faults.answers:
                return faults.answers.pop(0)
            if request.headers.get("authorization") != _BASIC:
                return _error(401, "Couldn't authenticate you", "")
            if self._used > faults.limit:
                said = "Number of allowed API requests per minute exceeded"
                return PlainTextResponse(said, 429, {"retry-after": reset})
            answer = do()
        remaining = str(faults.limit - self._used)
        answer.headers["x-rate-limit"] = answer.headers["ratelimit-limit"] = str(faults.limit)
        answer.headers["x-rate-limit-remaining"] = answer.headers["ratelimit-remaining"] = remaining
        answer.headers["ratelimit-reset"] = reset
        return answer


def _error(status: int, error: str, description: str) -> Response:
    return JSONResponse({"error": error, "description": description}, status)


_BASIC: Final = "Basic " + base64.b64encode(f"{EMAIL}/token:{TOKEN}".encode()).decode()
