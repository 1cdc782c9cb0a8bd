"""A small Salesforce: accounts and what belongs to them in memory, pushes of their changes, its collections API.

Never part of an installation. `faults` lets tests break it.
"""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import hub
from plugins.salesforce.page import page
from plugins.salesforce.payloads import long_id
from plugins.salesforce.sandbox_api import CLIENT_ID, CLIENT_SECRET, KEY, Api, Faults
from plugins.salesforce.source import sign

ASGIApp = Callable[..., Awaitable[Any]]
SECRET: Final = "salesforce-sandbox-signing-secret"  # noqa: S105 - of a sandbox
_TOGETHER: Final = 100  # changes in one push
_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR: Final = timedelta(days=365)
_STAGES: Final = {
    "opportunity.updated": "Negotiation/Review",
    "opportunity.won": "Closed Won",
    "opportunity.lost": "Closed Lost",
}


class SalesforceSandbox:
    """A `hub.Sandbox`; ids are made of the bare keys, so that they are the same in every run."""

    vendor = "salesforce"

    def __init__(self) -> None:
        self.faults = Faults()
        self.accounts: dict[str, dict[str, Any]] = {}
        self.lock = threading.Lock()  # things happen in one thread while the API answers in another
        self._known: set[str] = set()
        self._echoes: list[dict[str, Any]] = []
        self._telling: Mapping[str, Callable[[hub.Event], dict[str, Any]]] = {
            "account.updated": self._account_updated,
            "account.deleted": self._account_deleted,
            "owner.changed": self._owner_changed,
            "contact.updated": self._contact,
            "contact.left": self._contact,
            **dict.fromkeys(_STAGES, self._opportunity),
            "contract.renewed": self._contract,
            "meeting.held": self._meeting,
        }
        self.app: ASGIApp = Api(self).app

    def settings(self, url: str) -> Mapping[str, str]:
        """A signing secret for the source; address and connected app for the sink."""
        return {
            "PULSEHUB_SALESFORCE_SIGNING_SECRET": SECRET,
            "PULSEHUB_SALESFORCE_URL": url,
            "PULSEHUB_SALESFORCE_CLIENT_ID": CLIENT_ID,
            "PULSEHUB_SALESFORCE_CLIENT_SECRET": CLIENT_SECRET,
            "PULSEHUB_SALESFORCE_PER_MINUTE": "60000",  # a stand-in tolerates any pace
        }

    def happen(self, event: hub.Event) -> Sequence[hub.Ping]:
        """Change the records and push the change, as a trigger would."""
        return self.happen_many([event])

    def happen_many(self, events: Sequence[hub.Event]) -> Sequence[hub.Ping]:
        """The same for several, whose changes are pushed together."""
        with self.lock:
            return _pushes([tell(event) for event in events if (tell := self._telling.get(event.kind))])

    def echoes(self) -> Sequence[hub.Ping]:
        """The change events of our own writes."""
        with self.lock:
            echoes, self._echoes = self._echoes, []
        return _pushes(echoes)

    def wrote(self, account: Mapping[str, Any], fields: Sequence[str], client: str) -> None:
        """Remember a write as the change event it causes; `client` is who wrote."""
        known = {name: account[name] for name in fields} | {KEY: account[KEY]}
        at = datetime.now(UTC)
        self._echoes.append(_event("Account", account["Id"], "UPDATE", at, known, changed=fields, client=client))

    def page(self) -> str:
        """Its accounts as a page."""
        return page(list(self.accounts.values()))

    def showing(self) -> Sequence[str]:
        """Accounts whose health field is filled."""
        with self.lock:
            return [str(account["Name"]) for account in self.accounts.values() if "Health_Score__c" in account]

    def _account(self, event: hub.Event) -> dict[str, Any]:
        number = _id("001", event.account)
        return self.accounts.setdefault(number, {"Id": number, "Name": event.account, KEY: event.account})

    def _account_updated(self, event: hub.Event) -> dict[str, Any]:
        new = _id("001", event.account) not in self.accounts
        account = self._account(event)
        names = {"name": "Name", "plan": "Plan__c", "renewal_on": "Renewal_Date__c"}
        facts: dict[str, Any] = {names[k]: v for k, v in event.properties.items() if k in names}
        if domain := event.properties.get("domain"):
            facts["Website"] = f"https://www.{domain}"
        account |= facts
        _own(account, event)
        fields = {k: v for k, v in account.items() if k != "Id"} if new else facts | {KEY: account[KEY]}
        fields |= {"Owner": account["Owner"]} if "Owner" in account else {}
        changed = [name for name in fields if name != "Owner"] if new else [*facts, "LastModifiedDate"]
        return _event(
            "Account", account["Id"], "CREATE" if new else "UPDATE", event.occurred_at, fields, changed=changed
        )

    def _account_deleted(self, event: hub.Event) -> dict[str, Any]:
        account = self._account(event)
        del self.accounts[account["Id"]]
        return _event("Account", account["Id"], "DELETE", event.occurred_at, {KEY: account[KEY]})

    def _owner_changed(self, event: hub.Event) -> dict[str, Any]:
        account = self._account(event)
        _own(account, event)
        fields: dict[str, Any] = {name: account[name] for name in (KEY, "OwnerId", "Owner") if name in account}
        return _event("Account", account["Id"], "UPDATE", event.occurred_at, fields, changed=["OwnerId"])

    def _contact(self, event: hub.Event) -> dict[str, Any]:
        number = _id("003", event.contact or event.id)
        fields: dict[str, Any] = {"AccountId": self._account(event)["Id"]}
        if event.kind == "contact.left":
            return _event("Contact", number, "DELETE", event.occurred_at, fields)
        first, _, last = str(event.properties.get("contact_name") or event.contact).rpartition(" ")
        fields["Name"] = {"FirstName": first, "LastName": last} if first else {"LastName": last}
        fields["Email"] = event.properties.get("email")
        return _event("Contact", number, self._how(number), event.occurred_at, fields)

    def _opportunity(self, event: hub.Event) -> dict[str, Any]:
        number = _id("006", event.entity or event.id)
        stage = _STAGES[event.kind]
        fields = {
            "AccountId": self._account(event)["Id"],
            "Name": str(event.properties.get("name") or event.entity),
            "StageName": stage,
            "IsClosed": stage.startswith("Closed"),
            "IsWon": stage == "Closed Won",
            "CloseDate": event.occurred_at.date().isoformat(),
            "Description": event.text,
            **_money("Amount", event),
        }
        return _event("Opportunity", number, self._how(number), event.occurred_at, fields)

    def _contract(self, event: hub.Event) -> dict[str, Any]:
        number = _id("800", event.entity or event.id)
        ends = event.properties.get("renewal_on") or (event.occurred_at + _YEAR).date().isoformat()
        fields = {
            "AccountId": self._account(event)["Id"],
            "Status": "Activated",
            "EndDate": ends,
            "Description": event.text,
            **_money("Amount__c", event),
        }
        return _event("Contract", number, "UPDATE", event.occurred_at, fields, changed=["EndDate", "LastModifiedDate"])

    def _meeting(self, event: hub.Event) -> dict[str, Any]:
        number = _id("00U", f"{event.entity or event.account}:{event.contact}:{event.occurred_at.isoformat()}")
        minutes = event.value if event.value is not None else 30
        fields: dict[str, Any] = {
            "AccountId": self._account(event)["Id"],
            "WhatId": _id("001", event.account),
            "WhoId": _id("003", event.contact) if event.contact else None,
            "Subject": "Meeting",
            "StartDateTime": _time(event.occurred_at - timedelta(minutes=minutes)),
            "EndDateTime": _time(event.occurred_at),
            "DurationInMinutes": minutes,
            "Description": event.text,
        }
        return _event("Event", number, "CREATE", event.occurred_at, fields)

    def _how(self, number: str) -> str:
        how = "UPDATE" if number in self._known else "CREATE"
        self._known.add(number)
        return how


def _own(account: dict[str, Any], event: hub.Event) -> None:
    """Give an account the owner that an event names."""
    facts = event.properties
    if owner := facts.get("owner") or facts.get("owner_email"):
        account["OwnerId"] = _id("005", str(facts.get("owner_email") or owner))
        account["Owner"] = {"Name": owner, "Email": facts.get("owner_email")}


def _money(field: str, event: hub.Event) -> dict[str, Any]:
    return {} if event.amount is None else {field: float(event.amount), "CurrencyIsoCode": event.currency}


def _event(
    entity: str,
    number: str,
    how: str,
    at: datetime,
    fields: Mapping[str, Any],
    *,
    changed: Sequence[str] | None = None,
    client: str = "SfdcInternalAPI/",
) -> dict[str, Any]:
    """A change event as change data capture words it."""
    milliseconds = (at - _EPOCH) // timedelta(milliseconds=1)
    said = json.dumps(fields, sort_keys=True)
    header = {
        "entityName": entity,
        "recordIds": [number],
        "changeType": how,
        "changeOrigin": f"com/salesforce/api/rest/61.0;client={client}",
        "transactionKey": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{number}:{how}:{milliseconds}:{said}")),
        "sequenceNumber": 1,
        "commitTimestamp": milliseconds,
        "commitUser": _id("005", "integration"),
        "changedFields": list(fields if changed is None else changed),
    }
    return {"ChangeEventHeader": header, **{name: value for name, value in fields.items() if value is not None}}


def _pushes(changes: Sequence[Mapping[str, Any]]) -> list[hub.Ping]:
    pushes = []
    stamp = str(int(datetime.now(UTC).timestamp()))
    for start in range(0, len(changes), _TOGETHER):
        body = json.dumps(changes[start : start + _TOGETHER]).encode()
        headers = {
            "content-type": "application/json",
            "x-pulsehub-timestamp": stamp,
            "x-pulsehub-signature": sign(SECRET.encode(), stamp, body).decode(),
        }
        pushes.append(hub.Ping(path="/in/salesforce", headers=headers, body=body))
    return pushes


def _id(prefix: str, key: str) -> str:
    """An id that looks like Salesforce's and is always the same for a key."""
    number = int.from_bytes(hashlib.blake2b(f"{prefix}:{key}".encode(), digest_size=8).digest())
    letters = []
    for _ in range(15 - len(prefix)):
        number, digit = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[digit])
    return long_id(prefix + "".join(letters))


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")
