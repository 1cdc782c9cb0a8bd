"""A Stripe without money: it keeps customers, subscriptions and invoices, and sends signed webhooks about them."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

import hub
from plugins.stripe.records import Records

API_VERSION: Final = "2025-08-27.basil"
SHOWN: Final = 200
MOST: Final = 100


class StripeSandbox:
    """A `hub.Sandbox` that speaks like Stripe's API of 2025-08-27.

    Args:
        secret: what its webhooks are signed with.
        clock: unix seconds; the stamp of a signature, however old the news it signs.
    """

    vendor: str = "stripe"

    def __init__(self, secret: str = "whsec_sandbox", clock: Callable[[], float] = time.time) -> None:  # noqa: S107 - a sandbox has no secrets
        self._secret = secret
        self._clock = clock
        self._records = Records()
        routes = [
            Route("/", self._page),
            Route("/v1/{kind}", self._list),
            Route("/v1/{kind}/{key}", self._one),
        ]
        self.app: Any = Starlette(routes=routes)

    def settings(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - nothing is fetched from a Stripe yet
        """The signing secret; webhooks are all that is read."""
        return {"PULSEHUB_STRIPE_SIGNING_SECRET": self._secret}

    def happen(self, event: hub.Event) -> Sequence[hub.Ping]:
        """One webhook, of the type Stripe has for this kind."""
        told = self._records.tell(event)
        if told is None:
            return []
        return [self._sign(json.dumps({"api_version": API_VERSION} | told).encode())]

    def happen_many(self, events: Sequence[hub.Event]) -> Sequence[hub.Ping]:
        """The same for several; Stripe sends each by itself."""
        return [ping for event in events for ping in self.happen(event)]

    def echoes(self) -> Sequence[hub.Ping]:
        """None: nobody writes to a Stripe."""
        return []

    def showing(self) -> None:
        """Nothing of ours is shown in Stripe."""

    def _sign(self, body: bytes) -> hub.Ping:
        stamp = str(int(self._clock()))
        signature = hmac.new(self._secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json; charset=utf-8", "stripe-signature": f"t={stamp},v1={signature}"}
        return hub.Ping(path="/in/stripe", headers=headers, body=body)

    async def _list(self, request: Request) -> Response:
        """`GET /v1/events?types[]=&created[gte]=&limit=&starting_after=&ending_before=`, newest first, and its like."""
        if refused := _unauthorized(request):
            return refused
        kind, query = request.path_params["kind"], request.query_params
        found = self._records.newest_first(kind)
        if found is None:
            return _error(404, f"Unrecognized request URL (GET: /v1/{kind}).")
        limit, since = query.get("limit", "10"), query.get("created[gte]", "0")
        if not limit.isdecimal() or not 1 <= int(limit) <= MOST:
            return _error(400, f"This value must be between 1 and {MOST}.", "limit")
        if not since.isdecimal():
            return _error(400, f"Invalid integer: {since}", "created[gte]")
        types = query.getlist("types[]")
        ours = [r for r in found if r["created"] >= int(since) and (not types or r.get("type") in types)]
        ours = [r for r in ours if query.get("customer") in (None, r.get("customer"))]
        keys = [r["id"] for r in ours]
        start, end = 0, len(ours)
        for name in ("starting_after", "ending_before"):
            if (mark := query.get(name)) and mark not in keys:
                return _error(400, f"No such object: '{mark}'", name)
        if mark := query.get("starting_after"):
            start = keys.index(mark) + 1
        if mark := query.get("ending_before"):
            end = keys.index(mark)
            start = max(0, end - int(limit))
            more = start > 0
        else:
            end = min(end, start + int(limit))
            more = end < len(ours)
        return JSONResponse({"object": "list", "url": f"/v1/{kind}", "has_more": more, "data": ours[start:end]})

    async def _one(self, request: Request) -> Response:
        if refused := _unauthorized(request):
            return refused
        kind, key = request.path_params["kind"], request.path_params["key"]
        record = next((r for r in self._records.newest_first(kind) or [] if r["id"] == key), None)
        return JSONResponse(record) if record else _error(404, f"No such {kind.removesuffix('s')}: '{key}'", "id")

    async def _page(self, _request: Request) -> Response:
        records = self._records
        lead = f"A stand-in for Stripe: {records.sent} webhooks sent. Nothing here is worth anything."
        return HTMLResponse(hub.sandbox_page("Stripe sandbox", lead, records.tables(SHOWN)))


def _unauthorized(request: Request) -> Response | None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() in ("basic", "bearer") and key:
        return None
    return _error(401, "You did not provide an API key.")


def _error(status: int, message: str, param: str | None = None) -> Response:
    wrong = {"type": "invalid_request_error", "message": message} | ({"param": param} if param else {})
    return JSONResponse({"error": wrong}, status)
