"""A file's rows, one at a time, each with its line number: what cannot be read as one is said, not raised."""

from __future__ import annotations

import csv
import hashlib
from collections import deque
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from hub.ingest.importing.opening import Opened
from hub.ingest.importing.plan import Plan
from hub.sdk.errors import ConfigError

_LONGEST: Final = 1 << 20  # bytes of a row; beyond that a quote was never closed, or it is no such file
_MOST_LINES: Final = 500  # of a row, likewise
_BOM: Final = b"\xef\xbb\xbf"


class Row(NamedTuple):
    """One row.

    Attributes:
        line: the number of its first line, the file's first being 1.
        cells: column -> cell, without space around it; also `@line` and `@hash`. Empty if there is a problem.
        problem: why it cannot be read, or None.
        raw: the row as it stands in the file, for the file of rejected rows.
    """

    line: int
    cells: dict[str, str]
    problem: str | None
    raw: bytes


class Place(NamedTuple):
    """Where in a file's content reading goes on."""

    offset: int
    line: int


class _UnclosedError(Exception):
    """A row goes on for longer than any row would."""


class Lines:
    """Lines of bounded length, counted; some may be given back."""

    def __init__(self, opened: Opened, place: Place) -> None:
        self._opened = opened
        self._back: deque[bytes] = deque()
        self.offset, self.line = place
        if self.offset:
            opened.skip(self.offset)

    def take(self) -> bytes | None:
        """The next line with its end, or None."""
        line = self._back.popleft() if self._back else self._opened.line(_LONGEST)
        if not line:
            return None
        self.offset += len(line)
        self.line += 1
        if self.line == 1 and line.startswith(_BOM):
            return line[len(_BOM) :] or b"\n"
        return line

    def give_back(self, lines: list[bytes]) -> None:
        """Let these be taken once more."""
        self._back.extendleft(reversed(lines))
        self.offset -= sum(map(len, lines))
        self.line -= len(lines)

    def rest(self, line: bytes) -> bool:
        """Pass over what is left of a line that is too long; whether it was."""
        if len(line) < _LONGEST or line.endswith(b"\n"):
            return False
        while part := self._opened.line(_LONGEST):
            self.offset += len(part)
            if part.endswith(b"\n"):
                break
        return True


class JsonRows:
    """A JSON object a line; what is nested is named with dots, `user.id`."""

    def __init__(self, opened: Opened, plan: Plan, place: Place) -> None:
        self._lines = Lines(opened, place)
        self._encoding = plan.encoding
        self.columns: list[str] | None = None

    @property
    def place(self) -> Place:
        """Behind the row given last."""
        return Place(self._lines.offset, self._lines.line)

    def __iter__(self) -> Iterator[Row]:
        while (line := self._lines.take()) is not None:
            number = self._lines.line
            if self._lines.rest(line):
                yield Row(number, {}, "the line is too long", line[:1000])
            elif line.strip():
                yield self._row(number, line)

    def _row(self, number: int, line: bytes) -> Row:
        try:
            found = msgspec.json.decode(line.decode(self._encoding))
        except UnicodeDecodeError:
            return Row(number, {}, f"not {self._encoding}", line)
        except (msgspec.MsgspecError, RecursionError, ValueError):
            return Row(number, {}, "not JSON", line)
        if not isinstance(found, dict):
            return Row(number, {}, "not a JSON object", line)
        cells = _Loose({"@line": str(number), "@hash": _hash(line.strip())})
        _flatten("", found, cells)
        return Row(number, cells, None, line)


class CsvRows:
    """Rows of cells, quotes spanning lines included.

    Raises:
        ConfigError: the file has no line of columns, or a column twice.
    """

    def __init__(self, opened: Opened, plan: Plan, place: Place) -> None:
        self._plan = plan
        self._lines = Lines(opened, Place(0, 0))
        self._taken: list[bytes] = []
        self._reader = self._new_reader()
        self.columns: list[str] = plan.csv.columns or self._header()
        if len(set(self.columns)) != len(self.columns):
            twice = sorted({name for name in self.columns if self.columns.count(name) > 1})
            raise ConfigError(f"{opened.path} has more than one column {', '.join(twice)}")
        if place.offset:
            opened.skip(place.offset - (self._lines.offset if opened.packed else 0))
            self._lines.offset, self._lines.line = place
            self._reader = self._new_reader()

    @property
    def place(self) -> Place:
        """Behind the row given last."""
        return Place(self._lines.offset, self._lines.line)

    def __iter__(self) -> Iterator[Row]:
        width, columns = len(self.columns), self.columns
        while True:
            self._taken.clear()
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except (csv.Error, _UnclosedError) as error:
                yield self._unreadable(error)
                continue
            number = self._lines.line - len(self._taken) + 1
            raw = self._taken[0] if len(self._taken) == 1 else b"".join(self._taken)
            if not cells or (len(cells) == 1 and not cells[0].strip()):
                continue
            if len(cells) != width:
                yield Row(number, {}, f"has {len(cells)} cells where there are {width} columns", raw)
                continue
            row = dict(zip(columns, map(str.strip, cells), strict=True))
            try:
                row["@hash"] = _hash("\x1f".join(cells).encode())
            except UnicodeEncodeError:
                yield Row(number, {}, f"not {self._plan.encoding}", raw)
                continue
            row["@line"] = str(number)
            yield Row(number, row, None, raw)

    def _header(self) -> list[str]:
        try:
            found = [cell.strip() for cell in next(self._reader)]
        except (StopIteration, csv.Error, _UnclosedError):
            found = []
        if not any(found):
            raise ConfigError("the file has no line of columns; without one, name them in the map under csv.columns")
        return found

    def _unreadable(self, error: Exception) -> Row:
        """The row's first line, rejected; what it had swallowed is read anew."""
        number = self._lines.line - len(self._taken) + 1
        first, *others = self._taken
        self._lines.give_back(others)
        self._reader = self._new_reader()
        if self._lines.rest(first):
            return Row(number, {}, "the line is too long", first[:1000])
        unclosed = isinstance(error, _UnclosedError) or "unexpected end" in str(error)
        problem = "a quote is opened and never closed" if unclosed else f"not CSV: {error}"
        return Row(number, {}, problem, first)

    def _new_reader(self) -> Any:
        dialect = self._plan.csv
        return csv.reader(self._feed(), delimiter=dialect.delimiter, quotechar=dialect.quote, strict=True)

    def _feed(self) -> Iterator[str]:
        encoding, taken, length = self._plan.encoding, self._taken, 0
        while (line := self._lines.take()) is not None:
            length = len(line) if not taken else length + len(line)
            taken.append(line)
            if len(taken) > _MOST_LINES or length >= _LONGEST:
                raise _UnclosedError
            yield line.replace(b"\0", b"").decode(encoding, "surrogateescape")


class _Loose(dict[str, str]):
    """Cells of a format in which a row may leave columns out."""

    def __missing__(self, column: str) -> str:
        return ""


def rows_of(opened: Opened, plan: Plan, place: Place) -> CsvRows | JsonRows:
    """Read a file from `place` on."""
    return CsvRows(opened, plan, place) if plan.format == "csv" else JsonRows(opened, plan, place)


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _flatten(name: str, value: object, into: dict[str, str]) -> None:
    match value:
        case dict():
            for key, one in value.items():
                _flatten(f"{name}.{key}" if name else str(key), one, into)
        case None:
            into[name] = ""
        case bool():
            into[name] = str(value).lower()
        case str():
            into[name] = value.replace("\0", "").strip()
        case list():
            into[name] = msgspec.json.encode(value).decode()
        case _:
            into[name] = str(value)
