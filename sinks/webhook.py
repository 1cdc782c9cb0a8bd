"""The sinks `webhook` and `webhook-fields`: any program that takes a POST, signed so that it knows who speaks.

Signed as Standard Webhooks asks (https://www.standardwebhooks.com): `webhook-id` is the same for every attempt at the
same thing, `webhook-timestamp` is the attempt's, `webhook-signature` holds `v1,<base64>` once per active secret, an
HMAC-SHA256 of `id.timestamp.body`. A secret `whsec_<base64>` is decoded; any other is taken as it is.

The address comes from the operator's settings and from nowhere else, so a private one is as good as any: do not let
people who may not reach your network set it. Redirects are refused, since they would let the receiver choose another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Final, Literal

import httpx
import msgspec
from pydantic import AnyHttpUrl, field_validator

from hub.sdk.contracts import Delivery, Ok, Outcome, Reject, Retry
from hub.sdk.errors import CredentialsError, RateLimitedError, RetryLaterError
from hub.sdk.events import Scalar
from hub.sdk.health import Health
from hub.sdk.settings import Secrets, VendorSettings

_TIMEOUT: Final = 15.0
_READ: Final = 300  # bytes of an answer that are kept as a reason
_PREFIX: Final = "whsec_"


class WebhookSettings(VendorSettings):
    """`PULSEHUB_WEBHOOK_URL`, `_SIGNING_SECRET`, and `_PUSH_FIELDS=true` where every health goes there too."""

    prefix: ClassVar[str] = "PULSEHUB_WEBHOOK_"

    connection: str = "webhook"
    url: AnyHttpUrl
    signing_secret: Secrets
    push_fields: bool = False

    @field_validator("signing_secret")
    @classmethod
    def _not_empty(cls, secrets: Secrets) -> Secrets:
        for secret in secrets:
            _key(secret.get_secret_value())
        if not secrets:
            raise ValueError("is empty")
        return secrets


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("begins with whsec_, but what follows is not base64") from None


def sign(keys: Sequence[bytes], identity: str, stamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one `v1,<base64>` for each key, separated by spaces."""
    text = f"{identity}.{stamp}.".encode() + body
    return " ".join("v1," + base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode() for key in keys)


class Webhook:
    """A `hub.Sink`: one POST for each delivery.

    Args:
        settings: where to, and the secrets.
        http: the client to use.
        shape: what to push; the sink of fields is called `<connection>-fields`.
        clock: unix seconds now, for the stamp.
    """

    vendor: str = "webhook"
    batch: int = 20

    def __init__(
        self,
        settings: WebhookSettings,
        http: httpx.AsyncClient,
        shape: Literal["fields", "alerts"] = "alerts",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.shape: Literal["fields", "alerts"] = shape
        self.name = settings.connection if shape == "alerts" else f"{settings.connection}-fields"
        self._url = str(settings.url)
        self._keys = [_key(secret.get_secret_value()) for secret in settings.signing_secret]
        self._http = http
        self._clock = clock

    def target(self, references: Sequence[str]) -> str | None:
        """For fields: your own key of the account (`key:`), else its domain, else its first reference.

        Alerts are for whoever listens, addressed or not.
        """
        if self.shape == "alerts":
            return ",".join(references) or self.name
        for prefix in ("key:", "domain:", ""):
            if found := min((one for one in references if one.startswith(prefix)), default=None):
                return found
        return None

    def fields(self, health: Health) -> Mapping[str, Scalar]:
        """Health as one would show it; drivers in words."""
        return {
            "health": round(health.health),
            "band": health.band,
            "risk": round(health.risk, 3),
            "drivers": "; ".join(f"{d.text} ({d.points:+.0f})" for d in health.drivers[:3]),
        }

    async def push(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """One after the other; when the receiver is gone or busy, the rest waits."""
        outcomes: list[Outcome] = []
        try:
            for delivery in deliveries:
                outcomes.append(await self._post(delivery))  # noqa: PERF401 - what was posted before a break counts
        except RetryLaterError as error:
            if not outcomes:
                raise
            after = error.after if isinstance(error, RateLimitedError) else None
            outcomes += [Retry(str(error), after)] * (len(deliveries) - len(outcomes))
        except CredentialsError as error:
            if not outcomes:
                raise
            outcomes += [Retry(str(error))] * (len(deliveries) - len(outcomes))
        return outcomes

    async def poll(self, job: str, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:  # noqa: ARG002 - a sink's shape
        """A webhook leaves no jobs behind."""
        return [Retry("a webhook has no jobs")] * len(deliveries)

    async def _post(self, delivery: Delivery) -> Outcome:
        now = self._clock()
        body = msgspec.json.encode(self._body(delivery, now))
        headers = {
            "accept-encoding": "identity",
            "content-type": "application/json",
            "user-agent": "Pulsehub",
            "webhook-id": delivery.key,
            "webhook-timestamp": str(int(now)),
            "webhook-signature": sign(self._keys, delivery.key, int(now), body),
        }
        request = self._http.build_request("POST", self._url, content=body, headers=headers, timeout=_TIMEOUT)
        try:
            reply = await self._http.send(request, stream=True, follow_redirects=False)
        except httpx.TransportError as error:
            raise RetryLaterError(f"{request.url.host} could not be reached: {type(error).__name__}") from None
        try:
            return _outcome(reply, await _beginning(reply), now)
        finally:
            await reply.aclose()

    def _body(self, delivery: Delivery, now: float) -> dict[str, Any]:
        """`type`, `timestamp` and `data`, as Standard Webhooks lays a payload out."""
        kind, health = delivery.fields.get("kind"), delivery.health
        at = health.at if health else now
        return {
            "type": f"account.{kind}" if self.shape == "alerts" else "account.health",
            "timestamp": f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "data": {
                "account": delivery.account,
                "reference": None if self.shape == "alerts" else delivery.target,
                **delivery.fields,
                **({"health": health} if health else {}),
            },
        }


async def _beginning(reply: httpx.Response) -> str:
    """The first few hundred bytes of an answer on one line; whoever answers with a gigabyte keeps it."""
    found = b""
    try:
        async with aclosing(reply.aiter_bytes(_READ)) as chunks:  # type: ignore[type-var] # it is a generator
            async for chunk in chunks:
                found += chunk
                if len(found) >= _READ:
                    break
    except httpx.HTTPError:
        pass  # the status has been said; only the words are missing
    return " ".join(found[:_READ].decode("utf-8", "replace").split())


def _outcome(reply: httpx.Response, text: str, now: float) -> Outcome:
    said = f"answered {reply.status_code}" + (f": {text}" if text else "")
    match reply.status_code:
        case code if reply.is_success:
            return Ok()
        case 401:
            raise CredentialsError(f"{said}; mend PULSEHUB_WEBHOOK_SIGNING_SECRET")
        case 408 | 425:
            raise RetryLaterError(said)
        case code if code == httpx.codes.TOO_MANY_REQUESTS or reply.is_server_error:
            after = _retry_after(reply.headers.get("retry-after", ""), now)
            raise RetryLaterError(said) if after is None else RateLimitedError(said, after)
        case _ if reply.is_redirect:
            return Reject(f"{said}; redirects are refused, set PULSEHUB_WEBHOOK_URL to where it leads")
        case _:
            return Reject(said)


def _retry_after(text: str, now: float) -> float | None:
    """Seconds to wait, from a number of them or an HTTP date; None where it says nothing of use."""
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except ValueError:
        return None
