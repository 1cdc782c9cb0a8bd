"""The kit is a judge of sandboxes: each way of not being the inverse of one's source is caught."""

import json

import msgspec
import pytest

import hub
from hub.testing import SandboxContract
from plugins.segment.sandbox import SegmentSandbox
from plugins.segment.settings import SegmentSettings
from plugins.segment.source import Segment


class Judge(SandboxContract):
    kinds = frozenset({"account.updated", "contact.identified", "usage.tracked"})
    cls = SegmentSandbox

    def sandbox(self):
        return self.cls()

    def source(self, settings):
        return Segment(SegmentSettings.read(settings))


class Rounding(SegmentSandbox):
    def happen(self, event):
        return super().happen(msgspec.structs.replace(event, value=1.0))


class Amnesiac(SegmentSandbox):
    made = 0

    def happen(self, event):
        Amnesiac.made += 1
        return super().happen(msgspec.structs.replace(event, account=f"{event.account}-{Amnesiac.made}"))


class Repeating(SegmentSandbox):
    def happen(self, event):
        (ping,) = super().happen(event)
        tree = json.loads(ping.body)
        tree["batch"][0]["messageId"] = event.kind
        return [hub.Ping(path=ping.path, headers=ping.headers, body=json.dumps(tree).encode())]


class Babbling(SegmentSandbox):
    def happen(self, event):
        return super().happen(msgspec.structs.replace(event, kind="usage.tracked"))


class Unkeyed(SegmentSandbox):
    def settings(self, url):
        return {**super().settings(url), "PULSEHUB_SEGMENT_GROUP_IS_EXTERNAL_ID": "false"}


@pytest.mark.parametrize(
    ("cls", "promise"),
    [
        (Rounding, "test_what_happens_comes_back_as_it_was"),
        (Amnesiac, "test_one_customer_has_one_reference_and_another_another"),
        (Unkeyed, "test_the_customer_s_key_travels_so_that_vendors_agree_on_who_it_is"),
        (Repeating, "test_the_same_again_later_is_another_event"),
        (Amnesiac, "test_a_fresh_sandbox_sends_the_same"),
        (Babbling, "test_kinds_the_vendor_does_not_know_send_nothing"),
    ],
)
def test_a_sandbox_that_breaks_a_promise_is_caught(cls, promise):
    getattr(Judge(), promise)()
    judge = Judge()
    judge.cls = cls
    with pytest.raises(AssertionError):
        getattr(judge, promise)()
