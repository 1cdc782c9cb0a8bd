"""One process runs the agents of a data folder; others may look, and append."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from hub.sdk.errors import HubError


class HeldError(HubError):
    """Another process runs the agents of this data folder."""


class Lock:
    """Held by the process that runs the agents; the operating system lets go of it when that process ends, however.

    Args:
        folder: the data folder; made if it is not there.

    Raises:
        HeldError: another process holds it.
        HubError: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / "pulsehub.lock").open("a+", encoding="ascii")
        except OSError as error:
            raise HubError(f"cannot write to the data folder {folder}: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.seek(0)
            holder = self._file.read().strip() or "?"
            self._file.close()
            raise HeldError(f"a hub is already running on {folder} (process {holder}); stop it first") from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Let another process have it."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
