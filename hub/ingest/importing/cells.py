"""From a row's cells to the parts of an event: a map's texts, numbers, times and conditions as functions. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from hub.ingest.importing.plan import Condition, Moment, Number, Numbers, When
from hub.sdk.errors import ConfigError, RejectedError

Cells = Mapping[str, str]
Text = Callable[[Cells], str | None]
Figure = Callable[[Cells], Decimal | None]
Test = Callable[[Cells], bool]

_PART: Final = re.compile(r"\{([^{}|]+)(?:\|([a-z]+))?\}")
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_LONGEST: Final = 64  # characters of a number
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def text(template: str) -> Text:
    """Fill a template in; None when a column it needs is empty.

    Raises:
        ConfigError: it names a filter there is not.
    """
    names = _PART.findall(template)
    for _, change in names:
        if change and change not in _FILTERS:
            raise ConfigError(f"{template!r}: {change} is no filter; there are {', '.join(_FILTERS)}")
    if not names:
        return lambda _cells: template
    if _PART.fullmatch(template) and not names[0][1]:
        column = names[0][0]
        return lambda cells: cells[column] or None
    pieces = _PART.split(template)
    literal, parts = pieces[0], list(zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True))

    def fill(cells: Cells) -> str | None:
        made = literal
        for column, change, after in parts:
            cell = cells[column]
            if not cell:
                return None
            made += (_FILTERS[change](cell) if change else cell) + after
        return made

    return fill


def number(spec: Number, written: Numbers) -> Figure:
    """Read a number; None when the cell is empty; rejects the row when it holds something else."""
    read = _reader(written)
    factor = Decimal(1) / Decimal(str(spec.divide)) if spec.divide else None

    def figure(cells: Cells) -> Decimal | None:
        cell = cells[spec.column]
        if not cell:
            return None
        made = read(spec.column, cell)
        if spec.times is not None:
            other = cells[spec.times]
            if not other:
                return None
            made *= read(spec.times, other)
        if factor is not None:
            made *= factor
        return abs(made) if spec.absolute else made

    return figure


def moment(spec: Moment, zone: str) -> Callable[[Cells], datetime]:
    """Read a time; rejects the row when there is none."""
    ours = ZoneInfo(spec.zone or zone)

    @lru_cache(maxsize=4096)
    def parse(cell: str) -> datetime | None:
        try:
            match spec.format:
                case "iso":
                    at = datetime.fromisoformat(cell)
                case "unix":
                    return _EPOCH + timedelta(seconds=float(cell))
                case "unix_ms":
                    return _EPOCH + timedelta(milliseconds=float(cell))
                case pattern:
                    at = datetime.strptime(cell, pattern)  # noqa: DTZ007 - the zone is put in below
            return (at if at.tzinfo else at.replace(tzinfo=ours)).astimezone(UTC)
        except (ValueError, OverflowError):
            return None

    def read(cells: Cells) -> datetime:
        cell = cells[spec.column]
        if not cell:
            raise RejectedError(f"{spec.column} is empty")
        at = parse(cell)
        if at is None:
            raise RejectedError(f"{spec.column} is not a time of the format {spec.format}")
        return at

    return read


def holds(when: When, written: Numbers) -> Test:
    """Whether all conditions on a row's cells hold; with none, they do."""
    tests = [_on(column, _test(condition, written)) for column, condition in when.items()]
    if len(tests) == 1:
        return tests[0]
    return lambda cells: all(test(cells) for test in tests)


def columns_of(template: str) -> Iterable[str]:
    """The columns a template reads."""
    return (name for name, _ in _PART.findall(template))


def _whole(cell: str) -> str:
    try:
        return str(int(cell.removesuffix(".0")))
    except ValueError:
        raise RejectedError("a cell that should be a whole number is not") from None


_FILTERS: Final[dict[str, Callable[[str], str]]] = {"int": _whole, "lower": str.lower, "upper": str.upper}


def _reader(written: Numbers) -> Callable[[str, str], Decimal]:
    def read(column: str, cell: str) -> Decimal:
        found = _decimal(cell, written)
        if found is None:
            raise RejectedError(f"{column} is not a number")
        return found

    return read


def _decimal(cell: str, written: Numbers) -> Decimal | None:
    if written.thousands:
        cell = cell.replace(written.thousands, "")
    if written.decimal == ",":
        cell = cell.replace(",", ".") if "." not in cell else ""
    if len(cell) > _LONGEST or not _NUMBER.fullmatch(cell):
        return None
    return Decimal(cell)


def _on(column: str, test: Callable[[str], bool]) -> Test:
    return lambda cells: test(cells[column])


def _test(condition: Condition, written: Numbers) -> Callable[[str], bool]:
    tests: list[Callable[[str], bool]] = []
    if condition.equals is not None:
        wanted = {_cell(one) for one in _list(condition.equals)}
        tests.append(lambda cell: cell in wanted)
    if condition.startswith is not None:
        starts = tuple(map(str, _list(condition.startswith)))
        tests.append(lambda cell: cell.startswith(starts))
    if condition.endswith is not None:
        ends = tuple(map(str, _list(condition.endswith)))
        tests.append(lambda cell: cell.endswith(ends))
    if (part := condition.contains) is not None:
        tests.append(lambda cell: part in cell)
    if condition.matches is not None:
        pattern = _pattern(condition.matches)
        tests.append(lambda cell: pattern.fullmatch(cell) is not None)
    if (empty := condition.empty) is not None:
        tests.append(lambda cell: (not cell) is empty)
    tests.extend(_comparisons(condition, written))
    if condition.unless is not None:
        against = _test(condition.unless, written)
        tests.append(lambda cell: not against(cell))
    if len(tests) == 1:
        return tests[0]
    return lambda cell: all(test(cell) for test in tests)


def _comparisons(condition: Condition, written: Numbers) -> Iterable[Callable[[str], bool]]:
    """Comparisons of numbers; a cell that holds none compares with nothing."""
    bounds: tuple[tuple[float | None, Callable[[Decimal, Decimal], bool]], ...] = (
        (condition.gt, Decimal.__gt__),
        (condition.ge, Decimal.__ge__),
        (condition.lt, Decimal.__lt__),
        (condition.le, Decimal.__le__),
    )
    for bound, compare in bounds:
        if bound is not None:
            yield _compared(Decimal(str(bound)), compare, written)


def _compared(bound: Decimal, compare: Callable[[Decimal, Decimal], bool], written: Numbers) -> Callable[[str], bool]:
    def test(cell: str) -> bool:
        found = _decimal(cell, written)
        return found is not None and compare(found, bound)

    return test


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise ConfigError(f"{text!r} is no regular expression: {error}") from None


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _cell(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
