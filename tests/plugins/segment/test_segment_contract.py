import base64
import hashlib
import hmac
from decimal import Decimal
from pathlib import Path

import msgspec

import hub
from hub.testing import EXAMPLES, SandboxContract, SourceContract
from plugins.segment.sandbox import SegmentSandbox
from plugins.segment.settings import SegmentSettings
from plugins.segment.source import Segment

FIXTURES = Path(__file__).parent / "fixtures"


class TestSegment(SourceContract):
    fixtures = FIXTURES
    covers_body = False
    tolerance = None

    def source(self, secrets):
        return Segment(SegmentSettings(write_key=secrets))

    def signed(self, body, secret, at):
        token = base64.b64encode(f"{secret}:".encode()).decode()
        return hub.Webhook(path="/v1/batch", headers={"authorization": f"Basic {token}"}, body=body)


class TestSegmentDestination(SourceContract):
    fixtures = FIXTURES
    tolerance = None

    def source(self, secrets):
        return Segment(SegmentSettings(write_key="shown-nowhere", signing_secret=secrets))

    def signed(self, body, secret, at):
        signature = hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
        return hub.Webhook(path="/in/segment", headers={"x-signature": signature}, body=body)


class TestSegmentSandbox(SandboxContract):
    kinds = frozenset({"account.updated", "contact.identified", "contact.left", "session.started", "usage.tracked"})
    more = (
        msgspec.structs.replace(EXAMPLES["usage.tracked"], value=None, contact=None),
        msgspec.structs.replace(EXAMPLES["usage.tracked"], amount=Decimal("49.90"), currency="JPY"),
    )

    def sandbox(self):
        return SegmentSandbox()

    def source(self, settings):
        return Segment(SegmentSettings.read(settings))
