"""Table `destinations`: how each destination is, and what people may do to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, case, select, update

from hub.store.schema import destinations
from hub.store.upserts import insert
from sinks.breaker import Destination

BY_HAND: Final = 1
REFUSED: Final = 2  # paused because our key was refused; a start tries again, since that is when settings change


def begin(connection: Connection, sinks: Sequence[str]) -> None:
    """Make the rows that are not there, and try again what a refused key had paused."""
    if sinks:
        connection.execute(insert(destinations).on_conflict_do_nothing(), [{"sink": sink} for sink in sinks])
        refused = destinations.c.sink.in_(sinks) & (destinations.c.paused == REFUSED)
        connection.execute(update(destinations).where(refused).values(paused=0, reason=None))


def load(connection: Connection, sink: str) -> Destination:
    """How this destination is."""
    row = connection.execute(select(destinations).where(destinations.c.sink == sink)).one_or_none()
    if row is None:
        return Destination()
    return Destination(bool(row.paused), row.reason, row.open_until, row.failures, row.ok_at)


def save(connection: Connection, sink: str, was: Destination, now: Destination) -> None:
    """Write what a call changed; never undoes a pause that a person asked for while the call was under way."""
    if was == now:
        return
    unpaused = destinations.c.paused == 0
    values: dict[str, Any] = {
        "open_until": now.open_until,
        "failures": now.failures,
        "ok_at": now.ok_at,
        "reason": case((unpaused, now.reason), else_=destinations.c.reason),
    }
    if now.paused:
        values["paused"] = case((unpaused, REFUSED), else_=destinations.c.paused)
    connection.execute(update(destinations).where(destinations.c.sink == sink).values(values))


def pause(connection: Connection, sink: str, reason: str = "paused by hand") -> None:
    """Push nothing to `sink` until it is resumed; what is wanted is kept."""
    values = {"paused": BY_HAND, "reason": reason}
    upsert = insert(destinations).values(sink=sink, **values)
    connection.execute(upsert.on_conflict_do_update(index_elements=["sink"], set_=values))


def resume(connection: Connection, sink: str) -> None:
    """Push again, at once, whatever paused it or opened its breaker."""
    well = {"paused": 0, "reason": None, "open_until": 0.0, "failures": 0}
    connection.execute(update(destinations).where(destinations.c.sink == sink).values(well))
