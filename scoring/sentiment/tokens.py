"""A text as words and the marks between them, as every part of this package counts them."""

from __future__ import annotations

import re
from typing import Final

MOST: Final = 400
"""Words and marks that are read of a text."""
LONGEST: Final = 40
"""Letters of a word; what is longer is none."""

_TOKEN: Final = re.compile(r"[:;]-?[)(d/](?!\w)|[^\W\d_]+|\d+|[.!?…;,:\n¿¡]|[\u2600-\u27bf\u2b50\U0001f300-\U0001faff]")
_SPOILT: Final = re.compile("n['\u2019]t\\b")
ENDS: Final = frozenset(".!?…\n")
"""Marks that end a sentence."""
MARKS: Final = ENDS | frozenset(";,:¿¡")


def tokens(text: str) -> list[str]:
    """Words in lower case and marks, in order; `can't` is `ca not`, apostrophes part words.

    >>> tokens("L'export n'arrive pas: can't open it!")
    ['l', 'export', 'n', 'arrive', 'pas', ':', 'ca', 'not', 'open', 'it', '!']
    """
    small = text.lower()
    if "n't" in small or "n\u2019t" in small:
        small = _SPOILT.sub(" not", small)
    found = _TOKEN.findall(small)[:MOST]
    return [token if len(token) <= LONGEST else "" for token in found]
