"""Health as fields of Account, where sellers see it beside the deal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

import hub
from plugins.salesforce.client import Client

_KEY: Final = "key:"
_LONGEST: Final = 255  # characters of a text field
_AGAIN: Final = frozenset(
    {
        "UNABLE_TO_LOCK_ROW",
        "SERVER_UNAVAILABLE",
        "REQUEST_RUNNING_TOO_LONG",
        "QUERY_TIMEOUT",
        "PROCESSING_HALTED",
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "UNKNOWN_EXCEPTION",
    },
)


class AccountFields:
    """A `hub.Sink` of fields: up to 200 accounts a call, each with its own outcome.

    An account is addressed by the external id under which you know it. One that Salesforce does not have is rejected,
    not made: an account needs a name, which we never send.
    """

    vendor = "salesforce"
    shape: Literal["fields", "alerts"] = "fields"
    batch = 200

    def __init__(self, name: str, client: Client, external_id_field: str, per_minute: int | None = None) -> None:
        self.name = name
        self.per_minute = per_minute
        self._client = client
        self._external_id = external_id_field

    def target(self, references: Sequence[str]) -> str | None:
        """Its key, `key:ACME-1`."""
        return next((r for r in references if r.startswith(_KEY) and len(r) > len(_KEY)), None)

    def fields(self, health: hub.Health) -> Mapping[str, hub.Scalar]:
        """Score as a whole number, band, the drivers in words, the risk in percent, the time as ISO 8601."""
        drivers = "; ".join(_words(d) for d in health.drivers[:5])
        return {
            "Health_Score__c": round(health.health),
            "Health_Band__c": health.band,
            "Health_Drivers__c": drivers if len(drivers) <= _LONGEST else drivers[: _LONGEST - 1] + "…",
            "Churn_Risk__c": round(health.risk * 100, 1),
            "Health_As_Of__c": datetime.fromtimestamp(health.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    async def push(self, deliveries: Sequence[hub.Delivery]) -> Sequence[hub.Outcome]:
        """Upsert all in one call, of which some may succeed and some may not."""
        records = [{self._external_id: d.target.removeprefix(_KEY), **d.fields} for d in deliveries]
        try:
            results = await self._client.upsert("Account", self._external_id, records)
        except hub.RejectedError as error:
            return [hub.Reject(str(error)) for _ in deliveries]
        if len(results) != len(records):  # their order is all that tells whose they are
            return [hub.Retry(f"Salesforce gave {len(results)} results for {len(records)} records")] * len(records)
        return [_outcome(result) for result in results]

    async def poll(self, job: str, deliveries: Sequence[hub.Delivery]) -> Sequence[hub.Outcome]:
        """Nothing is ever left pending here."""
        return [hub.Retry(f"Salesforce has no job {job}") for _ in deliveries]


def _words(driver: hub.Driver) -> str:
    """`3 urgent tickets open −14`, with the minus sign of print."""
    return f"{driver.text} {driver.points:+.0f}".replace(" -", " \N{MINUS SIGN}")


def _outcome(result: Any) -> hub.Outcome:
    if not isinstance(result, dict):
        return hub.Retry("Salesforce gave no result for this record")
    if result.get("success") is True:
        return hub.Ok()
    errors = result.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else None
    if first is None:
        return hub.Retry("Salesforce gave no result for this record")
    code = str(first.get("statusCode") or "")
    reason = f"{code}: {first.get('message')}"[:300]
    return hub.Retry(reason) if code in _AGAIN else hub.Reject(reason)


OWN_FIELDS: Final = frozenset(
    {"Health_Score__c", "Health_Band__c", "Health_Drivers__c", "Churn_Risk__c", "Health_As_Of__c"}
)
"""What the sink writes, and whose changes our source therefore does not tell."""
