"""The whole test file of a connector: its promises come from the kit."""

import hmac
from datetime import datetime
from pathlib import Path

import acme_pulsehub

import hub
from hub.testing import SourceContract


class TestAcme(SourceContract):
    fixtures = Path(__file__).parent / "fixtures"
    tolerance = None  # Acme signs no time

    def source(self, secrets: str) -> hub.Source:
        (source,) = acme_pulsehub.register_sources({"PULSEHUB_ACME_SIGNING_SECRET": secrets})
        return source

    def signed(self, body: bytes, secret: str, at: datetime) -> hub.Webhook:
        mac = hmac.digest(secret.encode(), body, "sha256").hex()
        return hub.Webhook(path="/in/acme", headers={"x-acme-signature": mac}, body=body)

    def test_a_late_parcel_is_an_event_of_its_customer(self) -> None:
        body = (self.fixtures / "delayed.json").read_bytes()
        (event,) = self.source("k").normalize(hub.Raw(body=body, received_at=self.at))
        assert (event.kind, event.account, event.value) == ("shipment.delayed", "acme:customer:c-7", 2.0)
