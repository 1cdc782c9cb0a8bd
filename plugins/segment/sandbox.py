"""A product whose people click when told to, and its Segment client."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

import hub

SHOWN: Final = 200
A_BATCH: Final = 100
"""Calls a client sends at once, as Segment's own do."""
CALLS: Final = {
    "account.updated": "group",
    "contact.identified": "identify",
    "contact.left": "delete",
    "session.started": "track",
    "usage.tracked": "track",
}
"""Segment's call for each kind that a product can see."""
GROUP_TRAITS: Final = ("name", "plan", "status", "owner", "owner_email", "renewal_on")


class SegmentSandbox:
    """A `hub.Sandbox` that sends what a client of Segment's sends.

    Its calls carry no `sentAt`, as imports of old data do, so that history arrives with the times it was given
    however long the sending takes.

    Args:
        write_key: what its calls show.
    """

    vendor: str = "segment"

    def __init__(self, write_key: str = "sandbox-write-key") -> None:
        self._write_key = write_key
        token = base64.b64encode(f"{write_key}:".encode()).decode()
        self._headers = {"authorization": f"Basic {token}", "content-type": "application/json"}
        self._recent: deque[Mapping[str, object]] = deque(maxlen=SHOWN)
        self._sent = 0
        self.app: Any = Starlette(routes=[Route("/", self._page)])

    def settings(self, url: str) -> Mapping[str, str]:  # noqa: ARG002 - nothing is fetched from a Segment
        """The write key; Segment only ever pushes."""
        return {"PULSEHUB_SEGMENT_WRITE_KEY": self._write_key}

    def happen(self, event: hub.Event) -> Sequence[hub.Ping]:
        """One call, in a batch of its own."""
        return self.happen_many([event])

    def happen_many(self, events: Iterable[hub.Event]) -> list[hub.Ping]:
        """Calls for all the events Segment knows, up to 100 in one request, in their order."""
        calls = [self._call(event) for event in events if event.kind in CALLS]
        self._sent += len(calls)
        parts = [calls[start : start + A_BATCH] for start in range(0, len(calls), A_BATCH)]
        return [
            hub.Ping(path="/v1/batch", headers=self._headers, body=json.dumps({"batch": part}).encode())
            for part in parts
        ]

    def echoes(self) -> Sequence[hub.Ping]:
        """None: nobody writes to a Segment."""
        return []

    def showing(self) -> None:
        """Segment keeps no records of customers."""

    def _call(self, event: hub.Event) -> Mapping[str, Any]:
        call: dict[str, Any] = {
            "type": CALLS[event.kind],
            "messageId": _message_id(event),
            "timestamp": event.occurred_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "context": {"library": {"name": "analytics-python", "version": "2.4.0"}, "groupId": event.account},
            "integrations": {},
        }
        call |= {"userId": event.contact} if event.contact else {"anonymousId": f"server-{event.account}"}
        call |= _said(event)
        self._recent.append(
            {
                "when": f"{event.occurred_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
                "call": call["type"],
                "event": call.get("event"),
                "group": event.account,
                "user": event.contact,
            }
        )
        return call

    async def _page(self, _request: Request) -> Response:
        lead = f"A stand-in for a product that reports to Segment: {self._sent} calls sent."
        recent = {"Recent calls": list(reversed(self._recent))}
        return HTMLResponse(hub.sandbox_page("Segment sandbox", lead, recent))


def _said(event: hub.Event) -> Mapping[str, Any]:
    """What the call says beside who and when."""
    facts = event.properties
    match CALLS[event.kind]:
        case "group":
            traits: dict[str, hub.Scalar] = {name: facts[name] for name in GROUP_TRAITS if name in facts}
            if "domain" in facts:
                traits["website"] = f"https://www.{facts['domain']}/"
            return {"groupId": event.account, "traits": traits}
        case "identify":
            named = (("email", "email"), ("name", "contact_name"))
            return {"traits": {trait: facts[name] for trait, name in named if name in facts}}
        case "track":
            told: dict[str, Any] = {} if event.value is None else {"value": event.value}
            if event.amount is not None:
                told |= {"revenue": str(event.amount), "currency": event.currency}
            started = event.kind == "session.started"
            return {"event": "Session Started" if started else facts.get("event", "Feature Used"), "properties": told}
        case _:
            return {}


def _message_id(event: hub.Event) -> str:
    facts = f"{event.id}\0{event.kind}\0{event.occurred_at.timestamp()}".encode()
    return f"sandbox-{hashlib.blake2b(facts, digest_size=12).hexdigest()}"
