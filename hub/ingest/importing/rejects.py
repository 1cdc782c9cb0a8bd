"""The file of rejected rows: line number, reason, and the row as it stood, so that a person can mend and import it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from hub.ingest.importing.rows import Row


class Rejects:
    """Appends to the file; made when the first row is rejected.

    Args:
        path: of the file.
        size: bytes of it that are to stay: what lies beyond was written by a run that crashed and is read again.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._file = path.open("ab") if size else path.open("wb")
        self._file.truncate(size)

    @property
    def size(self) -> int:
        """Bytes written."""
        return self._file.tell()

    def write(self, rejected: Iterable[tuple[Row, str]]) -> None:
        """Add rows with their reasons; they are with the operating system when this returns."""
        made = io.StringIO(newline="")
        writer = csv.writer(made)
        for row, reason in rejected:
            if not self.size and not made.tell():
                writer.writerow(("line", "reason", "row"))
            writer.writerow((row.line, reason, row.raw.decode("utf-8", "backslashreplace").rstrip("\r\n")))
        self._file.write(made.getvalue().encode("utf-8", "backslashreplace"))
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
