"""Who may do what only one process may do: a row with an end, and a token that is checked where it matters.

A lease ends by the database's clock, so it does not matter what a process' own clock says. The holder goes by a
deadline of its own that is always the earlier one. Neither is what keeps two from acting: a process may be paused
between looking and acting. That is the token, which is one more with every new holder and is checked, its row locked,
inside each transaction of the holder (`Lease.check`).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from sqlalchemy import ColumnElement, Connection, and_, or_, select, update

from hub.sdk.errors import HubError
from hub.store.clocks import shared, since_boot
from hub.store.database import Database
from hub.store.schema import leases as rows
from hub.store.upserts import insert

T = TypeVar("T")
TERM: Final = 15.0  # seconds
_MARGIN: Final = 0.9  # of a term; a holder stops that much earlier than others may begin
_ABSURD: Final = 10 * TERM  # seconds ahead: nobody writes that; the clock it was written by began anew, or was set
_NOBODY: Final = ""


class LeaseLostError(HubError):
    """Another process holds the lease, or may: stop acting. Nothing was written."""


class Lease:
    """One that is held, until it is lost or released.

    Attributes:
        name: of what.
        token: which holding of it this is.
    """

    def __init__(self, owner: Leases, name: str, token: int, deadline: float) -> None:
        self.name = name
        self.token = token
        self._owner = owner
        self._deadline = deadline

    def left(self) -> float:
        """Seconds in which nobody else can hold it; 0 or less: do not begin anything."""
        return self._deadline - self._owner.monotonic()

    def check(self, connection: Connection) -> None:
        """Inside a transaction: this holding is still the newest, and stays so until the transaction ends.

        Raises:
            LeaseLostError: it is not.
        """
        token = connection.scalar(select(rows.c.token).where(rows.c.name == self.name).with_for_update())
        if token != self.token:
            raise LeaseLostError(f"{self.name} is held by another process")

    async def write(self, job: Callable[[Connection], T]) -> T:
        """Run `job` in a transaction that has checked the token.

        Raises:
            LeaseLostError: another process holds it by now.
        """

        def fenced(connection: Connection) -> T:
            self.check(connection)
            return job(connection)

        return await asyncio.wrap_future(self._owner.database.write(fenced))

    async def renew(self) -> None:
        """Hold it for another term from now on.

        Raises:
            LeaseLostError: another process holds it by now.
        """
        self._deadline = max(self._deadline, await self._owner.renew(self))

    async def ensure(self) -> None:
        """Before anything that the database cannot undo: at least half a term is left, by renewing if need be.

        Raises:
            LeaseLostError: another process holds it by now, or may before we began.
        """
        if self.left() < self._owner.seconds / 2:
            await self.renew()
        if self.left() <= 0:
            raise LeaseLostError(f"{self.name} could not be renewed in time")

    async def release(self) -> None:
        """Let another process have it at once."""
        await asyncio.wrap_future(self._owner.database.write(partial(_release, self)))


class Leases:
    """What one process may hold of table `leases`.

    Args:
        database: where they are.
        holder: which process we are (an id of table `processes`).
        seconds: the term of a lease. Whoever dies is succeeded after that.
        alone: the caller knows by other means (the lock of the data folder) that no other process competes. A lease
            is then taken from whoever has it and never renewed; its token is checked all the same.
        monotonic: seconds of a clock that is never set.
        clock: what stands for the clock of a database that has none (SQLite): the same for all processes.
    """

    def __init__(
        self,
        database: Database,
        holder: str,
        seconds: float = TERM,
        *,
        alone: bool = False,
        monotonic: Callable[[], float] = since_boot,
        clock: Callable[[], float] = since_boot,
    ) -> None:
        self.database = database
        self.holder = holder
        self.seconds = math.inf if alone else seconds
        self.alone = alone
        self.monotonic = monotonic
        self._clock = clock

    async def acquire(self, name: str) -> Lease | None:
        """Have it, if nobody else does; looks before it writes, since those who stand by ask every second."""
        if not self.alone and not await asyncio.to_thread(self._free, name):
            return None
        asked = self.monotonic()
        token = await asyncio.wrap_future(self.database.write(partial(self._take, name)))
        return None if token is None else Lease(self, name, token, asked + self.seconds * _MARGIN)

    async def renew(self, lease: Lease) -> float:
        """Extend what is held; its new deadline.

        Raises:
            LeaseLostError: another process holds it by now.
        """
        asked = self.monotonic()
        if not self.alone and not await asyncio.wrap_future(self.database.write(partial(self._extend, lease))):
            raise LeaseLostError(f"{lease.name} is held by another process")
        return asked + self.seconds * _MARGIN

    def _free(self, name: str) -> bool:
        with self.database.read() as connection:
            taken = select(rows.c.name).where(rows.c.name == name, ~self._over(shared(connection, self._clock)))
            return connection.scalar(taken) is None

    def _take(self, name: str, connection: Connection) -> int | None:
        there = select(rows.c.name).where(rows.c.name == name)
        if connection.scalar(there.with_for_update(skip_locked=True)) is None and connection.scalar(there) is not None:
            return None  # somebody is about to write under it, or was stopped there: not worth our writer's waiting
        now = shared(connection, self._clock)
        until = self._until(now)
        upsert = insert(rows).values(name=name, holder=self.holder, token=1, until=until)
        statement = upsert.on_conflict_do_update(
            index_elements=["name"],
            set_={"holder": self.holder, "token": rows.c.token + 1, "until": until},
            where=None if self.alone else self._over(now),
        )
        token: int | None = connection.scalar(statement.returning(rows.c.token))
        return token

    def _extend(self, lease: Lease, connection: Connection) -> bool:
        until = self._until(shared(connection, self._clock))
        ours = and_(rows.c.name == lease.name, rows.c.token == lease.token)
        return connection.execute(update(rows).where(ours).values(until=until)).rowcount == 1

    def _until(self, now: ColumnElement[float]) -> ColumnElement[float] | float:
        """Whoever is alone leaves no term behind for others to wait for."""
        return 0.0 if self.alone else now + self.seconds

    def _over(self, now: ColumnElement[float]) -> ColumnElement[bool]:
        absurd = rows.c.until > now + _ABSURD
        return or_(rows.c.until <= now, absurd, rows.c.holder == self.holder)


def _release(lease: Lease, connection: Connection) -> None:
    ours = and_(rows.c.name == lease.name, rows.c.token == lease.token)
    connection.execute(update(rows).where(ours).values(holder=_NOBODY, until=0.0))
