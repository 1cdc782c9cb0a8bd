"""Clocks that leases and heartbeats go by: the database's, which all processes share, and one nobody can set."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import ColumnElement, Connection, Double, bindparam, cast, extract, func


def since_boot() -> float:
    """Seconds since this machine started; unlike `time.monotonic` it goes on while the machine is suspended."""
    return time.clock_gettime(_BOOT) if _BOOT is not None else time.monotonic()


def shared(connection: Connection, local: Callable[[], float]) -> ColumnElement[float]:
    """What the database's clock says while the statement runs, in seconds.

    PostgreSQL's is unix time. SQLite has none of its own; all its processes are on one machine, so `local` stands for
    it, and with `since_boot` a clock that is set moves nothing.
    """
    if connection.dialect.name == "sqlite":
        return bindparam(None, local(), Double)
    return cast(extract("epoch", func.clock_timestamp()), Double)


_BOOT: int | None = getattr(time, "CLOCK_BOOTTIME", None)
