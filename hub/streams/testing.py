"""Run rooms on a real log and a real database, in a test."""

from __future__ import annotations

import asyncio

from hub.streams.streams import Streams


async def until_idle(streams: Streams, timeout: float = 20.0) -> None:  # noqa: ASYNC109 - it says what is left
    """Return once every room has committed all there is and all its messages are in the log.

    Raises:
        TimeoutError: it took longer than `timeout` seconds; the message says what is left.
        RuntimeError: a room stopped for good.
    """
    deadline = asyncio.get_running_loop().time() + timeout
    while not streams.idle():
        if streams.failed:
            raise RuntimeError(streams.failed)
        if asyncio.get_running_loop().time() > deadline:
            raise TimeoutError(f"still to do after {timeout} s: {streams.lag()}")
        await asyncio.sleep(0.005)


def run_until_idle(streams: Streams, timeout: float = 20.0) -> None:
    """Start, wait until all that is in the log is done, stop; for a test without a loop of its own."""

    async def run() -> None:
        async with streams:
            await until_idle(streams, timeout)

    asyncio.run(run())
