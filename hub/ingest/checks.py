"""What an event must keep to before it may go on the log, and how it is written there.

Plugins are other people's code and vendors' bodies anybody's: whatever passes here can be read, counted, scored and
shown by every room without a second look. Pure.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

import msgspec

from hub.sdk.errors import RejectedError
from hub.sdk.events import KINDS, Event

EARLIEST: Final = datetime(1971, 1, 1, tzinfo=UTC)
AHEAD: Final = timedelta(days=1)

_KIND: Final = re.compile(r"[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]{0,39}")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_LONGEST: Final = 255
_MOST_MONEY: Final = Decimal(10) ** 15
_LONGEST_MONEY: Final = 64
_LARGEST_VALUE: Final = 1e15  # sums of it stay exact enough to fold
_LARGEST: Final = 2**63
_encode: Final = msgspec.json.Encoder().encode
_read_back: Final = msgspec.json.Decoder(Event).decode
_T = TypeVar("_T")


def sealed(event: Event, connection: str, received_at: datetime) -> tuple[Event, bytes]:
    """Stamp an event and write it as it will stand on the log.

    Args:
        event: as a plugin made it; nothing about it is believed, not even its types.
        connection: the source it came through.
        received_at: when the door took it; aware.

    Returns:
        the event with NUL characters and lone surrogates taken out of its texts, and its JSON.

    Raises:
        RejectedError: it breaks a rule; the message names the rule and never quotes what a person wrote.
    """
    if not isinstance(event, Event):
        raise RejectedError(f"normalize gave {type(event).__name__} where an Event was due")
    stamped = msgspec.structs.replace(event, connection=connection, received_at=received_at)
    try:
        written = _encode(stamped)
    except (UnicodeError, ValueError, TypeError, OverflowError, RecursionError, msgspec.MsgspecError):
        stamped = _clean(stamped)
        written = _write(stamped)
    else:
        if b"\\u0000" in written:
            stamped = _clean(stamped)
            written = _write(stamped)
    try:
        stamped = _read_back(written)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise RejectedError(f"not an event: {error}") from None
    _check(event, stamped, received_at)
    return stamped, written


def _write(event: Event) -> bytes:
    try:
        return _encode(event)
    except (UnicodeError, ValueError, TypeError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise RejectedError(f"cannot be written as JSON: {error}") from None


def _check(given: Event, event: Event, received_at: datetime) -> None:
    """Hold the rules that types do not; `given` still has the floats that JSON cannot spell."""
    _check_length("id", event.id)
    _check_length("account", event.account)
    if event.contact is not None:
        _check_length("contact", event.contact)
    if event.entity is not None:
        _check_length("entity", event.entity)
    if event.kind not in KINDS and not _KIND.fullmatch(event.kind):
        raise RejectedError("kind is not of the shape subject.past_tense")
    _check_time(event.occurred_at, received_at)
    _check_money(event.amount, event.currency)
    _check_numbers(given)


def _check_length(name: str, text: str) -> None:
    if not 0 < len(text) <= _LONGEST:
        raise RejectedError(f"{name} has {len(text)} characters, not 1 to {_LONGEST}")


def _check_time(occurred_at: datetime, received_at: datetime) -> None:
    if occurred_at.tzinfo is None:
        raise RejectedError("occurred_at has no time zone")
    if occurred_at < EARLIEST:
        raise RejectedError("occurred_at is before 1971")
    if occurred_at > received_at + AHEAD:
        raise RejectedError("occurred_at is more than a day in the future")


def _check_money(amount: Decimal | None, currency: str | None) -> None:
    if currency is not None and not _CURRENCY.fullmatch(currency):
        raise RejectedError("currency is not three capital letters")
    if amount is None:
        return
    if not amount.is_finite() or abs(amount) >= _MOST_MONEY or len(str(amount)) > _LONGEST_MONEY:
        raise RejectedError("amount is not a sum of money anybody owes")
    if currency is None:
        raise RejectedError("amount has no currency")


def _check_numbers(given: Event) -> None:
    if given.value is not None and not abs(given.value) <= _LARGEST_VALUE:
        raise RejectedError("value is not a number within 1e15")
    for value in given.properties.values():
        if isinstance(value, str):
            continue
        if isinstance(value, float) and not math.isfinite(value):
            raise RejectedError("a property is not a finite number")
        if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
            raise RejectedError("a property is an integer beyond 64 bits")


def _clean(event: Event) -> Event:
    """Take out of every text what no database and no page can hold."""
    facts: Any = event.properties
    return msgspec.structs.replace(
        event,
        id=_text(event.id),
        kind=_text(event.kind),
        account=_text(event.account),
        entity=_text(event.entity),
        contact=_text(event.contact),
        currency=_text(event.currency),
        text=_text(event.text),
        properties={_text(name): _text(value) for name, value in facts.items()} if isinstance(facts, dict) else facts,
    )


def _text(value: _T) -> _T:
    if not isinstance(value, str):
        return value
    return value.replace("\0", "").encode("utf-8", "replace").decode()  # type: ignore[return-value]  # a str for a str
