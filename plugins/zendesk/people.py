"""What events about people and organizations mean, one function each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import hub
from plugins.zendesk.payloads import OWN_FIELDS, Organization, Ping, User, known, stamp, word


def user_changed(name: str, ping: Ping) -> Iterator[hub.Event]:
    """`contact.updated`; nothing for our own people."""
    user = User.model_validate(ping.detail)
    if ping.what == "user.name_changed":
        user.name = ping.said("current") or user.name
    if not user.ours:
        yield _person(name, ping, user, "contact.updated")


def user_left(name: str, ping: Ping) -> Iterator[hub.Event]:
    """`contact.left`; nothing for our own people."""
    user = User.model_validate(ping.detail)
    if not user.ours:
        yield _person(name, ping, user, "contact.left")


def user_active_changed(name: str, ping: Ping) -> Iterator[hub.Event]:
    """An end user who is no longer active was deleted, softly."""
    return user_left(name, ping) if ping.event.get("current") is False else user_changed(name, ping)


def organization_changed(name: str, ping: Ping) -> Iterator[hub.Event]:
    """`account.updated`, with what just changed even where `detail` still tells the old."""
    organization = Organization.model_validate(ping.detail)
    match ping.what:
        case "organization.name_changed":
            organization.name = ping.said("current") or organization.name
        case "organization.external_id_changed":
            organization.external_id = ping.said("current") or organization.external_id
    yield _organization(name, ping, organization, "account.updated", word(ping.what))


def custom_field_changed(name: str, ping: Ping) -> Iterator[hub.Event]:
    """`account.updated`; nothing for the fields we write ourselves, which would be our own echo."""
    field = ping.event.get("custom_field") or ping.event.get("field")
    keys = _keys(field) if isinstance(field, dict) else []
    if any(key in OWN_FIELDS for key in keys):
        return
    organization = Organization.model_validate(ping.detail)
    if "plan" in keys:
        organization.organization_fields = {**organization.organization_fields, "plan": ping.said("current")}
    yield _organization(name, ping, organization, "account.updated", f"field_{keys[0] if keys else 'unknown'}")


def organization_deleted(name: str, ping: Ping) -> Iterator[hub.Event]:
    """`account.deleted`."""
    yield _organization(name, ping, Organization.model_validate(ping.detail), "account.deleted", "deleted")


def stored(name: str, ping: Ping) -> Iterator[hub.Event]:
    """Anything else about a person or an organization, under Zendesk's own word for it."""
    kind = f"zendesk.{ping.what.replace('.', '_')}"
    if ping.what.startswith("organization."):
        yield _organization(name, ping, Organization.model_validate(ping.detail), kind, word(ping.what))
    elif not (user := User.model_validate(ping.detail)).ours:
        yield _person(name, ping, user, kind)


def _keys(field: Mapping[str, object]) -> list[str]:
    """How a field may be called: its key, its title, its number; `Pulsehub health` is `pulsehub_health`."""
    return [key for part in ("key", "title", "id") if (key := word(str(field.get(part) or "")[:200]))]


def _person(name: str, ping: Ping, user: User, kind: str) -> hub.Event:
    person = f"{name}:user:{user.id}"
    facts = {"email": user.email, "contact_name": user.name, "contact_external_id": user.external_id}
    return hub.Event(
        id=f"{person}:{word(ping.what)}:{stamp(ping.time)}",
        kind=kind,
        account=f"{name}:organization:{user.organization_id}" if user.organization_id else person,
        contact=person,
        occurred_at=ping.time,
        properties=known(facts),
    )


def _organization(name: str, ping: Ping, organization: Organization, kind: str, fact: str) -> hub.Event:
    plan = organization.organization_fields.get("plan")
    facts: dict[str, hub.Scalar] = {
        "name": organization.name,
        "domain": organization.domain_names[0].replace("\0", "") if organization.domain_names else None,
        "external_id": organization.external_id,
        "plan": plan.replace("\0", "") if isinstance(plan, str) else None,
    }
    return hub.Event(
        id=f"{name}:organization:{organization.id}:{fact}:{stamp(ping.time)}",
        kind=kind,
        account=f"{name}:organization:{organization.id}",
        occurred_at=ping.time,
        properties=known(facts),
    )
