"""Something we decided to do about a customer; the message of topic `actions`."""

from __future__ import annotations

from typing import Literal

import msgspec

from hub.sdk.health import Health


class Action(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One alert, to be delivered once by each sink of alerts.

    Attributes:
        key: idempotency key, made of facts: `alert:<account>:at_risk:<sequence>`.
        account: our account's id.
        kind: why it leaves.
        at: unix seconds.
        health: the health that caused it.
        to: e-mail addresses of the people it is for; sinks that address nobody ignore them.
        name: what people call the customer.
        facts: what a reader wants beside it: `owner`, `mrr`, `currency`, `renewal_on`.
    """

    key: str
    account: str
    kind: Literal["band_fell", "band_recovered"]
    at: float
    health: Health
    to: list[str]
    name: str
    facts: dict[str, str | float | None] = msgspec.field(default_factory=dict)
