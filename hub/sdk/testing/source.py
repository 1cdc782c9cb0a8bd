"""What every source promises, as a test class to inherit."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.sdk.contracts import Raw, Source, Webhook
from hub.sdk.errors import BadSignatureError, RejectedError
from hub.sdk.events import Event
from hub.sdk.testing.hostile import hostile_bodies, misfits

KIND: Final = re.compile(r"[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]{0,39}")
LONGEST: Final = 255
"""Characters of an id or a reference that the database and the log have room for."""
MOST_MONEY: Final = 10**15


def listen(source: Source, hook: Webhook, now: datetime) -> list[Event]:
    """Verify, decode and normalize, as the door does with one webhook."""
    source.verify(hook, now)
    return [event for raw in source.decode(hook, now) for event in source.normalize(raw)]


def check_event(event: Event, connection: str) -> None:
    """Assert what the door demands of every event, whatever it was made from.

    It survives the log, its id and references begin with the connection and fit, its kind is well-formed, its time
    aware, its numbers finite, its money has a currency, its texts are free of NUL (PostgreSQL takes none).
    """
    ours = [event.id, event.account, *(r for r in (event.entity, event.contact) if r is not None)]
    for reference in ours:
        assert reference.startswith(f"{connection}:"), f"{reference!r} does not begin with {connection}:"
        assert len(connection) + 1 < len(reference) <= LONGEST, f"{reference!r} is empty or too long"
    assert KIND.fullmatch(event.kind), f"{event.kind!r} is not subject.past_tense"
    assert event.occurred_at.utcoffset() is not None, "occurred_at has no zone"
    assert (event.amount is None) == (event.currency is None), "amount and currency go together"
    if event.amount is not None and event.currency is not None:
        assert abs(event.amount) < MOST_MONEY, f"amount {event.amount} is beyond counting"
        assert re.fullmatch(r"[A-Z]{3}", event.currency), f"{event.currency!r} is not ISO 4217"
    assert event.value is None or math.isfinite(event.value), f"value {event.value} is not finite"
    texts = [*ours, event.text or "", *event.properties]
    for value in event.properties.values():
        assert value is None or isinstance(value, str | int | float | bool), f"{value!r} is not flat"
        assert not isinstance(value, float) or math.isfinite(value), f"{value} is not finite"
        assert not isinstance(value, int) or abs(value) < 2**63, "an integer beyond 64 bits"
        texts.append(str(value))
    assert not any("\0" in text for text in texts), "NUL in a text"
    assert msgspec.json.decode(msgspec.json.encode(event), type=Event) == event, "the log would change it"


class SourceContract:
    """The promises every source keeps.

    >>> class TestAcme(SourceContract):  # doctest: +SKIP
    ...     fixtures = Path(__file__).parent / "fixtures"
    ...     def source(self, secrets): return Acme(AcmeSettings(signing_secret=secrets))
    ...     def signed(self, body, secret, at): return Webhook(path="/in/acme", headers={...}, body=body)

    Attributes:
        fixtures: folder of captured bodies (any file in it); at least one must normalize to an event.
        covers_body: whether the vendor signs the body; False where it only shows a shared key.
        tolerance: the age beyond which a stamp is refused, either way; None where the vendor stamps nothing.
        at: when the webhooks are signed and come.
        examples: bodies Hypothesis tries.
    """

    fixtures: ClassVar[Path]
    covers_body: ClassVar[bool] = True
    tolerance: ClassVar[timedelta | None] = timedelta(seconds=300)
    at: ClassVar[datetime] = datetime(2026, 3, 1, 10, tzinfo=UTC)
    examples: ClassVar[int] = 150

    def source(self, secrets: str) -> Source:
        """The source, its setting of secrets being `secrets`, comma-separated."""
        raise NotImplementedError

    def signed(self, body: bytes, secret: str, at: datetime) -> Webhook:
        """`body` as the vendor would send it at `at`, who knows `secret`."""
        raise NotImplementedError

    def bodies(self) -> Sequence[bytes]:
        """The captured bodies, by file name."""
        return [path.read_bytes() for path in sorted(self.fixtures.iterdir()) if path.is_file()]

    def test_takes_every_captured_body(self) -> None:
        source = self.source("first,second")
        assert self.bodies(), f"no fixtures in {self.fixtures}"
        events = [e for body in self.bodies() for e in listen(source, self.signed(body, "first", self.at), self.at)]
        assert events, "no fixture normalizes to an event"
        for event in events:
            check_event(event, source.name)

    def test_accepts_every_active_secret(self) -> None:
        source = self.source("first,second")
        for secret in ("first", "second"):
            source.verify(self.signed(self.bodies()[0], secret, self.at), self.at)

    def test_refuses_another_secret(self) -> None:
        for secret in ("third", "first,second", ""):
            with pytest.raises(BadSignatureError):
                self.source("first,second").verify(self.signed(self.bodies()[0], secret, self.at), self.at)

    def test_refuses_a_webhook_whose_headers_are_missing_or_nonsense(self) -> None:
        source, hook = self.source("first"), self.signed(self.bodies()[0], "first", self.at)
        for nonsense in ("", "é", "t=,v1=", "Basic !", "9" * 400):
            changed = dataclasses.replace(hook, headers=dict.fromkeys(hook.headers, nonsense))
            if self.covers_body:
                with pytest.raises(BadSignatureError):
                    source.verify(changed, self.at)
        if self.covers_body:
            with pytest.raises(BadSignatureError):
                source.verify(dataclasses.replace(hook, headers={}), self.at)

    def test_refuses_a_body_that_was_touched(self) -> None:
        source = self.source("first")
        for body in self.bodies():
            hook = self.signed(body, "first", self.at)
            touched = dataclasses.replace(hook, body=hook.body + b" ")
            if self.covers_body:
                with pytest.raises(BadSignatureError):
                    source.verify(touched, self.at)

    def test_refuses_stamps_from_beyond_the_tolerance_in_past_and_future(self) -> None:
        source, body = self.source("first"), self.bodies()[0]
        if self.tolerance is None:
            return
        for late in (self.tolerance - timedelta(seconds=2), timedelta(seconds=2) - self.tolerance):
            source.verify(self.signed(body, "first", self.at), self.at + late)
        for late in (self.tolerance + timedelta(seconds=2), -self.tolerance - timedelta(seconds=2)):
            with pytest.raises(BadSignatureError):
                source.verify(self.signed(body, "first", self.at), self.at + late)

    def test_normalizing_again_says_the_same(self) -> None:
        source = self.source("first")
        for body in self.bodies():
            once = [list(source.normalize(raw)) for raw in self._cut(source, body, self.at)]
            again = [list(self.source("first").normalize(raw)) for raw in self._cut(source, body, self.at)]
            assert once == again

    def test_a_body_sent_again_later_has_the_same_ids(self) -> None:
        source, later = self.source("first"), self.at + timedelta(hours=5)
        for body in self.bodies():
            first = [e.id for raw in self._cut(source, body, self.at) for e in source.normalize(raw)]
            second = [e.id for raw in self._cut(source, body, later) for e in source.normalize(raw)]
            assert first == second
            assert len(set(first)) == len(first)

    def test_any_member_of_a_body_may_be_of_any_type(self) -> None:
        source, hook = self.source("first"), self.signed(self.bodies()[0], "first", self.at)
        for sample in self.bodies():
            for body in misfits(sample):
                self._read(source, dataclasses.replace(hook, body=body))

    def test_hostile_bodies_are_rejected_or_harmless(self) -> None:
        source = self.source("first")

        @self._tries()
        @given(hostile_bodies(self.bodies()))
        def check(body: bytes) -> None:
            try:
                hook = self.signed(body, "first", self.at)
            except ValueError:  # what signs a body may have to read it
                hook = Webhook(path=self.signed(self.bodies()[0], "first", self.at).path, headers={}, body=body)
            self._survive(source, hook)

        check()

    def test_hostile_headers_are_rejected_or_harmless(self) -> None:
        source, body = self.source("first"), self.bodies()[0]
        names = sorted(self.signed(body, "first", self.at).headers)
        texts = st.text(st.characters(max_codepoint=255), max_size=60) | st.just("t=" + "9" * 5000)

        @self._tries()
        @given(st.dictionaries(st.sampled_from([*names, "authorization"]), texts))
        def check(headers: dict[str, str]) -> None:
            hook = self.signed(body, "first", self.at)
            self._survive(source, dataclasses.replace(hook, headers=headers))

        check()

    def _tries(self) -> settings:
        return settings(
            max_examples=self.examples,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        )

    def _cut(self, source: Source, body: bytes, now: datetime) -> Sequence[Raw]:
        return source.decode(self.signed(body, "first", now), now)

    def _survive(self, source: Source, hook: Webhook) -> None:
        """Only `RejectedError` leaves `verify` and `decode`; `normalize` may also say `ValueError` of one record."""
        with contextlib.suppress(RejectedError):
            source.verify(hook, self.at)
        self._read(source, hook)

    def _read(self, source: Source, hook: Webhook) -> None:
        try:
            raws = source.decode(hook, self.at)
        except RejectedError:
            return
        for raw in raws:
            events: list[Event] = []
            with contextlib.suppress(RejectedError, ValueError):
                events = list(source.normalize(raw))
            for event in events:
                check_event(event, source.name)
