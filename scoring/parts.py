"""What the ledger keeps of a change: every part of the health, and what was measured, to the last digit.

A message names the strongest few drivers, rounded; from these rows any two moments can be compared exactly. One is a
structured row as a BLOB: 37 bytes, 8 for each part, 4 for each measure. Its first eight bytes name its `Shape`, which
`meta` describes, so that rows of an older scorecard stay readable.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, select

from hub.store import schema
from hub.store.upserts import insert
from scoring.arrays import Codes, Floats
from scoring.families.segments import DEFAULT

Rows = np.ndarray[Any, np.dtype[Any]]
_META: Final = schema.meta
_KEY: Final = "parts:{:016x}"


@dataclass(frozen=True)
class Shape:
    """Which parts and measures a row holds.

    Attributes:
        names: of the parts; the measures come first.
        dimensions: of the parts; empty for what is no measure's.
        measured: how many of them are measures.
    """

    names: tuple[str, ...]
    dimensions: tuple[str, ...]
    measured: int

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of the measures."""
        return self.names[: self.measured]

    @cached_property
    def description(self) -> str:
        """As JSON, the same for the same shape."""
        return json.dumps([self.names, self.dimensions, self.measured], separators=(",", ":"))

    @cached_property
    def stamp(self) -> int:
        """A 64-bit name of it."""
        return int.from_bytes(hashlib.blake2b(self.description.encode(), digest_size=8).digest(), "little")

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Of a row."""
        return np.dtype(
            [
                ("stamp", "<u8"),
                ("base", "<f8"),
                ("model", "<i8"),
                ("config", "S12"),
                ("card", "i1"),
                ("points", "<f8", (len(self.names),)),
                ("values", "<f4", (self.measured,)),
            ]
        )

    def rows(
        self, points: Floats, values: Floats, *, base: float, config: str, model: int, cards: Codes | int = DEFAULT
    ) -> list[bytes]:
        """Write (n, parts) points and (n, measures) values down, a BLOB for each of n, with the card that weighs it."""
        out = np.empty(len(points), self.dtype)
        out["stamp"], out["base"], out["model"], out["config"] = self.stamp, base, model, config.encode()
        out["card"], out["points"] = cards, points
        with np.errstate(over="ignore"):  # what no float32 holds is infinite: words call it unknown
            out["values"] = values
        size, whole = self.dtype.itemsize, out.tobytes()
        return [whole[at : at + size] for at in range(0, len(whole), size)]


def remember(connection: Connection, shape: Shape) -> None:
    """Keep a shape's description, so that its rows can be read when another is in use."""
    row = {"key": _KEY.format(shape.stamp), "value": shape.description}
    connection.execute(insert(_META).values(row).on_conflict_do_nothing())  # workers may start together


class Shapes:
    """The shapes of stored rows, each looked up once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[bytes, Shape | None] = {}

    def read(self, blobs: Sequence[bytes | None]) -> Iterable[tuple[Shape, list[int], Rows]]:
        """Rows by shape: the shape, their places among `blobs`, and they. What cannot be read is left out."""
        places: dict[bytes, list[int]] = {}
        for place, blob in enumerate(blobs):
            if blob is not None:
                places.setdefault(bytes(blob[:8]), []).append(place)
        for stamp, some in places.items():
            if (shape := self._shape(stamp)) is None:
                continue
            good = [place for place in some if len(blobs[place] or b"") == shape.dtype.itemsize]
            whole = b"".join(blobs[place] or b"" for place in good)
            yield shape, good, np.frombuffer(whole, shape.dtype)

    def _shape(self, stamp: bytes) -> Shape | None:
        if stamp not in self._known:
            key = _KEY.format(int.from_bytes(stamp, "little"))
            found = self._connection.scalar(select(_META.c.value).where(_META.c.key == key))
            self._known[stamp] = None if found is None else _shape(found)
        return self._known[stamp]


def _shape(description: str) -> Shape:
    names, dimensions, measured = json.loads(description)
    return Shape(tuple(names), tuple(dimensions), measured)
