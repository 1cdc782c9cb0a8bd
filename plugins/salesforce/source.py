"""What Salesforce pushes: signed JSON from Apex or flows, and outbound messages in SOAP."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import JsonValue, TypeAdapter, ValidationError

import hub
from plugins.salesforce import outbound
from plugins.salesforce.payloads import Change, Header, Snapshot, changes, long_id, snapshot
from plugins.salesforce.records import MEANINGS, stored
from plugins.salesforce.settings import SalesforceSettings

_JSON: Final[TypeAdapter[JsonValue]] = TypeAdapter(JsonValue)
_DIGITS: Final = 12  # of a unix time, at most


class Salesforce:
    """A `hub.Source` for one Salesforce organization."""

    vendor = "salesforce"
    paths: Sequence[str] = ()
    keeps_raw = True
    remembers: timedelta | None = None

    def __init__(self, settings: SalesforceSettings) -> None:
        self.name = settings.connection
        self._settings = settings
        self._secrets = [secret.get_secret_value().encode() for secret in settings.signing_secret]
        self._keys = [secret.get_secret_value().encode() for secret in settings.address_key]

    def verify(self, hook: hub.Webhook, now: datetime) -> None:
        """JSON is signed; an outbound message shows the key of its address and names its organization inside."""
        if outbound.is_outbound(hook):
            self._verify_address(hook)
        else:
            self._verify_signature(hook, now)

    def decode(self, hook: hub.Webhook, now: datetime) -> Sequence[hub.Raw]:
        """One record for each change or notification; a notification becomes JSON on the way."""
        found = _notifications(hook.body) if outbound.is_outbound(hook) else _events(hook.body)
        return [hub.Raw(body=body, received_at=now, path=hook.path) for body in found]

    def normalize(self, raw: hub.Raw) -> Iterable[hub.Event]:
        """What the change of one record, or of several that were merged, says; nothing for our own echo."""
        try:
            found = [
                event
                for change in self._changes(raw)
                for event in MEANINGS.get(change.entity, stored)(change, self._settings)
            ]
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise hub.RejectedError(f"not a change as Salesforce sends it: {where}: {first['msg']}") from None
        return found

    def answer(self, hook: hub.Webhook) -> tuple[bytes, str] | None:
        """SOAP for SOAP: anything else would have the message sent again for a day."""
        return (outbound.ACK, "text/xml; charset=utf-8") if outbound.is_outbound(hook) else None

    def _changes(self, raw: hub.Raw) -> Iterator[Change]:
        record = _JSON.validate_json(raw.body)
        if not isinstance(record, dict):
            raise hub.RejectedError("a change is a JSON object")
        if "notification" in record:
            found = snapshot(Snapshot.model_validate(record), raw.received_at)
            ours = self._settings.user_id
            if not ours or long_id(ours) != found.fields.get("LastModifiedById"):
                yield found
            return
        fields: dict[str, Any] = dict(record)
        header = Header.model_validate(fields.pop("ChangeEventHeader", None))
        if not self._settings.client_id or header.client != self._settings.client_id:
            yield from changes(header, fields)

    def _verify_signature(self, hook: hub.Webhook, now: datetime) -> None:
        stamp = hook.headers.get("x-pulsehub-timestamp", "")
        theirs = hook.headers.get("x-pulsehub-signature", "").strip().lower().encode()
        ours = [sign(secret, stamp, hook.body) for secret in self._secrets]
        if not any(hmac.compare_digest(signature, theirs) for signature in ours):
            raise hub.BadSignatureError("not signed with PULSEHUB_SALESFORCE_SIGNING_SECRET")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= _DIGITS):
            raise hub.BadSignatureError("the signature's stamp is no unix time")
        age = now.timestamp() - int(stamp)
        if abs(age) > self._settings.tolerance:
            raise hub.BadSignatureError(
                f"signed {age:.0f} s ago, and only {self._settings.tolerance:.0f} s are tolerated"
            )

    def _verify_address(self, hook: hub.Webhook) -> None:
        theirs = hook.query.get("key", "").encode()
        if not any(hmac.compare_digest(key, theirs) for key in self._keys):
            raise hub.BadSignatureError("the address has no ?key= of PULSEHUB_SALESFORCE_ADDRESS_KEY")
        organization = outbound.read(hook.body).organization_id
        if long_id(organization)[:15] != self._settings.organization_id[:15]:
            raise hub.BadSignatureError(
                "the message is of another organization than PULSEHUB_SALESFORCE_ORGANIZATION_ID"
            )


def sign(secret: bytes, stamp: str, body: bytes) -> bytes:
    """Our signature of pushes: hex of HMAC-SHA256 over `<unix time>.<body>`."""
    return hmac.digest(secret, stamp.encode() + b"." + body, hashlib.sha256).hex().encode()


def _notifications(body: bytes) -> Iterator[bytes]:
    for one in outbound.read(body).notifications:
        yield json.dumps({"notification": one.id, "sobject": one.sobject, "fields": one.fields}).encode()


def _events(body: bytes) -> Iterator[bytes]:
    """Change events: one, or a list of them; bare, or wrapped as the streaming API does."""
    found = hub.cut_json(body)
    for one in found if isinstance(found, list) else [body]:
        parts = hub.cut_json(one) if one.lstrip().startswith(b"{") else None
        yield parts.get("payload", one) if isinstance(parts, dict) else one
