"""What a change of a record means, one function for each kind of record."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import hub
from plugins.salesforce.payloads import Change, domain, text
from plugins.salesforce.settings import SalesforceSettings
from plugins.salesforce.sink import OWN_FIELDS

Meaning = Callable[[Change, SalesforceSettings], Iterator[hub.Event]]
_OWNER: Final[Sequence[str]] = ("owner", "owner_email", "owner_id", "external_id")
_GONE: Final = {"DELETE", "GAP_DELETE"}


def account(change: Change, ours: SalesforceSettings) -> Iterator[hub.Event]:
    """`account.updated`, `account.deleted`, `owner.changed`; nothing where only our own fields changed."""
    at = f"{ours.connection}:account:{change.record}"
    if change.how in _GONE or change.flag("IsDeleted"):
        yield _event(change, ours, "account.deleted", f"deleted:{change.moment}", account=at)
        return
    if change.how.startswith("GAP_"):
        yield _event(change, ours, "salesforce.account_gap", f"gap:{change.mark}", account=at)
        return
    moved = change.how == "UPDATE" and "OwnerId" in change.changed
    known = _account_facts(change, ours)
    if moved:
        facts = {name: known[name] for name in _OWNER}
        yield _event(change, ours, "owner.changed", f"owner:{change.mark}", account=at, facts=facts)
    said = change.changed - OWN_FIELDS - {"OwnerId", "Owner"}
    quiet = moved or change.changed & OWN_FIELDS  # then the key is only there to say whose they are
    if said - {ours.external_id_field} or (said and not quiet):
        yield _event(change, ours, "account.updated", f"updated:{change.mark}", account=at, facts=known)


def contact(change: Change, ours: SalesforceSettings) -> Iterator[hub.Event]:
    """`contact.updated`, `contact.left`; without an account the person stands for the customer."""
    person = f"{ours.connection}:contact:{change.record}"
    where = _account(change, ours) or person
    if change.how in _GONE or change.flag("IsDeleted"):
        yield _event(change, ours, "contact.left", f"left:{change.moment}", account=where, contact=person)
    elif change.how.startswith("GAP_"):
        yield _event(change, ours, "salesforce.contact_gap", f"gap:{change.mark}", account=where, contact=person)
    else:
        parts = [change.text(part) or change.inner("Name", part) for part in ("FirstName", "LastName")]
        facts: dict[str, hub.Scalar] = {
            "email": change.text("Email"),
            "contact_name": change.text("Name") or " ".join(part for part in parts if part),
            "title": change.text("Title"),
        }
        yield _event(
            change, ours, "contact.updated", f"updated:{change.mark}", account=where, contact=person, facts=facts
        )


def opportunity(change: Change, ours: SalesforceSettings) -> Iterator[hub.Event]:
    """`opportunity.won` and `.lost` when it is decided, `.updated` while it is known to be open.

    A change that does not say whether the deal is still open is only stored: told as an update, it would reopen what
    was won. A deal that is deleted is lost.
    """
    stage = change.text("StageName") or ""
    won = change.flag("IsWon") or stage.lower() == "closed won"
    closed = won or change.flag("IsClosed") or stage.lower() == "closed lost"
    decided = closed and not change.changed.isdisjoint({"StageName", "IsWon", "IsClosed"})
    facts: dict[str, hub.Scalar] = {
        "opportunity": change.text("Name"),
        "status": stage,
        "type": change.text("Type"),
        "close_on": change.day("CloseDate"),
    }
    # a snapshot shows a decided deal each time anything about it changes: its close date tells it is the same decision
    day = change.day("CloseDate") if change.how == "SNAPSHOT" else None
    if change.how in _GONE or change.flag("IsDeleted"):
        kind, fact, facts["status"] = "opportunity.lost", f"lost:{change.moment}", "Deleted"
    elif decided:
        word = "won" if won else "lost"
        kind, fact = f"opportunity.{word}", f"{word}:{day or change.moment}"
    elif not closed and (stage or "IsClosed" in change.fields):
        kind, fact = "opportunity.updated", f"updated:{change.mark}"
    else:
        kind, fact = "salesforce.opportunity_changed", f"changed:{change.mark}"
    yield _event(
        change,
        ours,
        kind,
        fact,
        account=_needed(change, ours),
        amount=change.amount("Amount"),
        text=change.text("Description"),
        facts=facts,
    )


def contract(change: Change, ours: SalesforceSettings) -> Iterator[hub.Event]:
    """`contract.renewed` when the end of one that is there moves; what else happens says when it ends."""
    ends = change.day("EndDate")
    longer = not change.changed.isdisjoint({"EndDate", "ContractTerm"})
    facts: dict[str, hub.Scalar] = {"renewal_on": ends, "status": change.text("Status")}
    if change.how == "UPDATE" and longer and change.text("Status") != "Draft":
        kind, fact = "contract.renewed", f"renewed:{ends or change.moment}"
    elif ends and change.how in {"CREATE", "UPDATE", "UNDELETE", "SNAPSHOT"} and change.text("Status") != "Draft":
        kind, fact = "account.updated", f"updated:{change.mark}"
        facts.pop("status")
    else:
        kind, fact = "salesforce.contract_changed", f"changed:{change.mark}"
    yield _event(
        change,
        ours,
        kind,
        fact,
        account=_needed(change, ours),
        amount=change.amount(ours.contract_amount_field) if kind == "contract.renewed" else None,
        text=change.text("Description"),
        facts=facts,
    )


def meeting(change: Change, ours: SalesforceSettings) -> Iterator[hub.Event]:
    """`meeting.held` once an event of the calendar is over; before that it is only planned."""
    begins = change.time("StartDateTime") or change.time("ActivityDateTime")
    ends = change.time("EndDateTime") or begins or change.at
    if change.how in _GONE:
        yield _activity(change, ours, "salesforce.meeting_dropped", f"dropped:{change.mark}", change.at)
    elif ends <= change.at:
        yield _activity(change, ours, "meeting.held", f"held:{ends:%Y-%m-%dT%H:%M:%SZ}", ends)
    else:
        yield _activity(change, ours, "salesforce.meeting_planned", f"planned:{change.mark}", change.at)


def task(change: Change, ours: SalesforceSettings) -> Iterator[hub.Event]:
    """`meeting.held` for a call or a meeting that was completed; other tasks are stored."""
    what = {(change.text(field) or "").lower() for field in ("TaskSubtype", "Type")}
    done = change.flag("IsClosed") or (change.text("Status") or "").lower() == "completed"
    if what & {"call", "meeting"} and done and change.how not in _GONE:
        at = change.time("CompletedDateTime") or change.at
        yield _activity(change, ours, "meeting.held", f"held:{at:%Y-%m-%dT%H:%M:%SZ}", at)
    else:
        yield _activity(change, ours, "salesforce.task_changed", f"changed:{change.mark}", change.at)


def stored(change: Change, ours: SalesforceSettings) -> Iterator[hub.Event]:
    """Any other record of a customer, under Salesforce's own word for it; nothing where it names no customer."""
    if where := _account(change, ours):
        word = re.sub(r"[^a-z0-9]+", "_", change.entity.lower()).strip("_")
        yield _event(change, ours, f"salesforce.{word}_changed", f"changed:{change.mark}", account=where)


MEANINGS: Final[Mapping[str, Meaning]] = {
    "Account": account,
    "Contact": contact,
    "Opportunity": opportunity,
    "Contract": contract,
    "Event": meeting,
    "Task": task,
}


def _account_facts(change: Change, ours: SalesforceSettings) -> dict[str, hub.Scalar]:
    parent = change.id("ParentId")
    return {
        "name": change.text("Name"),
        "domain": domain(change.text("Website")),
        "external_id": change.text(ours.external_id_field),
        "owner": change.inner("Owner", "Name"),
        "owner_email": change.inner("Owner", "Email"),
        "owner_id": change.text("OwnerId"),
        "parent": f"{ours.connection}:account:{parent}" if parent else None,
        "plan": change.text(ours.plan_field),
        "renewal_on": change.day(ours.renewal_field),
        "industry": change.text("Industry"),
        "status": change.text("Type"),
    }


def _activity(change: Change, ours: SalesforceSettings, kind: str, fact: str, at: datetime) -> hub.Event:
    who = change.id("WhoId") or ""
    person = f"{ours.connection}:contact:{who}" if who.startswith("003") else None
    what = change.id("WhatId") or ""
    about = f"{ours.connection}:account:{what}" if what.startswith("001") else None
    where = _account(change, ours) or about or person
    minutes = change.amount("DurationInMinutes")
    return _event(
        change,
        ours,
        kind,
        fact,
        account=where or _needed(change, ours),
        at=at,
        contact=person,
        value=float(minutes) if minutes is not None else None,
        text=change.text("Description"),
        facts={"subject": change.text("Subject")},
    )


def _account(change: Change, ours: SalesforceSettings) -> str | None:
    found = change.id("AccountId")
    return f"{ours.connection}:account:{found}" if found else None


def _needed(change: Change, ours: SalesforceSettings) -> str:
    if where := _account(change, ours):
        return where
    lost = "Salesforce could not send what changed" if change.how.startswith("GAP_") else "no account is named"
    raise hub.RejectedError(
        f"{change.how} of {change.entity} {change.record}: {lost}; "
        "add AccountId to what is pushed (an enriched field of its change event)",
    )


def _event(
    change: Change,
    ours: SalesforceSettings,
    kind: str,
    fact: str,
    *,
    account: str,
    at: datetime | None = None,
    contact: str | None = None,
    amount: Decimal | None = None,
    value: float | None = None,
    text: str | None = None,
    facts: Mapping[str, hub.Scalar] | None = None,
) -> hub.Event:
    entity = f"{ours.connection}:{change.entity.lower()}:{change.record}"
    if change.entity != "Account":  # whoever pushes may add the account's key, and then nothing has to wait for it
        facts = {"external_id": change.inner("Account", ours.external_id_field), **(facts or {})}
    return hub.Event(
        id=f"{entity}:{fact}",
        kind=kind,
        account=account,
        entity=entity if change.entity not in {"Account", "Contact"} else None,
        contact=contact,
        occurred_at=at or change.at,
        amount=amount,
        currency=_currency(change, ours) if amount is not None else None,
        value=value,
        text=text,
        properties={name: said for name, said in (facts or {}).items() if said is not None and said != ""},
    )


def _currency(change: Change, ours: SalesforceSettings) -> str:
    """Only organizations with several currencies have the field."""
    found = text(change.fields.get("CurrencyIsoCode"))
    return found if found and re.fullmatch("[A-Z]{3}", found) else ours.currency
