"""How far an import has come, kept beside the data so that it goes on where it stopped.

It is written after the append it speaks of, so after a crash it may lag; what is read twice then has the same ids.
"""

from __future__ import annotations

from pathlib import Path

import msgspec


class Counts(msgspec.Struct, kw_only=True):
    """The books of an import: `read = accepted + duplicates + rejected`, in rows, at any moment.

    Attributes:
        read: rows.
        accepted: rows of which at least one event was new.
        duplicates: rows all of whose events were known.
        rejected: rows the map rejects or that cannot be read.
        events: events appended.
        reasons: reason -> rows rejected for it.
    """

    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    events: int = 0
    reasons: dict[str, int] = msgspec.field(default_factory=dict)


class Mark(msgspec.Struct, kw_only=True):
    """Everything up to `offset` of the content is in the log.

    Attributes:
        offset: bytes of the unpacked content.
        line: lines.
        rejects: bytes of the file of rejected rows.
        counts: of all runs up to here.
    """

    offset: int = 0
    line: int = 0
    rejects: int = 0
    counts: Counts = msgspec.field(default_factory=Counts)


def load(path: Path) -> Mark:
    """The mark of an unfinished import, or one at the beginning."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Mark)
    except (OSError, msgspec.MsgspecError):
        return Mark()


def save(path: Path, mark: Mark) -> None:
    """Put a mark in the place of the one before, whole or not at all."""
    beside = path.with_suffix(".new")
    beside.write_bytes(msgspec.json.encode(mark))
    beside.replace(path)
