"""The arrays that scoring passes around, and the two functions that lead from odds to chances and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
Singles = np.ndarray[Any, np.dtype[np.float32]]
Codes = np.ndarray[Any, np.dtype[np.int8]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]


def logit(probability: float) -> float:
    """Log odds of a probability, which must lie strictly between 0 and 1."""
    return math.log(probability / (1.0 - probability))


def expit(logits: Floats) -> Floats:
    """Probabilities of log odds; finite for whatever is finite.

    >>> expit(np.array([0.0, -800.0])).tolist()
    [0.5, 0.0]
    """
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0.0, 1.0, small) / (1.0 + small)
