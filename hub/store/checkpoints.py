"""Move what a write-ahead log gathered into its database, beside the writer and hardly in its way.

Left to itself SQLite does this in whichever commit crosses a threshold, and that commit waits for all of it: a stall
of tens to hundreds of milliseconds. A passive checkpoint on another connection blocks nobody, but a log starts anew
only when nothing is left in it, and beside a writer that never pauses something always is: it would grow to that
threshold all the same. So a thread moves the most, and the writer, between two transactions, the little that came
meanwhile.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Final

EVERY: Final = 0.5  # seconds
BACKSTOP: Final = (
    100_000  # pages at which a commit does it after all: a writer that never pauses must not fill the disk
)
KEPT: Final = 128 * 1024 * 1024  # bytes: a burst may make the log longer; it need not stay so
_WORTH: Final = 4 * 1024 * 1024  # bytes of a write-ahead log not worth moving yet
_LITTLE: Final = 1_000  # pages: the writer may move so many itself, in some ten milliseconds; a log of so few may go on
_ROUNDS: Final = 3  # each moves what was written during the one before


class Checkpoints:
    """A thread that keeps one file's write-ahead log short, until closed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal = path.with_name(f"{path.name}-wal")
        self._closed = threading.Event()
        self._rest = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; closing the last connection moves the rest."""
        self._closed.set()
        self._thread.join()

    def between(self, connection: sqlite3.Connection) -> None:
        """For the writer, between two of its transactions: move what is left, once the thread has moved much."""
        if self._rest.is_set():
            self._rest.clear()
            try:
                _passive(connection)
            except sqlite3.Error:
                return  # a full disk, say: the next transaction tells whoever needs to know

    def _run(self) -> None:
        while not self._closed.wait(EVERY):
            try:
                if self._wal.stat().st_size > _WORTH:
                    self._move()
            except (OSError, sqlite3.Error):
                continue  # likewise

    def _move(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        before = moved = 0
        try:
            for _ in range(_ROUNDS):
                before, moved = moved, _passive(connection)
                if moved - before < _LITTLE:
                    break
        finally:
            connection.close()
        if moved >= _LITTLE:
            self._rest.set()


def _passive(connection: sqlite3.Connection) -> int:
    """Move what nobody reads the former state of; how many pages of the log are in the file since it started."""
    _, _, moved = connection.execute("pragma wal_checkpoint(passive)").fetchone()
    return int(moved)
