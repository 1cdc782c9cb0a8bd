"""Acme Shipping: a late parcel is an unhappy customer."""

import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field, FiniteFloat

import hub

Key = Annotated[str, Field(pattern=r"^[\w-]{1,60}$")]


class Settings(hub.VendorSettings):
    prefix = "PULSEHUB_ACME_"
    connection: str = "acme"
    signing_secret: hub.Secrets


class Delay(BaseModel):
    parcel: Key
    customer: Key
    at: AwareDatetime
    days: FiniteFloat


class Acme:
    vendor, paths, keeps_raw, remembers = "acme", (), True, None

    def __init__(self, settings: Settings) -> None:
        self.name, self._secrets = settings.connection, settings.signing_secret

    def verify(self, hook: hub.Webhook, now: datetime) -> None:
        theirs = hook.headers.get("x-acme-signature", "").encode()
        ours = [hmac.digest(s.get_secret_value().encode(), hook.body, "sha256").hex().encode() for s in self._secrets]
        if sum(hmac.compare_digest(mac, theirs) for mac in ours) == 0:
            raise hub.BadSignatureError("not signed with PULSEHUB_ACME_SIGNING_SECRET")

    def decode(self, hook: hub.Webhook, now: datetime) -> list[hub.Raw]:
        return [hub.Raw(body=hook.body, received_at=now)]

    def normalize(self, raw: hub.Raw) -> Iterable[hub.Event]:
        late = Delay.model_validate_json(raw.body)
        customer = f"{self.name}:customer:{late.customer}"
        happened = f"{self.name}:parcel:{late.parcel}:delayed:{late.at.isoformat()}"  # a repeat has the same id
        yield hub.Event(id=happened, kind="shipment.delayed", account=customer, occurred_at=late.at, value=late.days)


@hub.hookimpl
def register_sources(settings: Mapping[str, str]) -> Iterable[hub.Source]:
    if ours := Settings.read(settings):
        yield Acme(ours)
