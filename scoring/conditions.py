"""Conditions on measures, as people write them: `>= 1`, `< 30`, `= 0`, `known`, `unknown`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from scoring.arrays import Floats

Flags = np.ndarray[Any, np.dtype[np.bool_]]
Test = Callable[[Floats], Flags]
_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
_WRITTEN: Final = re.compile(r"(>=|<=|>|<|=)\s*(-?\d+(?:\.\d+)?)")


def condition(written: str) -> Test:
    """The test that a condition is: (n,) values in, NaN unknown; (n,) out. Nothing unknown meets a comparison.

    >>> condition(">= 1")(np.array([0.0, 1.0, np.nan])).tolist(), condition("unknown")(np.array([1.0, np.nan])).tolist()
    ([False, True, False], [False, True])

    Raises:
        ValueError: it is none; the message says what one looks like.
    """
    if written in ("known", "unknown"):
        return lambda values: np.asarray(np.isnan(values) == (written == "unknown"))
    found = _WRITTEN.fullmatch(written.strip())
    if found is None:
        raise ValueError(f"{written!r} is no condition; write `>= 1`, `< 30`, `= 0`, `known` or `unknown`")
    compare, bound = _COMPARE[found[1]], float(found[2])
    return lambda values: np.asarray(compare(values, bound))


def checked(written: str) -> str:
    """A condition as it was written.

    Raises:
        ValueError: it is none.
    """
    condition(written)
    return written
