"""When something happened, by a clock that may be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import hub


def moment(written: object) -> datetime | None:
    """A time as clients write it, ISO 8601, in UTC; without a zone it is taken to be UTC. None is None.

    Raises:
        ValueError: it is something else.
    """
    if written is None:
        return None
    if not isinstance(written, str):
        raise ValueError("not a text")  # noqa: TRY004 - one kind of wrong for who catches it
    try:
        time = datetime.fromisoformat(written)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("beyond the calendar") from None


def occurred(call: Mapping[str, Any], raw: hub.Raw) -> datetime:
    """When the call was made, corrected for a client whose clock is wrong.

    The client tells by one clock when it happened and when it sent it; the difference is right even if the clock is
    not, so it is taken from the time we received it: `received - (sent - happened)`. What Segment forwards
    (`receivedAt` is there) it has corrected itself. A client that does not say when it sent is believed.

    Raises:
        RejectedError: a time is not ISO 8601, or lies beyond the calendar.
    """
    try:
        happened = moment(call.get("timestamp") or call.get("originalTimestamp"))
        if happened is None:
            return raw.received_at
        if "receivedAt" in call:
            return happened
        sent = moment(call.get("sentAt")) or raw.sent_at
        return happened if sent is None else raw.received_at - (sent - happened)
    except (ValueError, OverflowError):
        raise hub.RejectedError("timestamp or sentAt: not a time, ISO 8601") from None
