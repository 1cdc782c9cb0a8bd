"""Many keys as one parameter: arrays of texts or bytes, written at once as PostgreSQL reads them.

Psycopg writes a list element by element, in Python: of what a worker did for an event that was a tenth. The format is
that of PostgreSQL's `array_recv`: dimensions, whether a NULL is among them, the type, the length, the first index, then
each element behind its length.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Any, ClassVar, Final

from psycopg import Connection
from psycopg.adapt import Buffer, Dumper
from psycopg.postgres import types
from psycopg.pq import Format

_length: Final = Struct(">i").pack
_LENGTHS: Final = [_length(length) for length in range(1024)]
_HEAD: Final = Struct(">iiIii")


class Texts(list[str]):
    """Texts to be compared with a column of texts."""


class Blobs(list[bytes]):
    """Bytes to be compared with a column of bytes."""


def array(items: Sequence[bytes], element: int) -> bytes:
    """A one-dimensional array of elements of this type (an oid), none of them NULL."""
    parts = [_HEAD.pack(1, 0, element, len(items), 1)]
    for item in items:
        size = len(item)
        parts += (_LENGTHS[size] if size < len(_LENGTHS) else _length(size), item)
    return b"".join(parts)


class _Texts(Dumper):
    format: ClassVar[Format] = Format.BINARY  # type: ignore[misc]
    oid = types["text"].array_oid
    _element: Final = types["text"].oid

    def dump(self, obj: Any) -> Buffer:
        texts: Texts = obj
        if "\0" in "".join(texts):  # it keeps none: such a text is there without them
            texts = Texts(text.replace("\0", "") for text in texts)
        return array([text.encode() for text in texts], self._element)


class _Blobs(Dumper):
    format: ClassVar[Format] = Format.BINARY  # type: ignore[misc]
    oid = types["bytea"].array_oid
    _element: Final = types["bytea"].oid

    def dump(self, obj: Any) -> Buffer:
        return array(obj, self._element)


def adapt(connection: Connection[Any]) -> None:
    """Have this connection send them so."""
    connection.adapters.register_dumper(Texts, _Texts)
    connection.adapters.register_dumper(Blobs, _Blobs)
