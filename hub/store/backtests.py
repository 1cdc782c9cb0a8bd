"""Backtests that were asked for on a page, and what came of them; the newest few are kept."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from hub.store.schema import backtests

KEPT: Final = 20
_C: Final = backtests.c


class Kept(NamedTuple):
    """One of them.

    Attributes:
        id: of it.
        at: unix seconds when it was asked for.
        asked: JSON of what was asked.
        state: `waiting`, `running`, `done`, `failed` or `canceled`.
        progress: JSON of how far it is; empty before it began.
        beat_at: unix seconds of its process's last sign of life.
        found: JSON of what came of it, or why it failed; None before.
    """

    id: str
    at: float
    asked: str
    state: str
    progress: str
    beat_at: float
    found: str | None


def add(connection: Connection, key: str, at: float, asked: str) -> None:
    """Remember one that is to be run, and forget the oldest."""
    row = {"id": key, "at": at, "asked": asked, "state": "waiting", "progress": "", "beat_at": at, "found": None}
    connection.execute(insert(backtests).values(row))
    older = connection.scalars(select(_C.id).order_by(_C.at.desc(), _C.id.desc()).offset(KEPT)).all()
    connection.execute(delete(backtests).where(_C.id.in_(older)))


def beat(connection: Connection, key: str, at: float, progress: str) -> bool:
    """Say that it lives and how far it is; False where nobody wants it any more."""
    mine = (_C.id == key, _C.state.in_(("waiting", "running")))
    done = connection.execute(update(backtests).where(*mine).values(state="running", progress=progress, beat_at=at))
    return bool(done.rowcount)


def wait(connection: Connection, key: str, at: float) -> bool:
    """Say that whoever will run it lives; False where nobody wants it any more."""
    mine = (_C.id == key, _C.state == "waiting")
    return bool(connection.execute(update(backtests).where(*mine).values(beat_at=at)).rowcount)


def end(connection: Connection, key: str, state: str, found: str) -> bool:
    """Keep what came of it; False where it was canceled before."""
    mine = (_C.id == key, _C.state.in_(("waiting", "running")))
    return bool(connection.execute(update(backtests).where(*mine).values(state=state, found=found)).rowcount)


def one(connection: Connection, key: str) -> Kept | None:
    """One of them; None if it is not kept."""
    row = connection.execute(select(backtests).where(_C.id == key)).first()
    return None if row is None else _kept(row)


def newest(connection: Connection) -> list[Kept]:
    """All that are kept, the newest first, without what came of them."""
    columns = [one for one in backtests.columns if one.name != "found"]
    rows = connection.execute(select(*columns).order_by(_C.at.desc(), _C.id.desc()))
    return [Kept(**row._mapping, found=None) for row in rows]  # noqa: SLF001 - how SQLAlchemy names it


def _kept(row: Any) -> Kept:
    return Kept(row.id, row.at, row.asked, row.state, row.progress, row.beat_at, row.found)
