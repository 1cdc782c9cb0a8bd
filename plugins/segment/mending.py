"""Text that a client cut in the middle of a character."""

from __future__ import annotations

import re
from typing import Final

_ESCAPES: Final = re.compile(
    rb"\\(?:\\"  # a backslash itself: what follows is no escape
    rb"|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a whole pair
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2}))"  # half of one
)


def mended(body: bytes) -> bytes:
    r"""JSON with every lone half of a surrogate pair replaced by U+FFFD.

    JavaScript and Python write such halves without complaint when an emoji at the end of a text was cut in two; no
    decoder of ours takes them, and one would cost its whole batch.

    >>> mended(rb'["\ud83d\ude00", "\ud83d", "\\ud83d"]')
    b'["\\ud83d\\ude00", "\\ufffd", "\\\\ud83d"]'
    """
    if rb"\ud" not in body and rb"\uD" not in body:
        return body
    return _ESCAPES.sub(lambda found: rb"\ufffd" if found[1] else found[0], body)
