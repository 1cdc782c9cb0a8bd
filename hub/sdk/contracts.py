"""What a source and a sink promise, and the values that pass between them and the hub."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol, runtime_checkable

from hub.sdk.events import Event, Scalar
from hub.sdk.health import Health


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One HTTP request at the door, as it came.

    Attributes:
        path: the path asked for, `/in/zendesk` or one the source declares.
        headers: names in lower case.
        body: the bytes after decompression; what a vendor's signature covers.
        query: the query string's last values by name.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """One vendor record: what `Source.decode` cuts a webhook into and `Source.normalize` reads.

    Attributes:
        body: the record's bytes; JSON, or whatever the vendor speaks. Kept in a dead letter if it cannot be read.
        received_at: when the door took it; aware.
        sent_at: when the vendor says it sent it, where it says so (Segment's clock-skew correction).
        path: the path it came by, where that says what it is (`/v1/track`).
    """

    body: bytes
    received_at: datetime
    sent_at: datetime | None = None
    path: str = ""


@runtime_checkable
class Source(Protocol):
    """Where events come from: one configured connection to one vendor.

    Attributes:
        name: the connection's name, `zendesk` or `zendesk-emea`; ids and references begin with it.
        vendor: the plugin's name, `zendesk`.
        paths: paths of its own beside `/in/{name}`; on them every final refusal is answered 400.
        keeps_raw: whether bodies are kept (7 days) so that a mended plugin can read them again.
        remembers: how long an id must be remembered to recognize a repeat; None: for ever (whatever can be
            backfilled or imported).
    """

    name: str
    vendor: str
    paths: Sequence[str]
    keeps_raw: bool
    remembers: timedelta | None

    def verify(self, hook: Webhook, now: datetime) -> None:
        """Raise `BadSignatureError` unless an active secret vouches for the bytes; in constant time."""

    def decode(self, hook: Webhook, now: datetime) -> Sequence[Raw]:
        """Cut a verified webhook into records; raise `MalformedError` if it is not what the vendor speaks."""

    def normalize(self, raw: Raw) -> Iterable[Event]:
        """Say what happened, in our words; pure. Whatever it raises dead-letters the record, and only that."""


@runtime_checkable
class Answering(Protocol):
    """What a source has besides where its vendor takes nothing but an answer of its own for a success.

    Salesforce's outbound messages are repeated for a day unless they are answered in SOAP.
    """

    def answer(self, hook: Webhook) -> tuple[bytes, str] | None:
        """Body and content type that say the log has this webhook; None for the usual counts. Pure; never raises."""


@dataclass(frozen=True, slots=True)
class Ok:
    """The destination has it."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now. `after`: seconds the destination asked for, or None to back off by ourselves."""

    reason: str
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """Never: the record itself is wrong for this destination. It becomes a dead letter."""

    reason: str


@dataclass(frozen=True, slots=True)
class Pending:
    """Taken, not yet done: ask `Sink.poll` about `job`."""

    job: str


Outcome = Ok | Retry | Reject | Pending


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One record on its way to a sink.

    Attributes:
        key: idempotency key: the same for every attempt at the same thing.
        account: our account's id.
        target: the sink's own reference of the account, as `Sink.target` gave it; for alerts, the recipient.
        fields: what to write; for alerts, the alert's parts (`kind`, `subject`, ...).
        health: the health it speaks of, where there is one.
    """

    key: str
    account: str
    target: str
    fields: Mapping[str, Scalar]
    health: Health | None = None


@runtime_checkable
class Sink(Protocol):
    """Where results go: one configured destination.

    A sink of *fields* is level-triggered: the hub keeps what each account should show and pushes what differs. A
    sink of *alerts* is edge-triggered: each alert is delivered once.

    Attributes:
        name: the destination's name, `salesforce`, `email`.
        vendor: the plugin's name.
        shape: `fields` or `alerts`.
        batch: the most records one call takes.
    """

    name: str
    vendor: str
    shape: Literal["fields", "alerts"]
    batch: int

    def target(self, references: Sequence[str]) -> str | None:
        """Where an account lives there, picked from its references; None if it does not. Pure.

        A sink of alerts is given the addresses of the people to tell instead; None if it can reach none of them.
        """

    def fields(self, health: Health) -> Mapping[str, Scalar]:
        """What the destination should show for this health. Pure."""

    async def push(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """Try to deliver, one outcome for each, in order.

        A missing outcome counts as a failure. Raise `RetryLaterError` or `RateLimitedError` when the whole call
        failed, `CredentialsError` when the destination no longer knows us.
        """

    async def poll(self, job: str, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """Ask after a job that `push` left `Pending`; one outcome for each of its deliveries, in order."""


@runtime_checkable
class Paced(Protocol):
    """What a sink has besides where its destination tolerates only so many calls.

    Attributes:
        per_minute: times `push` may be called in a minute, by all processes together; None: as often as it likes.
    """

    per_minute: int | None
