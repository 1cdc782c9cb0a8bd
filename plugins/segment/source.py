"""Segment's tracking API, spoken from its other end: clients that post there can post here."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from pydantic_core import from_json

import hub
from plugins.segment.calls import Calls
from plugins.segment.mending import mended
from plugins.segment.moments import moment
from plugins.segment.settings import SegmentSettings

SINGLE: Final = {f"/v1/{call}": call for call in ("track", "identify", "group", "page", "screen", "alias")}
"""Paths that say what the one call in the body is."""
MOST_BYTES: Final = 500 * 1024
MOST_CALLS: Final = 2_500
MOST_BYTES_A_CALL: Final = 32 * 1024


class Segment:
    """A `hub.Source` for the clients of one product.

    Two ways in. The tracking API's own paths take a write key as Basic user name, as Bearer token or in the body.
    `/in/{connection}` also takes what a webhook destination in Segment forwards: single events may be signed
    (`X-Signature`); a list must show a write key, because Segment signs only its first event.
    """

    vendor: str = "segment"
    paths: Sequence[str] = ("/v1/batch", *SINGLE)
    keeps_raw: bool = False
    remembers: timedelta | None = timedelta(days=7)

    def __init__(self, settings: SegmentSettings) -> None:
        self.name = settings.connection
        self._keys = [key.get_secret_value().encode() for key in settings.write_key]
        self._secrets = [secret.get_secret_value().encode() for secret in settings.signing_secret]
        self._calls = Calls(settings.connection, settings.sessions, grouped=settings.group_is_external_id)

    def verify(self, hook: hub.Webhook, now: datetime) -> None:  # noqa: ARG002 - Segment stamps nothing
        """An active write key, shown in any of the three ways; or a signature over one event."""
        if self._knows(_shown(hook.headers.get("authorization", ""))):
            return
        signature = hook.headers.get("x-signature", "").encode()
        ours = [hmac.new(secret, hook.body, hashlib.sha1).hexdigest().encode() for secret in self._secrets]
        if any([hmac.compare_digest(signature, one) for one in ours]):  # noqa: C419 - a list: all are compared
            return
        if not self._knows(_written(mended(hook.body))):
            raise hub.BadSignatureError("shows no write key of PULSEHUB_SEGMENT_WRITE_KEY")

    def decode(self, hook: hub.Webhook, now: datetime) -> Sequence[hub.Raw]:
        """Cut a batch into its calls, unread, so that one that cannot be read costs no other.

        Raises:
            MalformedError: not JSON, more than 2,500 calls, over 500 KB, or a single call over 32 KB. (One call over
                32 KB in a batch is rejected alone, where it is normalized.)
        """
        if len(hook.body) > MOST_BYTES:
            raise hub.MalformedError(f"{len(hook.body)} bytes; Segment takes {MOST_BYTES}")
        body = mended(hook.body)
        cut = hub.cut_json(body)
        if isinstance(cut, dict) and "batch" not in cut:
            if len(hook.body) > MOST_BYTES_A_CALL:
                raise hub.MalformedError(f"a call of {len(hook.body)} bytes; Segment takes {MOST_BYTES_A_CALL}")
            return [hub.Raw(body=body, received_at=now, path=hook.path)]
        calls, sent_at = (_batch(cut["batch"]), _sent_at(cut)) if isinstance(cut, dict) else (cut, None)
        if len(calls) > MOST_CALLS:
            raise hub.MalformedError(f"{len(calls)} calls; Segment takes {MOST_CALLS}")
        return [hub.Raw(body=call, received_at=now, sent_at=sent_at, path=hook.path) for call in calls]

    def normalize(self, raw: hub.Raw) -> Iterable[hub.Event]:
        """Exactly one event a call.

        Raises:
            RejectedError: the call cannot be read, says neither who nor which group, or is over 32 KB.
        """
        if len(raw.body) > MOST_BYTES_A_CALL:
            raise hub.RejectedError(f"a call of {len(raw.body)} bytes; Segment takes {MOST_BYTES_A_CALL}")
        try:
            call = from_json(raw.body)
        except ValueError as error:
            raise hub.RejectedError(f"not JSON: {error}") from None
        if not isinstance(call, dict):
            raise hub.RejectedError("a call is a JSON object")
        kind = SINGLE.get(raw.path) or call.get("type")
        if not isinstance(kind, str):
            raise hub.RejectedError("says no `type`")
        return (self._calls.say(kind, call, raw),)

    def _knows(self, key: bytes | None) -> bool:
        # a list, not a generator: how many keys were compared must not show in the time it takes
        return key is not None and any([hmac.compare_digest(key, ours) for ours in self._keys])  # noqa: C419


def _shown(authorization: str) -> bytes | None:
    """The key in the header: a Basic user name, with or without a password, or a Bearer token."""
    scheme, _, token = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return token.strip().encode()
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(token.strip(), validate=True).partition(b":")[0]
    except (binascii.Error, ValueError):
        return None


def _written(body: bytes) -> bytes | None:
    """The key in the body."""
    try:
        cut = hub.cut_json(body)
        key = from_json(cut["writeKey"]) if isinstance(cut, dict) and "writeKey" in cut else None
    except (hub.MalformedError, ValueError):
        return None
    return key.encode() if isinstance(key, str) else None


def _batch(body: bytes) -> list[bytes]:
    calls = hub.cut_json(body) if body.startswith(b"[") else None
    if not isinstance(calls, list):
        raise hub.MalformedError("`batch` is not a list")
    return calls


def _sent_at(cut: Mapping[str, bytes]) -> datetime | None:
    try:
        return moment(from_json(cut.get("sentAt", b"null")))
    except ValueError:
        raise hub.MalformedError("`sentAt` is not a time, ISO 8601") from None
