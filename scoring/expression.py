"""What an event is worth, as a small piece of arithmetic: `amount`, `value`, `properties.seats * properties.price`.

Read with `ast` and a white list, never evaluated as Python: numbers, `amount`, `value`, `polarity`, `properties.NAME`,
`+ - * /`, parentheses, `min`, `max`, `abs`. What an event does not say makes the whole unknown, and so do a division by
zero and a number too large to be a measurement: such an event does not count.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from threading import Lock
from typing import Final

from hub import Event
from scoring.sentiment.noting import polarity

Reading = Callable[[Event], float]
COLUMNS: Final = ("amount", "value")
"""What every batch has as columns already."""
_LONGEST, _MOST_PARTS = 200, 60
_MOST: Final = 1e15
_alone: Final = Lock()
_BINARY: Final[dict[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_CALLS: Final[dict[str, Callable[..., float]]] = {"min": min, "max": max, "abs": abs}
_LANGUAGE: Final = "amount, value, polarity, properties.NAME, numbers, + - * /, min, max, abs"


@lru_cache(maxsize=1_024)
def reading(written: str) -> Reading:
    """What an expression reads of an event; NaN where that is not known.

    Raises:
        ValueError: it is none; the message says what it may be made of.
    """
    try:
        tree = _parsed(written) if len(written) <= _LONGEST else None
    except (SyntaxError, ValueError, RecursionError):
        tree = None
    if tree is None or sum(1 for _ in ast.walk(tree)) > _MOST_PARTS:
        raise ValueError(f"{written[:_LONGEST]!r} is no value; write it with {_LANGUAGE}")
    inner = _compiled(tree.body, written)

    def read(event: Event) -> float:
        try:
            found = inner(event)
        except (ZeroDivisionError, OverflowError):
            return math.nan
        return found if abs(found) <= _MOST else math.nan

    return read


def checked(written: str) -> str:
    """An expression as it was written.

    Raises:
        ValueError: it is none.
    """
    reading(written)
    return written


def moment(written: str) -> Reading:
    """What `properties.NAME` reads as a date: unix seconds; NaN where it says none.

    A day is its first second (UTC), a number unix seconds.

    Raises:
        ValueError: it is not the name of one property.
    """
    match _parsed(checked(written)).body:
        case ast.Attribute(ast.Name("properties"), name):
            return lambda event: _date(event.properties.get(name))
    raise ValueError(f"{written!r} is no date; write `properties.renewal_on`, a property that holds one")


def _parsed(written: str) -> ast.Expression:
    """One at a time: CPython 3.11 counts its depth for all threads together, and two that parse at once may fail."""
    with _alone:
        return ast.parse(written, mode="eval")


def _date(said: object) -> float:
    try:
        match said:
            case bool():
                return math.nan
            case int() | float():
                found = float(said)
            case str() if len(said) == len("2026-12-24"):
                day = date.fromisoformat(said)
                found = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
            case str():
                then = datetime.fromisoformat(said)
                found = (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp()
            case _:
                return math.nan
    except (ValueError, OverflowError):
        return math.nan
    return found if 0.0 <= found < _LAST else math.nan


_LAST: Final = 4_102_444_800.0  # 2100: later it is a way to say `never`, and no date


def _compiled(node: ast.expr, written: str) -> Reading:
    found = _leaf(node) or _branch(node, written)
    if found is None:
        raise ValueError(f"{written!r} is no value; write it with {_LANGUAGE}")
    return found


def _leaf(node: ast.expr) -> Reading | None:
    match node:
        case ast.Constant(int() | float() as number) if not isinstance(number, bool) and abs(number) <= _MOST:
            constant = float(number)
            return lambda _: constant
        case ast.Name("amount"):
            return lambda event: math.nan if event.amount is None else float(event.amount)
        case ast.Name("value"):
            return lambda event: math.nan if event.value is None else event.value
        case ast.Name("polarity"):
            return polarity
        case ast.Attribute(ast.Name("properties"), name):
            return lambda event: _number(event.properties.get(name))
    return None


def _branch(node: ast.expr, written: str) -> Reading | None:
    match node:
        case ast.UnaryOp(ast.USub(), of):
            inner = _compiled(of, written)
            return lambda event: -inner(event)
        case ast.BinOp(left, sign, right) if type(sign) in _BINARY:
            both, first, second = _BINARY[type(sign)], _compiled(left, written), _compiled(right, written)
            return lambda event: both(first(event), second(event))
        case ast.Call(ast.Name(name), [_, *_] as given, []) if name in _CALLS and (name != "abs" or len(given) == 1):
            call, parts = _CALLS[name], [_compiled(one, written) for one in given]
            return lambda event: _called(call, [part(event) for part in parts])
    return None


def _called(call: Callable[..., float], numbers: list[float]) -> float:
    if any(math.isnan(one) for one in numbers):
        return math.nan
    return call(numbers[0]) if call is abs else call(numbers)


def _number(said: object) -> float:
    return float(said) if isinstance(said, int | float) else math.nan
