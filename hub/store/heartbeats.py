"""Which processes there are: each writes a row of table `processes` every few seconds, and removes it when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Double, cast, delete, select

from hub.store.clocks import shared
from hub.store.database import Database
from hub.store.schema import processes
from hub.store.upserts import insert

EVERY: Final = 5.0
SILENT: Final = 20.0  # seconds after which a process is not called alive
_FORGET: Final = 86_400.0
_PARTING: Final = 2.0
_LOOKS: Final = 10  # times between two beats that we look whether something has changed
_log = logging.getLogger(__name__)
_upsert = insert(processes)


def _nobody() -> None:
    """Nobody wants to be told."""


class Process(NamedTuple):
    """One process, as it last said.

    Attributes:
        id: `host:pid:start`.
        role: `up`, `web`, `worker`, `learner`.
        version: the program's.
        started_at: unix seconds.
        age: seconds since it was last heard of, by the database's clock.
        state: what it said of itself.
    """

    id: str
    role: str
    version: str
    started_at: float
    age: float
    state: Mapping[str, Any]


def identity() -> str:
    """This process' id, different for every start: `host:pid:start`, the start in unix milliseconds."""
    return f"{socket.gethostname()}:{os.getpid()}:{_STARTED}"


class Heartbeats:
    """Says every five seconds that this process is there, and at once what has changed of it.

    In the loop, so that a loop that hangs says nothing.

    Args:
        database: where.
        role: `up`, `web`, `worker` or `learner`.
        version: the program's.
        state: what to say of ourselves, as JSON can hold it; nothing that changes all the time.
        told: called when something new was said.
        id: this process'.
        clock: unix seconds now; counts where the database has no clock (SQLite).
    """

    def __init__(
        self,
        database: Database,
        role: str,
        version: str,
        state: Callable[[], Mapping[str, Any]],
        told: Callable[[], None] = _nobody,
        *,
        id: str | None = None,  # noqa: A002 - what it is
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.id = id or identity()
        self._database = database
        self._says = {"id": self.id, "role": role, "version": version}
        self._state = state
        self._told = told
        self._said: bytes | None = None
        self._clock = clock
        self._started_at = clock()
        self._beating: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Say it now, then every five seconds. A failing database is said once and waited for."""
        self._beating = asyncio.create_task(self._run(), name="heartbeat")

    async def stop(self) -> None:
        """We are gone."""
        if self._beating is None:
            return
        self._beating.cancel()
        await asyncio.gather(self._beating, return_exceptions=True)
        self._beating = None
        with contextlib.suppress(Exception):  # it goes silent, then
            async with asyncio.timeout(_PARTING):
                gone = delete(processes).where(processes.c.id == self.id)
                await asyncio.wrap_future(self._database.write(lambda connection: connection.execute(gone)))
                self._told()

    async def beat(self) -> None:
        """Say it once, and forget those that nobody heard of for a day."""
        says = msgspec.json.encode(self._state())
        state = says.decode()

        def write(connection: Connection) -> None:
            now = shared(connection, self._clock)
            row = self._says | {"started_at": self._started_at, "beat_at": now, "state": state}
            again = {"beat_at": now, "state": state}
            connection.execute(_upsert.values(row).on_conflict_do_update(index_elements=["id"], set_=again))
            connection.execute(delete(processes).where(processes.c.beat_at < now - _FORGET))

        await asyncio.wrap_future(self._database.write(write))
        if says != self._said:
            self._said = says
            self._told()

    async def _run(self) -> None:
        troubled = False
        while True:
            try:
                await self.beat()
                if troubled:
                    _log.warning("heartbeats.back")
                troubled = False
                await self._pause()
            except Exception:  # noqa: BLE001 - we go silent; what we do goes on
                if not troubled:
                    _log.exception("heartbeats.halted")
                troubled = True
                await asyncio.sleep(EVERY)

    async def _pause(self) -> None:
        """Until the next beat is due, or there is something new to say."""
        for _ in range(_LOOKS):
            await asyncio.sleep(EVERY / _LOOKS)
            if msgspec.json.encode(self._state()) != self._said:
                return


def alive(connection: Connection, now: float | None = None, within: float = SILENT) -> list[Process]:
    """The processes that were heard of in the last `within` seconds, by role; `math.inf` for all there are.

    Args:
        connection: of the database.
        now: unix seconds; None: what the database's clock says.
        within: seconds.
    """
    clock = cast(now, Double) if now is not None else shared(connection, time.time)
    age = (clock - processes.c.beat_at).label("age")
    asked = select(processes, age).order_by(processes.c.role, processes.c.started_at, processes.c.id)
    if within < math.inf:
        asked = asked.where(processes.c.beat_at > clock - within)
    return [
        Process(row.id, row.role, row.version, row.started_at, max(0.0, row.age), msgspec.json.decode(row.state))
        for row in connection.execute(asked)
    ]


_STARTED: Final = time.time_ns() // 1_000_000
