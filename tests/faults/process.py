"""`pulsehub` with a fuse: the program kills itself at a named point, the n-th time it comes there.

`FAULTS_FUSE="after the commit:3" python -m tests.faults.process worker`. The points are put around the product's own
methods from here; it knows nothing of them.
"""

import asyncio
import faulthandler
import functools
import os
import signal
import sys
from concurrent.futures import Future

from hub.cli import main
from hub.ingest import door
from hub.streams.books import Books
from hub.streams.kafka.log import KafkaLog
from hub.streams.sqlite.log import SqliteLog
from sinks.worker import Worker

VARIABLE = "FAULTS_FUSE"
POINTS = (
    "while claiming",
    "in the transaction",
    "after the commit",
    "before an append",
    "after an append",
    "before an acknowledgement",
    "before a push",
    "after a push",
)


class Fuse:
    """Kills this very process when its point is reached for the n-th time."""

    def __init__(self, text: str) -> None:
        self.point, _, n = text.partition(":")
        self.left = int(n or 1)
        assert self.point in POINTS, self.point

    def reached(self, point: str) -> None:
        if point == self.point:
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


def arm(fuse: Fuse) -> None:
    """Put the points around what the product does."""
    _around(Books, "load", before=lambda: fuse.reached("while claiming"))
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
    if text := os.environ.get(VARIABLE):
        arm(Fuse(text))
    main()
