"""`pulsehub` with a fuse: whichever process first comes to a named point for the n-th time kills itself there.

`FAULTS_FUSE=/tmp/fuse FAULTS_NAME=one python -m tests.faults.process worker` is armed when somebody writes
`after the commit:3` into that file, and whoever it kills leaves its name beside it. The points are put around the
product's own methods from here; it knows nothing of them.
"""

import asyncio
import faulthandler
import functools
import os
import signal
import sys
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from hub.cli import main
from hub.ingest import door
from hub.streams.books import Books
from hub.streams.kafka.log import KafkaLog
from hub.streams.sqlite.log import SqliteLog
from sinks.worker import Worker

FUSE, NAME = "FAULTS_FUSE", "FAULTS_NAME"
CLAIMING = "while claiming"
POINTS = (
    CLAIMING,
    "in the transaction",
    "after the commit",
    "before an append",
    "after an append",
    "before an acknowledgement",
    "before a push",
    "after a push",
)


class Fuse:
    """Kills this very process when the point that the file names is reached for the n-th time since it is there."""

    def __init__(self, file: Path, name: str) -> None:
        self._file, self._name = file, name
        self._armed, self._left = "", 0

    def reached(self, point: str) -> None:
        try:
            armed = self._file.read_text()
        except FileNotFoundError:
            return
        if armed.split(":")[0] != point:
            return
        if armed != self._armed:
            self._armed, self._left = armed, int(armed.split(":")[1])
        self._left -= 1
        if self._left <= 0:
            with suppress(FileNotFoundError):  # another one was quicker
                self._file.rename(burnt(self._file, self._name))
                os.kill(os.getpid(), signal.SIGKILL)


def burnt(file: Path, name: str) -> Path:
    """What a fuse becomes when it kills the process of that name."""
    return file.with_name(f"{file.name}-burnt-by-{name}")


def arm(fuse: Fuse) -> None:
    """Put the points around what the product does."""
    _around(Books, "load", before=lambda: fuse.reached(CLAIMING))
    _around(Books, "write", after=lambda: fuse.reached("in the transaction"))
    _around(Books, "accept", before=lambda: fuse.reached("after the commit"))
    _around(Worker, "_call", before=lambda: fuse.reached("before a push"))
    _around(Worker, "_record", before=lambda: fuse.reached("after a push"))
    for log in (KafkaLog, SqliteLog):
        _append(log, fuse)
    say = door.say

    async def fused(send, status, *rest) -> None:
        if status == 200:
            fuse.reached("before an acknowledgement")
        await say(send, status, *rest)

    door.say = fused


def _around(owner: type, name: str, before=lambda: None, after=lambda: None) -> None:
    real = getattr(owner, name)

    if asyncio.iscoroutinefunction(real):

        async def fused(*args, **kwargs):
            before()
            result = await real(*args, **kwargs)
            after()
            return result
    else:

        def fused(*args, **kwargs):
            before()
            result = real(*args, **kwargs)
            after()
            return result

    setattr(owner, name, functools.wraps(real)(fused))


def _append(log: type, fuse: Fuse) -> None:
    real = log.append

    @functools.wraps(real)
    def append(self, entries, counts=None) -> Future[None]:
        fuse.reached("before an append")
        future = real(self, entries, counts)
        future.add_done_callback(lambda done: None if done.exception() else fuse.reached("after an append"))
        return future

    log.append = append


def stand(*_: object) -> None:
    """Say where each thread and each task is."""
    faulthandler.dump_traceback()
    for task in list(asyncio.tasks._all_tasks):
        if not task.done():
            task.print_stack(file=sys.stderr)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, stand)
    arm(Fuse(Path(os.environ[FUSE]), os.environ[NAME]))
    main()
