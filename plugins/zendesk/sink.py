"""Health as organization fields, where agents see it beside every ticket."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

import hub
from plugins.zendesk.client import Client

_AGAIN: Final = re.compile(
    r"conflict|lock|timeout|tim(ed|e) out|unavailable|too many|rate limit|internal", re.IGNORECASE
)


class OrganizationFields:
    """A `hub.Sink` of fields: up to 100 organizations a call, done by a job that is asked after.

    Writing the same values again changes nothing, so a job that got lost is simply tried again.
    """

    vendor = "zendesk"
    shape: Literal["fields", "alerts"] = "fields"
    batch = 100

    def __init__(self, name: str, client: Client, per_minute: int | None = None) -> None:
        self.name = name
        self.per_minute = per_minute
        self._client = client

    def target(self, references: Sequence[str]) -> str | None:
        """Its organization here: the first `zendesk:organization:<id>`."""
        return next((r for r in references if _organization(r, self.name)), None)

    def fields(self, health: hub.Health) -> Mapping[str, hub.Scalar]:
        """Score as a whole number, band, the drivers in words, the risk as a share, the time as ISO 8601."""
        return {
            "pulsehub_health": round(health.health),
            "pulsehub_band": health.band,
            "pulsehub_drivers": "; ".join(_words(d) for d in health.drivers[:5]),
            "pulsehub_risk": round(health.risk, 3),
            "pulsehub_as_of": datetime.fromtimestamp(health.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    async def push(self, deliveries: Sequence[hub.Delivery]) -> Sequence[hub.Outcome]:
        """Hand all to one job; those whose target is no organization of ours are rejected."""
        ids = [_organization(d.target, self.name) for d in deliveries]
        wanted = [
            {"id": number, "organization_fields": dict(d.fields)}
            for number, d in zip(ids, deliveries, strict=True)
            if number
        ]
        if not wanted:
            return [_nowhere(d) for d in deliveries]
        try:
            job = await self._client.update_organizations(wanted)
        except hub.RejectedError as error:
            return [hub.Reject(str(error)) for _ in deliveries]
        return [hub.Pending(job) if number else _nowhere(d) for number, d in zip(ids, deliveries, strict=True)]

    async def poll(self, job: str, deliveries: Sequence[hub.Delivery]) -> Sequence[hub.Outcome]:
        """One outcome for each; results are found by organization, since their order is not promised."""
        try:
            found = await self._client.job(job)
        except hub.RejectedError as error:  # jobs are forgotten after an hour
            return [hub.Retry(f"the job is no longer known: {error}") for _ in deliveries]
        status = found.get("status")
        if status in {"queued", "working"}:
            return [hub.Pending(job) for _ in deliveries]
        if status != "completed":
            return [hub.Retry(f"the job was {status}: {found.get('message')}") for _ in deliveries]
        results = found.get("results")
        by_id = {str(r.get("id")): r for r in results if isinstance(r, dict)} if isinstance(results, list) else {}
        return [_outcome(by_id.get(str(_organization(d.target, self.name)))) for d in deliveries]


def _words(driver: hub.Driver) -> str:
    """`3 urgent tickets open −14`, with the minus sign of print."""
    return f"{driver.text} {driver.points:+.0f}".replace(" -", " \N{MINUS SIGN}")


def _outcome(result: Mapping[str, Any] | None) -> hub.Outcome:
    if result is None:
        return hub.Retry("the job says nothing of this organization")
    if result.get("success") is True or result.get("status") == "Updated":
        return hub.Ok()
    words = [result.get("error"), result.get("details") or result.get("errors")]
    reason = ": ".join(str(word) for word in words if word) or "the job could not update it"
    return hub.Retry(reason) if _AGAIN.search(reason) else hub.Reject(reason)


def _organization(reference: str, name: str) -> int | None:
    number = reference.removeprefix(f"{name}:organization:")
    return int(number) if number != reference and number.isascii() and number.isdigit() and len(number) < 20 else None  # noqa: PLR2004 - their ids are 64-bit


def _nowhere(delivery: hub.Delivery) -> hub.Reject:
    return hub.Reject(f"{delivery.target} is no organization here")
