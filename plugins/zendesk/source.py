"""Zendesk's event webhooks: who signed them, what they are about.

Triggers and automations send a body that the customer has templated instead. Such a body becomes a dead letter that
says so; a mapping from the settings, asked at the top of `normalize`, is where reading them belongs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import JsonValue, TypeAdapter, ValidationError

import hub
from plugins.zendesk import people, tickets
from plugins.zendesk.payloads import Ping
from plugins.zendesk.settings import ZendeskSettings

Meaning = Callable[[str, Ping], Iterator[hub.Event]]

MEANINGS: Final[Mapping[str, Meaning]] = {
    "ticket.created": tickets.opened,
    "ticket.status_changed": tickets.status_changed,
    "ticket.priority_changed": tickets.priority_changed,
    "ticket.comment_added": tickets.comment_added,
    "ticket.organization_changed": tickets.organization_changed,
    "ticket.merged": tickets.ended,
    "ticket.soft_deleted": tickets.ended,
    "ticket.csat_received": tickets.csat_received,
    "user.created": people.user_changed,
    "user.name_changed": people.user_changed,
    "user.active_changed": people.user_active_changed,
    "user.deleted": people.user_left,
    "organization.created": people.organization_changed,
    "organization.name_changed": people.organization_changed,
    "organization.external_id_changed": people.organization_changed,
    "organization.custom_field_changed": people.custom_field_changed,
    "organization.deleted": people.organization_deleted,
}
_STORED: Final[Mapping[str, Meaning]] = {
    "ticket": tickets.stored,
    "user": people.stored,
    "organization": people.stored,
}
_TYPE: Final = re.compile(r"zen:event-type:([a-z][a-z0-9_]*)\.[a-z][a-z0-9_]*")
_OBJECT: Final = TypeAdapter(dict[str, JsonValue])


class Zendesk:
    """A `hub.Source` for one Zendesk account."""

    vendor = "zendesk"
    paths: Sequence[str] = ()
    keeps_raw = True
    remembers: timedelta | None = None

    def __init__(self, settings: ZendeskSettings) -> None:
        self.name = settings.connection
        self._secrets = [secret.get_secret_value().encode() for secret in settings.signing_secret]
        self._tolerance = settings.tolerance

    def verify(self, hook: hub.Webhook, now: datetime) -> None:
        """Check the signature over stamp and body first: only then can the stamp be believed."""
        stamp = hook.headers.get("x-zendesk-webhook-signature-timestamp", "")
        theirs = hook.headers.get("x-zendesk-webhook-signature", "").encode()
        ours = [sign(secret, stamp, hook.body) for secret in self._secrets]
        if not any(hmac.compare_digest(signature, theirs) for signature in ours):
            raise hub.BadSignatureError("not signed with PULSEHUB_ZENDESK_SIGNING_SECRET")
        try:
            at = datetime.fromisoformat(stamp)
            age = (now - (at if at.tzinfo else at.replace(tzinfo=UTC))).total_seconds()
        except (ValueError, OverflowError):
            raise hub.BadSignatureError("the signature's stamp is no time") from None
        if abs(age) > self._tolerance:
            raise hub.BadSignatureError(f"signed {age:.0f} s ago, and only {self._tolerance:.0f} s are tolerated")

    def decode(self, hook: hub.Webhook, now: datetime) -> Sequence[hub.Raw]:
        """One ping is one record; an empty body, which Zendesk may send, is none."""
        if not hook.body.strip():
            return []
        try:
            _OBJECT.validate_json(hook.body)
        except ValidationError:
            raise hub.MalformedError("the body is not a JSON object") from None
        return [hub.Raw(body=hook.body, received_at=now, path=hook.path)]

    def normalize(self, raw: hub.Raw) -> Iterable[hub.Event]:
        """What one ping says; nothing where it is about no customer: our own people, articles, our own echo."""
        try:
            ping = Ping.model_validate_json(raw.body)
            if not (found := _TYPE.fullmatch(ping.type)):
                raise hub.RejectedError(f"{ping.type!r} is no event type of Zendesk's")
            meaning = MEANINGS.get(ping.what) or _STORED.get(found[1])
            return list(meaning(self.name, ping)) if meaning else []
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise hub.RejectedError(f"not an event as Zendesk sends it: {where}: {first['msg']}") from None


def sign(secret: bytes, stamp: str, body: bytes) -> bytes:
    """Zendesk's signature: base64 of HMAC-SHA256 over the stamp and the body, with nothing between them."""
    return base64.b64encode(hmac.digest(secret, stamp.encode() + body, hashlib.sha256))
