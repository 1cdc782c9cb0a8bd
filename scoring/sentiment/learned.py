"""What ratings have taught, and how it is added to what the words say. River is not needed to read.

    logit = heard * share + n / (n + 50) * (intercept + sum of the text's places / sqrt(how many))

`heard` is the logit of the words alone. A new installation has n = 0 labels and reads by its words; labels move the
share of the words and the weights of the places, and the more there were the more that counts.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np

from scoring.sentiment.grams import BITS, SPACE, places

FORMAT: Final = 1
HALF: Final = 50.0
"""Labels after which half of what was learned counts."""
BOUND: Final = 3.0
"""Of a place's weight: no gram of one customer's says everything."""
LEAST: Final = 0.25
MOST: Final = 1.5
"""Within which the share of the words stays."""
_LITTLE: Final = "<f4"


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was learned, as it is kept: 44 KB, whatever was learned.

    Attributes:
        format: of this; what cannot be read is begun anew.
        bits: of the space of places.
        labels: how many were learned, each by what it is worth.
        through: unix seconds of the newest of them.
        share: of the words' logit.
        intercept: of the rest.
        weights: of the places, little-endian float32 in base64; empty for all zero.
    """

    format: int = FORMAT
    bits: int = BITS
    labels: float = 0.0
    through: float = 0.0
    share: float = 1.0
    intercept: float = 0.0
    weights: str = ""


def encode(state: State) -> str:
    """The state as JSON, the same for the same state."""
    return msgspec.json.encode(state).decode()


def decode(body: str | bytes) -> State:
    """A state that was kept; a fresh one where it is of another format.

    Raises:
        ValueError: it is none, or its numbers cannot be.
    """
    state = msgspec.json.decode(body, type=State)
    if (state.format, state.bits) != (FORMAT, BITS):
        return State()
    numbers = (state.labels, state.through, state.share, state.intercept)
    if not all(map(math.isfinite, numbers)) or not np.isfinite(unpacked(state)).all():
        raise ValueError("what was learned of texts is not finite")
    return state


def packed(weights: np.ndarray[Any, Any]) -> str:
    """Weights as they are kept."""
    return base64.b64encode(weights.astype(_LITTLE).tobytes()).decode() if weights.any() else ""


def unpacked(state: State) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(SPACE,) weights of a state.

    Raises:
        ValueError: there are too few or too many.
    """
    if not state.weights:
        return np.zeros(SPACE)
    weights = np.frombuffer(base64.b64decode(state.weights), _LITTLE)
    if len(weights) != SPACE:
        raise ValueError(f"{len(weights)} weights of texts where there are {SPACE} places")
    return weights.astype(np.float64)


class Learned:
    """A state that reads.

    Args:
        state: what was learned.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self._weights = unpacked(state)
        self._counts = state.labels / (state.labels + HALF)

    def logit(self, words: Sequence[str], heard: float) -> tuple[float, float]:
        """Logit of `positive` with what was learned, and how much evidence that adds to what the words were.

        Args:
            words: `tokens` of what was `said`.
            heard: their logit alone.
        """
        if not self._counts:
            return heard, 0.0
        where = places(words)
        if not len(where):
            return heard, 0.0
        grams = float(self._weights[where].sum()) / math.sqrt(len(where))
        learned = self._counts * (grams + self.state.intercept)
        return heard * self.state.share + learned, abs(learned)
