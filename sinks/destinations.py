"""Table `destinations`, and how each destination is doing, for pages and commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, case, func, select, update
from sqlalchemy.dialects.sqlite import insert

from hub.store.schema import alerts, desired, destinations
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
    return _read(row) if row else Destination()


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


def _read(row: Row[Any]) -> Destination:
    return Destination(bool(row.paused), row.reason, row.open_until, row.failures, row.ok_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One destination on one line.

    Attributes:
        sink: its name.
        shape: what it takes; None until there was something for it.
        state: paused by a person or a refused key, down (its breaker is open), waiting (it asked us to), or up.
        destination: its row, with the reason.
        counts: rows by state: `due`, `pending`, `shown` or `sent`, `rejected`, `absent`.
    """

    sink: str
    shape: Literal["fields", "alerts"] | None
    state: Literal["up", "waiting", "down", "paused"]
    destination: Destination
    counts: dict[str, int] = field(default_factory=dict)


def summaries(connection: Connection, now: float) -> list[Summary]:
    """Every destination that was ever used, by name."""
    found = []
    rows = connection.execute(select(destinations).order_by(destinations.c.sink))
    fields, told = _counts(connection, "fields"), _counts(connection, "alerts")
    for row in rows:
        name, destination = row.sink, _read(row)
        shape: Literal["fields", "alerts"] | None = "alerts" if name in told else "fields" if name in fields else None
        found.append(
            Summary(
                sink=name,
                shape=shape,
                state=_state(destination, now),
                destination=destination,
                counts=told.get(name) or fields.get(name) or {},
            ),
        )
    return found


def _state(destination: Destination, now: float) -> Literal["up", "waiting", "down", "paused"]:
    if destination.paused:
        return "paused"
    if destination.down:
        return "down"
    return "waiting" if now < destination.open_until else "up"


def _counts(connection: Connection, shape: Literal["fields", "alerts"]) -> dict[str, dict[str, int]]:
    table = desired if shape == "fields" else alerts
    found: dict[str, dict[str, int]] = {}
    for sink, state, many in connection.execute(
        select(table.c.sink, table.c.state, func.count()).group_by(table.c.sink, table.c.state),
    ):
        found.setdefault(sink, {})[state] = many
    return found
