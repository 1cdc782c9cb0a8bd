"""Move what a write-ahead log gathered into its database, beside the writer and not in its way.

Left to itself SQLite does this in whichever commit crosses a threshold, and that commit waits for all of it: a stall
of tens to hundreds of milliseconds. A passive checkpoint on another connection blocks nobody.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Final

EVERY: Final = 1.0  # seconds
BACKSTOP: Final = (
    100_000  # pages at which a commit does it after all: a writer that never pauses must not fill the disk
)
_WORTH: Final = 4 * 1024 * 1024  # bytes of a write-ahead log not worth moving yet
_ROUNDS: Final = 5  # each moves what was written during the one before; when nothing is left the log starts anew


class Checkpoints:
    """A thread that keeps one file's write-ahead log short, until closed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal = path.with_name(f"{path.name}-wal")
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; closing the last connection moves the rest."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(EVERY):
            try:
                if self._wal.stat().st_size > _WORTH:
                    self._move()
            except (OSError, sqlite3.Error):
                continue  # a full disk, say: the writer tells whoever needs to know

    def _move(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        try:
            for _ in range(_ROUNDS):
                _, written, moved = connection.execute("pragma wal_checkpoint(passive)").fetchone()
                if written == moved:
                    return
        finally:
            connection.close()
