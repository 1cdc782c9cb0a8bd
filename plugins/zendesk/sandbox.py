"""A small Zendesk: tickets, people and organizations in memory, its event webhooks, its organizations API.

Never part of an installation. `faults` lets tests break it.
"""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import hub
from plugins.zendesk.page import page
from plugins.zendesk.sandbox_api import EMAIL, TOKEN, Api, Faults
from plugins.zendesk.source import sign
from plugins.zendesk.tickets import WEIGHT

ASGIApp = Callable[..., Awaitable[Any]]
SECRET: Final = "zendesk-sandbox-signing-secret"  # noqa: S105 - of a sandbox


class ZendeskSandbox:
    """A `hub.Sandbox`; ids are made of the bare keys, so that they are the same in every run."""

    vendor = "zendesk"

    def __init__(self) -> None:
        self.faults = Faults()
        self.organizations: dict[int, dict[str, Any]] = {}
        self.tickets: dict[int, dict[str, Any]] = {}
        self.users: dict[int, dict[str, Any]] = {}
        self.lock = threading.Lock()  # things happen in one thread while the API answers in another
        self._echoes: list[hub.Ping] = []
        self.app: ASGIApp = Api(self).app

    def settings(self, url: str) -> Mapping[str, str]:
        """A signing secret for the source; address, e-mail and token for the sink."""
        return {
            "PULSEHUB_ZENDESK_SIGNING_SECRET": SECRET,
            "PULSEHUB_ZENDESK_URL": url,
            "PULSEHUB_ZENDESK_EMAIL": EMAIL,
            "PULSEHUB_ZENDESK_TOKEN": TOKEN,
            "PULSEHUB_ZENDESK_PER_MINUTE": "60000",  # a stand-in tolerates any pace
        }

    # --- what happens -------------------------------------------------------------------------------------------

    def happen(self, event: hub.Event) -> Sequence[hub.Ping]:
        """Change the records and say so, as Zendesk would."""
        subject, _, what = event.kind.partition(".")
        with self.lock:
            if subject in {"ticket", "csat"} and event.entity:
                return self._ticket(event, what)
            if subject == "contact" and event.contact and what in {"updated", "left"}:
                return self._contact(event, what)
            if event.kind in {"account.updated", "account.deleted"}:
                return self._account(event, what)
        return []

    def happen_many(self, events: Sequence[hub.Event]) -> Sequence[hub.Ping]:
        """The same for several; Zendesk sends each by itself."""
        return [ping for event in events for ping in self.happen(event)]

    def echoes(self) -> Sequence[hub.Ping]:
        """What our own writes caused: one `organization.custom_field_changed` for each field."""
        with self.lock:
            echoes, self._echoes = self._echoes, []
        return echoes

    def showing(self) -> Sequence[str]:
        """Organizations whose health field is filled."""
        with self.lock:
            filled = [o for o in self.organizations.values() if "pulsehub_health" in o["organization_fields"]]
        return [str(organization["name"]) for organization in filled]

    def wrote(self, organization: Mapping[str, Any], key: str, previous: object, value: object) -> None:
        """Remember a write of a field as the webhook it causes."""
        title = key.replace("_", " ").capitalize()
        change = _change(previous, value) | {"field": {"id": str(_number("field", key, 13)), "title": title}}
        self._echoes.append(
            self._say("organization.custom_field_changed", organization, _iso(datetime.now(UTC)), change)
        )

    def page(self) -> str:
        """Its organizations as a page."""
        return page(list(self.organizations.values()), list(self.tickets.values()))

    def _ticket(self, event: hub.Event, what: str) -> list[hub.Ping]:
        organization = self._organization(event)
        number = _number("ticket", event.entity or "", 9)
        at = _iso(event.occurred_at)
        ticket = self.tickets.setdefault(number, {"id": number, "status": "NEW", "priority": None, "created_at": at})
        ticket |= {"organization_id": organization["id"], "updated_at": at}
        if event.contact:
            ticket["requester_id"] = self._user(event)["id"]
        before = dict(ticket)
        match what:
            case "opened":
                ticket |= {"created_at": at, "status": "OPEN", "description": event.text, "priority": _priority(event)}
                ticket["subject"] = (event.text or "Help, please").partition("\n")[0][:80]
                return [self._say("ticket.created", ticket, at, {})]
            case "solved" | "reopened":
                ticket["status"] = "SOLVED" if what == "solved" else "OPEN"
                if event.value is not None:
                    ticket["priority"] = _priority(event)
                previous = "OPEN" if what == "solved" else "SOLVED"
                return [self._say("ticket.status_changed", ticket, at, _change(previous, ticket["status"]))]
            case "escalated":
                ticket["priority"] = _priority(event) or "URGENT"
                earlier = _below(str(ticket["priority"]), before["priority"])
                return [self._say("ticket.priority_changed", ticket, at, _change(earlier, ticket["priority"]))]
            case "replied":
                comment = self._comment(event, ticket)
                return [self._say("ticket.comment_added", ticket, at, {"comment": comment})]
            case "rated":
                score = {"score": _score(event.value), "comment": event.text}
                return [self._say("ticket.csat_received", ticket, at, {"satisfaction_score": score})]
            case _:
                return []

    def _comment(self, event: hub.Event, ticket: Mapping[str, Any]) -> dict[str, Any]:
        staff = event.properties.get("by") == "agent"
        return {
            "id": str(_number("comment", f"{event.entity}:{event.occurred_at.timestamp()}:{event.text}", 13)),
            "body": event.text,
            "is_public": True,
            "author": {"id": "7" if staff else str(ticket.get("requester_id", "-1")), "is_staff": staff},
        }

    def _contact(self, event: hub.Event, what: str) -> list[hub.Ping]:
        known = _number("user", event.contact or "", 13) in self.users
        user = self._user(event)
        at = _iso(event.occurred_at)
        user["updated_at"] = at
        if what == "left":
            del self.users[user["id"]]
            return [self._say("user.deleted", user, at, {})]
        if known:
            return [self._say("user.name_changed", user, at, _change(None, user["name"]))]
        return [self._say("user.created", user, at, {})]

    def _account(self, event: hub.Event, what: str) -> list[hub.Ping]:
        known = _number("organization", event.account, 13) in self.organizations
        organization = self._organization(event)
        at = _iso(event.occurred_at)
        organization["updated_at"] = at
        if what == "deleted":
            del self.organizations[organization["id"]]
            return [self._say("organization.deleted", organization, at, {})]
        if name := event.properties.get("name"):
            organization["name"] = str(name)
        if domain := event.properties.get("domain"):
            organization["domain_names"] = [str(domain)]
        if plan := event.properties.get("plan"):
            organization["organization_fields"]["plan"] = str(plan)
        if known:
            return [self._say("organization.name_changed", organization, at, _change(None, organization["name"]))]
        return [self._say("organization.created", organization, at, {})]

    # --- records ------------------------------------------------------------------------------------------------

    def _organization(self, event: hub.Event) -> dict[str, Any]:
        number = _number("organization", event.account, 13)
        return self.organizations.setdefault(
            number,
            {
                "id": number,
                "name": str(event.properties.get("name") or event.account),
                "external_id": event.account,
                "created_at": _iso(event.occurred_at),
                "domain_names": [],
                "organization_fields": {},
            },
        )

    def _user(self, event: hub.Event) -> dict[str, Any]:
        number = _number("user", event.contact or "", 13)
        user = self.users.setdefault(
            number, {"id": number, "role": "end-user", "name": event.contact, "created_at": _iso(event.occurred_at)}
        )
        user["organization_id"] = _number("organization", event.account, 13)
        user |= {
            ours: event.properties[theirs]
            for ours, theirs in (("email", "email"), ("name", "contact_name"))
            if event.properties.get(theirs)
        }
        return user

    def _say(self, what: str, record: Mapping[str, Any], at: str, event: Mapping[str, Any]) -> hub.Ping:
        subject = what.partition(".")[0]
        detail = {k: str(v) if k == "id" or k.endswith("_id") else v for k, v in record.items()}
        if subject != "organization":
            detail.setdefault("organization_id", "0")
        envelope = {
            "type": f"zen:event-type:{what}",
            "account_id": 12514403,
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{what}:{record['id']}:{at}:{event}")),
            "time": at,
            "zendesk_event_version": "2022-11-06",
            "subject": f"zen:{subject}:{record['id']}",
            "detail": detail,
            "event": {**event, "meta": {"sequence": {"id": f"{_number('sequence', at, 16):016X}", "position": 1}}},
        }
        body = json.dumps(envelope).encode()
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return hub.Ping(
            path="/in/zendesk",
            headers={
                "content-type": "application/json",
                "x-zendesk-account-id": "12514403",
                "x-zendesk-webhook-id": "01GSANDB0X",
                "x-zendesk-webhook-signature-timestamp": stamp,
                "x-zendesk-webhook-signature": sign(SECRET.encode(), stamp, body).decode(),
            },
            body=body,
        )


def _number(what: str, key: str, digits: int) -> int:
    digest = hashlib.blake2b(f"{what}:{key}".encode(), digest_size=8).digest()
    least = int("1" + "0" * (digits - 1))
    return least + int.from_bytes(digest) % (9 * least)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _change(previous: object, current: object) -> dict[str, Any]:
    return {"previous": previous, "current": current}


def _priority(event: hub.Event) -> str | None:
    """The priority that an event's value weighs, or else that it names."""
    if event.value is not None:
        return min(WEIGHT, key=lambda name: abs(WEIGHT[name] - (event.value or 0)))
    named = str(event.properties.get("priority") or "").upper()
    return named if named in WEIGHT else None


def _below(priority: str, before: str | None) -> str | None:
    """What it was before it became more urgent."""
    return before if WEIGHT.get(before or "", 1.0) < WEIGHT[priority] else "LOW" if priority != "LOW" else None


def _score(value: float | None) -> str:
    if value is None or value in {0.0, 1.0}:
        return "BAD" if value == 0 else "GOOD"
    return f"{1 + 4 * value:g}"
