"""Many values as one parameter: arrays, written at once as PostgreSQL reads them.

Psycopg writes a list element by element, in Python: of what a worker did for an event that was a tenth. The format is
that of PostgreSQL's `array_recv`: dimensions, whether a NULL is among them, the type, the length, the first index, then
each element behind its length, which is -1 for NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct, pack
from typing import Any, ClassVar, Final

from psycopg import Connection
from psycopg.adapt import Buffer, Dumper
from psycopg.postgres import types
from psycopg.pq import Format

_HEAD: Final = Struct(">iiIii")
_length: Final = Struct(">i").pack
_LENGTHS: Final = [_length(length) for length in range(1024)]
_NULL: Final = _length(-1)
_FIXED: Final = {"int4": "i", "int8": "q", "float8": "d"}  # as `struct` writes them, behind their lengths


class Array(bytes):
    """An array; the statement says of what type it is: `%s::float8[]`."""


def array(values: Sequence[Any], kind: str) -> Array:
    """These values, some of them None perhaps, as an array of `int4`, `int8`, `float8`, `text` or `bytea`.

    PostgreSQL keeps no NUL characters: a text is there without them.

    Raises:
        struct.error: a number is none, or does not fit.
    """
    missing = None in values
    head = _HEAD.pack(1, missing, types[kind].oid, len(values), 1)
    code = _FIXED.get(kind)
    if code and not missing:
        size = len(pack(code, 0))
        flat = [size] * (2 * len(values))
        flat[1::2] = values
        return Array(head + pack(">" + ("i" + code) * len(values), *flat))
    write = _writer(kind, values)
    parts = [head]
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            item = write(value)
            size = len(item)
            parts += (_LENGTHS[size] if size < len(_LENGTHS) else _length(size), item)
    return Array(b"".join(parts))


def _writer(kind: str, values: Sequence[Any]) -> Callable[[Any], bytes]:
    """What writes one of these values."""
    if kind == "bytea":
        return bytes
    if kind == "text":
        nuls = any("\0" in value for value in values if value is not None)
        return (lambda value: value.replace("\0", "").encode()) if nuls else str.encode
    return Struct(">" + _FIXED[kind]).pack


class _Dumper(Dumper):
    format: ClassVar[Format] = Format.BINARY  # type: ignore[misc]
    oid = 0  # the statement says

    def dump(self, obj: Any) -> Buffer:
        return bytes(obj)


def adapt(connection: Connection[Any]) -> None:
    """Have this connection send them as they are."""
    connection.adapters.register_dumper(Array, _Dumper)
