"""A thread with an event loop of its own: aiokafka lives there, and whoever calls may be in any thread or loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Loop:
    """Runs until closed; a daemon, so that it never holds up the end of a process."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, coroutine: Coroutine[Any, Any, T], timeout: float) -> T:
        """Run it there and wait for it here.

        Raises:
            TimeoutError: it took longer than `timeout` seconds, and was cancelled.
        """
        return self.future(coroutine, timeout).result()

    def future(self, coroutine: Coroutine[Any, Any, T], timeout: float) -> Future[T]:
        """As `call`, for who does not want to wait now."""

        async def bounded() -> T:
            async with asyncio.timeout(timeout):
                return await coroutine

        return asyncio.run_coroutine_threadsafe(bounded(), self.loop)

    def close(self) -> None:
        """Cancel what still runs there, then end."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()
