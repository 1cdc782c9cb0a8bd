"""Conditions on measures, as people write them: `>= 1`, `< 30`, `= 0`, `known`, `unknown`."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from scoring.arrays import Floats

Flags = np.ndarray[Any, np.dtype[np.bool_]]
Fact = str | float | bool
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


def fits(said: object, wanted: Sequence[Fact]) -> bool:
    """Whether a fact is one of these values, whatever its capitals, or meets a comparison among them.

    >>> fits("Enterprise", ["enterprise", "pro"]), fits(250, [">= 100"]), fits("250", [">= 100"]), fits(None, [">= 0"])
    (True, True, True, False)
    """
    return any(_fits(said, one) for one in wanted)


def _fits(said: object, wanted: Fact) -> bool:
    if isinstance(wanted, str) and _WRITTEN.fullmatch(wanted.strip()):
        try:
            number = float(said) if isinstance(said, int | float | str) else math.nan
        except ValueError:
            return False
        return bool(condition(wanted)(np.array([number]))[0])
    if isinstance(said, str) and isinstance(wanted, str):
        return said.casefold() == wanted.casefold()
    return (type(said) is type(wanted) and said == wanted) or _same_number(said, wanted)


def _same_number(said: object, wanted: object) -> bool:
    plain = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (said, wanted))
    return plain and said == wanted


def checked(written: str) -> str:
    """A condition as it was written.

    Raises:
        ValueError: it is none.
    """
    condition(written)
    return written
