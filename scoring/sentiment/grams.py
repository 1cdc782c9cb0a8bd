"""A text as places in a bounded space: its words, pairs of words and runs of four letters, hashed.

What is learned of a text is learned of these places, in any language and any spelling, and takes the same memory after
ten labels and after ten million. Two grams may share a place; a text has hundreds, so that one in common says little.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np

from scoring.sentiment.tokens import MARKS, tokens

BITS: Final = 13
SPACE: Final = 1 << BITS
"""Places there are."""
_RUN: Final = 4  # bytes: letters, but for those beyond ASCII
_SPREAD: Final = np.array([0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F], np.uint32)
_MIX: Final = np.uint32(0x2C1B3C6D)

Places = np.ndarray[Any, np.dtype[np.int64]]


def places(words: Sequence[str]) -> Places:
    """Sorted places of a text's `tokens`, each once; the same in any process.

    >>> places(tokens("It is down")).tolist() == places(tokens("it is DOWN!")).tolist()
    True
    """
    words = [word for word in words if word and word not in MARKS]
    crc32 = zlib.crc32
    grams = [crc32(word.encode()) for word in words]
    grams += [crc32(f"{one} {other}".encode(), 1) for one, other in pairwise(words)]
    letters = np.frombuffer(f" {' '.join(words)} ".encode(), np.uint8).astype(np.uint32)
    hashed = np.array(grams, np.uint32)
    if len(letters) >= _RUN:
        runs = np.zeros(len(letters) - _RUN + 1, np.uint32)
        for at in range(_RUN):
            runs += letters[at : at + len(runs)] * _SPREAD[at]
        hashed = np.concatenate([hashed, runs])
    hashed ^= hashed >> np.uint32(15)
    hashed *= _MIX
    return np.unique(hashed >> np.uint32(32 - BITS)).astype(np.int64)


def names(text: str) -> list[int]:
    """Places of a text that is `said`, as River's tokenizer wants them."""
    found: list[int] = places(tokens(text)).tolist()
    return found
