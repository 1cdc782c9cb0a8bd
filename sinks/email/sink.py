"""The sink `email`: alerts to the people they are for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from hub.sdk.contracts import Delivery, Outcome, Reject, Retry
from hub.sdk.errors import CredentialsError, RetryLaterError
from hub.sdk.events import Scalar
from hub.sdk.health import Health
from sinks.email.message import compose
from sinks.email.settings import EmailSettings, is_address
from sinks.email.smtp import Conversation


class Email:
    """A `hub.Sink` of alerts.

    Args:
        settings: the way out.
        clock: unix seconds now, for the header `Date`.
    """

    name: str = "email"
    vendor: str = "email"
    shape: Literal["fields", "alerts"] = "alerts"
    batch: int = 10

    def __init__(self, settings: EmailSettings, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._clock = clock

    def target(self, references: Sequence[str]) -> str | None:
        """The addressees that are e-mail addresses, comma-separated, in the order given."""
        return ",".join(dict.fromkeys(one.strip() for one in references if is_address(one.strip()))) or None

    def fields(self, health: Health) -> Mapping[str, Scalar]:  # noqa: ARG002 - a sink's shape
        """Mail shows nothing that lasts."""
        return {}

    async def push(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """Send each as a mail of its own, all in one conversation."""
        outcomes: list[Outcome] = []
        try:
            async with Conversation(self._settings) as talk:
                for delivery in deliveries:
                    outcomes.append(await self._send(talk, delivery))  # noqa: PERF401 - what was sent before a break counts
        except (CredentialsError, RetryLaterError) as error:
            if not outcomes:
                raise
            outcomes += [Retry(str(error))] * (len(deliveries) - len(outcomes))
        return outcomes

    async def poll(self, job: str, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:  # noqa: ARG002 - a sink's shape
        """Mail leaves no jobs behind."""
        return [Retry("mail has no jobs")] * len(deliveries)

    async def _send(self, talk: Conversation, delivery: Delivery) -> Outcome:
        to = [one for one in delivery.target.split(",") if is_address(one)]
        if not to:
            return Reject("nobody to send it to")
        if delivery.health is None:
            return Reject("no health to speak of")
        mail = compose(
            delivery,
            delivery.health,
            self._settings.sender,
            to,
            public_url=self._settings.public_url,
            now=self._clock(),
        )
        return await talk.send(mail, to)
