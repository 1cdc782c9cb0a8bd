"""Cursors: where a list goes on, as text that survives a URL and is checked when it comes back."""

from __future__ import annotations

import base64
import binascii
import json

Key = str | float


class CursorError(ValueError):
    """The text is no cursor of ours, or one of another order."""


def encode(order: str, value: Key, last: str) -> str:
    """Say where to go on: after the row `last`, whose sort value is `value`, in this order.

    >>> decode(encode("-mrr", 12.5, "acc_1"), "-mrr")
    (12.5, 'acc_1')
    """
    return base64.urlsafe_b64encode(json.dumps([order, value, last]).encode()).decode().rstrip("=")


def decode(cursor: str, order: str) -> tuple[Key, str]:
    """Read a cursor back.

    Raises:
        CursorError: it was not made by `encode` for this order.
    """
    try:
        found = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise CursorError("this cursor was not given by this API") from None
    match found:
        case [str(was), (str() | int() | float()) as value, str(last)] if not isinstance(value, bool):
            if was != order:
                raise CursorError(f"this cursor belongs to sort={was}, not to sort={order}")
            return value, last
        case _:
            raise CursorError("this cursor was not given by this API")
