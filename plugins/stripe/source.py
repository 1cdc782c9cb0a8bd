"""What Stripe's webhooks say, in our words."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import from_json

import hub
from plugins.stripe.settings import StripeSettings
from plugins.stripe.shapes import Happening
from plugins.stripe.words import Words

VERSION: Final = re.compile(r"v1=([0-9a-f]{64})")
LATEST: Final = 253_402_300_799.0


class Stripe:
    """A `hub.Source` for one Stripe account."""

    vendor: str = "stripe"
    paths: Sequence[str] = ()
    keeps_raw: bool = True
    remembers: timedelta | None = None

    def __init__(self, settings: StripeSettings) -> None:
        self.name = settings.connection
        self._secrets = [secret.get_secret_value().encode() for secret in settings.signing_secret]
        self._tolerance = settings.tolerance_seconds
        self._words = Words(settings.connection, settings.external_id_key)

    def verify(self, hook: hub.Webhook, now: datetime) -> None:
        """`Stripe-Signature: t=<unix>,v1=<hex>[,v1=...]`: any `v1` by any of our secrets will do.

        Stripe's own library refuses only old stamps; we refuse those from the future too.
        """
        header = hook.headers.get("stripe-signature", "")
        parts = header.split(",")
        stamp = next((part[2:] for part in parts if part.startswith("t=")), "")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= len("253402300799")):
            raise hub.BadSignatureError("no Stripe-Signature header with a stamp")
        signed = stamp.encode() + b"." + hook.body
        ours = [hmac.new(secret, signed, hashlib.sha256).hexdigest() for secret in self._secrets]
        theirs = [found.group(1) for part in parts if (found := VERSION.fullmatch(part.strip()))]
        if not any([hmac.compare_digest(a, b) for a in ours for b in theirs]):  # noqa: C419 - a list: all are compared
            raise hub.BadSignatureError("not signed with PULSEHUB_STRIPE_SIGNING_SECRET")
        if abs(int(stamp) - now.timestamp()) > self._tolerance:
            raise hub.BadSignatureError(f"signed more than {self._tolerance} s away from now; is a clock wrong?")

    def decode(self, hook: hub.Webhook, now: datetime) -> Sequence[hub.Raw]:
        """One event is one record."""
        try:
            tree = from_json(hook.body)
        except ValueError as error:
            raise hub.MalformedError(f"not JSON: {error}") from None
        if not isinstance(tree, dict) or tree.get("object") not in ("event", "v2.core.event"):
            raise hub.MalformedError("not a Stripe event: its `object` is neither `event` nor `v2.core.event`")
        return [hub.Raw(body=hook.body, received_at=now)]

    def normalize(self, raw: hub.Raw) -> Iterable[hub.Event]:
        """Exactly one event, of a kind of our own where we know none better: `stripe.payout_paid`."""
        try:
            happening = Happening.model_validate_json(raw.body)
            return [self._words.say(happening, _when(happening.created))]
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "the body"
            raise hub.RejectedError(f"{where}: {first['msg']}") from None
        except ArithmeticError:
            raise hub.RejectedError("an amount is beyond counting") from None


def _when(created: Any) -> datetime:
    """Unix seconds; in thin events a text, ISO 8601."""
    try:
        moment = datetime.fromisoformat(created) if isinstance(created, str) else _unix(created)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError, TypeError):
        raise hub.RejectedError("created: not a time") from None


def _unix(created: Any) -> datetime:
    if isinstance(created, bool) or not isinstance(created, int | float) or not 0 <= created <= LATEST:
        raise ValueError(created)
    return datetime.fromtimestamp(created, UTC)
