"""Many values as one parameter: arrays, written at once as PostgreSQL reads them.

Psycopg writes a list element by element, in Python: of what a worker did for an event that was a tenth. The format is
that of PostgreSQL's `array_recv`: dimensions, whether a NULL is among them, the type, the length, the first index, then
each element behind its length, which is -1 for NULL.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct, pack
from typing import Any, ClassVar, Final, NamedTuple

from psycopg import Connection
from psycopg.adapt import Buffer, Dumper
from psycopg.postgres import types
from psycopg.pq import Format

_HEAD: Final = Struct(">iiIii")
_length: Final = Struct(">i").pack
_LENGTHS: Final = [_length(length) for length in range(1024)]
_NULL: Final = _length(-1)
_FIXED: Final = {"int4": "i", "int8": "q", "float8": "d"}  # as `struct` writes them, behind their lengths
_SIZES: Final = {"i": 4, "q": 8, "d": 8}


class Array(NamedTuple):
    """An array; the statement says of what type it is: `%s::float8[]`."""

    written: bytes


def array(values: Sequence[Any], kind: str) -> Array:
    """These values, some of them None perhaps, as an array of `int4`, `int8`, `float8`, `text` or `bytea`.

    PostgreSQL keeps no NUL characters: a text is there without them.

    Raises:
        struct.error: a number is none, or does not fit.
    """
    missing = None in values
    there = [value for value in values if value is not None] if missing else values
    code = _FIXED.get(kind)
    head = _HEAD.pack(1, missing, types[kind].oid, len(values), 1)
    if code and not missing:
        flat = [_SIZES[code]] * (2 * len(values))
        flat[1::2] = values
        return Array(head + pack(">" + ("i" + code) * len(values), *flat))
    items = _written(kind, there)
    sizes = [len(item) for item in items]
    lengths = [_LENGTHS[size] if size < len(_LENGTHS) else _length(size) for size in sizes]
    if missing:
        lengths, items = _spread(values, lengths, _NULL), _spread(values, items, b"")
    parts = [head] * (2 * len(values) + 1)
    parts[1::2], parts[2::2] = lengths, items
    return Array(b"".join(parts))


def _written(kind: str, values: Sequence[Any]) -> list[bytes]:
    """Each of these values as PostgreSQL reads it."""
    if kind == "bytea":
        return list(values)
    if kind == "text":
        if "\0" in "".join(values):
            values = [value.replace("\0", "") for value in values]
        return [value.encode() for value in values]
    write = Struct(">" + _FIXED[kind]).pack
    return [write(value) for value in values]


def _spread(values: Sequence[Any], there: Sequence[bytes], gap: bytes) -> list[bytes]:
    """What is there of each of these values, and `gap` where it is None."""
    rest = iter(there)
    return [gap if value is None else next(rest) for value in values]


class _Dumper(Dumper):
    format: ClassVar[Format] = Format.BINARY  # type: ignore[misc]
    oid = 0  # the statement says

    def dump(self, obj: Any) -> Buffer:
        written: bytes = obj.written
        return written


def adapt(connection: Connection[Any]) -> None:
    """Have this connection send them as they are."""
    connection.adapters.register_dumper(Array, _Dumper)
