"""Work that one process does and the others stand by for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from random import Random, SystemRandom
from typing import Final

from hub.store.leases import Lease, LeaseLostError, Leases

LOOK: Final = 0.8  # seconds, at most, between looks of whoever stands by; a handover takes no longer
_PARTING: Final = 2.0  # seconds a release may take; after that the term's end does it
_REST: Final = 60.0  # seconds, at most, until work that failed is tried again
_log = logging.getLogger(__name__)


async def _nothing() -> None:
    """Nothing to do while standing by."""


class Led:
    """Runs `work` while it holds a lease, somewhere among all processes that have the same.

    Args:
        leases: this process'.
        name: of the lease.
        work: given the lease, does what only its holder may, until it is cancelled: because the lease is lost, or
            because we stop. It writes through `Lease.write`. When it returns by itself, `run` does, too; what it raises
            is logged, and it begins again, here or elsewhere.
        standby: called at each look while another process holds the lease.
        rng: jitter.

    Attributes:
        name: of the lease.
        holds: whether this process does the work now.
    """

    def __init__(
        self,
        leases: Leases,
        name: str,
        work: Callable[[Lease], Awaitable[None]],
        *,
        standby: Callable[[], Awaitable[None]] = _nothing,
        rng: Random | None = None,
    ) -> None:
        self._leases = leases
        self.name = name
        self._work = work
        self._standby = standby
        self._rng = rng or SystemRandom()
        self.holds = False
        self._woken = asyncio.Event()
        self._stopping = False
        self._troubled = 0
        self._failed = 0

    def stop(self) -> None:
        """Compete no more. Work under way goes on until it returns or `run` is cancelled. From the loop's thread."""
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Compete, do the work, release; until the work is over, or we stop."""
        while not self._stopping:
            lease = await self._look()
            if lease is not None and await self._lead(lease):
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._woken.wait()

    async def _look(self) -> Lease | None:
        """The lease, if it is to be had. A failing database is said once and waited for."""
        try:
            lease = await self._leases.acquire(self.name)
            if lease is None:
                await self._standby()
        except Exception:  # noqa: BLE001 - the database's trouble: nobody holds what nobody can ask for
            if not self._troubled:
                _log.exception("leases.halted", extra={"lease": self.name})
            self._troubled += 1
            return None
        if self._troubled:
            _log.warning("leases.back", extra={"lease": self.name})
            self._troubled = 0
        return lease

    def _pause(self) -> float:
        longest = min(LOOK * 2.0 ** min(self._troubled + self._failed, 10), _REST)
        return longest * self._rng.uniform(0.5, 1.0)

    async def _lead(self, lease: Lease) -> bool:
        """Do the work while we hold the lease; whether it came to its end."""
        began = asyncio.get_running_loop().time()
        work = asyncio.ensure_future(self._work(lease))
        renewing = asyncio.create_task(self._renew(lease), name=f"renew {self.name}")
        self.holds = True
        try:
            await asyncio.wait({work, renewing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.holds = False
            for task in (work, renewing):
                task.cancel()
            await asyncio.gather(work, renewing, return_exceptions=True)
            await self._part(lease)
        if work.cancelled() or isinstance(work.exception(), LeaseLostError):
            return False
        if (error := work.exception()) is None:
            return True
        self._failed = self._failed + 1 if asyncio.get_running_loop().time() - began < _REST else 1
        _log.error("leases.work_failed", exc_info=error, extra={"lease": self.name})
        return False

    async def _renew(self, lease: Lease) -> None:
        """Returns when it is lost, or may be. A database that fails is asked again until then."""
        while (left := lease.left()) > 0:
            if self._leases.alone:
                await asyncio.Event().wait()
            await asyncio.sleep(min(self._leases.seconds / 3, left))
            try:
                async with asyncio.timeout(lease.left()):
                    await lease.renew()
            except LeaseLostError:
                return
            except Exception:  # noqa: BLE001, S112 - said by whoever does the work; all that counts here is what is left
                continue

    async def _part(self, lease: Lease) -> None:
        try:
            async with asyncio.timeout(_PARTING):
                await lease.release()
        except Exception:  # noqa: BLE001 - the lease ends by itself
            _log.debug("leases.not_released", extra={"lease": self.name})
