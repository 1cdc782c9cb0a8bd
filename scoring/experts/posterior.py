"""What is believed of a few numbers: a normal distribution, moved by labels a portion at a time.

Each portion is taken into account by Newton's method on its log loss plus the distance from what was believed before
(a Laplace approximation; Spiegelhalter and Lauritzen 1990). All that was learned is the mean and the precision, so a
label costs the same however many came before, and there is no step size to tune.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import msgspec
import numpy as np

from scoring.arrays import Floats, Mask, expit

_STEPS: Final = 2  # a portion is small beside what is known
_FARTHEST: Final = 1.0  # of one step, in any number: log odds bend, and a bold step would overshoot
_STILL: Final = 1e-6

Odds = Callable[[Floats], tuple[Floats, Floats]]
"""Beliefs (k,) to log odds (n,) and their derivatives (n, k)."""


class Posterior(msgspec.Struct):
    """A normal belief.

    Attributes:
        mean: (k,).
        triangle: the upper triangle of the precision, row by row, as 4-byte floats; travels as base64.
    """

    mean: list[float]
    triangle: bytes

    @classmethod
    def of(cls, mean: Floats, precision: Floats) -> Posterior:
        """Of its mean (k,) and its precision (k, k), which is kept to seven digits: it says how sure, not what."""
        return cls(mean.tolist(), precision[_upper(len(mean))].astype("<f4").tobytes())

    @property
    def precision(self) -> Floats:
        """(k, k), symmetric."""
        out = np.zeros((len(self.mean), len(self.mean)))
        rows, columns = _upper(len(self.mean))
        out[rows, columns] = out[columns, rows] = np.frombuffer(self.triangle, "<f4")
        return out


@lru_cache(maxsize=64)
def _upper(size: int) -> tuple[Any, ...]:
    return np.triu_indices(size)


def learned(
    mean: Floats, precision: Floats, odds: Odds, lost: Mask, weight: float, *, steps: int = _STEPS
) -> tuple[Floats, Floats]:
    """Mean and precision after a portion of labels.

    Args:
        mean: (k,) before.
        precision: (k, k) before, positive definite.
        odds: what beliefs say of these customers.
        lost: (n,) what became of them.
        weight: how much of a label each is.
        steps: of Newton's method, at most.
    """
    beliefs, bend = mean, precision
    for _ in range(steps):
        said, slopes = odds(beliefs)
        chances = expit(said)
        bend = precision + weight * (slopes * (chances * (1.0 - chances))[:, None]).T @ slopes
        step: Any = np.linalg.solve(bend, weight * slopes.T @ (chances - lost) + precision @ (beliefs - mean))
        farthest = float(np.abs(step).max())
        beliefs = beliefs - step * min(1.0, _FARTHEST / max(farthest, _STILL))
        if farthest < _STILL:
            break
    return beliefs, bend
