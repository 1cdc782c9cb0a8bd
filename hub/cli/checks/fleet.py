"""The processes: who lives, of which versions, what they hold, and what nobody does."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, select

from hub.cli.checks import Check
from hub.store import schema
from hub.store.heartbeats import SILENT, Process, alive
from hub.web import words
from hub.web.processes import Gap, fleet
from hub.worker.roles import LEARNER, READS


def processes(connection: Connection, partitions: int, *, shared: bool) -> Iterator[Check]:
    """What they say of themselves, and what follows.

    Args:
        connection: of the database.
        partitions: of each topic.
        shared: whether processes of many machines may work on it: then somebody should, at any time.
    """
    every = alive(connection, within=math.inf)
    living = [one for one in every if one.age <= SILENT]
    for one in living:
        if failed := one.state.get("failed"):
            yield Check("processes", "wrong", f"{one.role} {one.id} has stopped working: {failed}. Restart it")
    silent = [one for one in every if one.age > SILENT]
    if silent:
        said = ", ".join(f"{one.role} {one.id} for {one.age:.0f} s" for one in silent)
        yield Check("processes", "note", f"not heard of: {said}. They are forgotten after a day")
    if not living:
        yield _nobody(shared=shared)
        return
    yield Check("processes", "ok", ", ".join(f"{one.role} {one.id}" for one in living))
    yield from _agree(living)
    yield from _held(every, partitions)


def leases(connection: Connection) -> Iterator[Check]:
    """Who leads where one must."""
    rows = connection.execute(select(schema.leases).where(schema.leases.c.holder != "")).all()
    if rows:
        said = ", ".join(f"{row.name} by {row.holder}" for row in sorted(rows, key=lambda row: str(row.name)))
        yield Check("leases", "ok", f"last held: {said}")


def _nobody(*, shared: bool) -> Check:
    if shared:
        says = "nobody works: no process is alive, so nothing is taken in, scored or delivered"
        return Check("processes", "wrong", f"{says}. Start `pulsehub web`, `pulsehub worker` and `pulsehub learner`")
    return Check("processes", "note", "nobody works on it now: `pulsehub up` does")


def _agree(living: Sequence[Process]) -> Iterator[Check]:
    spoken = sorted({one.version for one in living})
    if len(spoken) > 1:
        says = f"several versions work side by side: {', '.join(spoken)}"
        yield Check("processes", "note", f"{says}. That is fine during an upgrade, and no longer")


def _held(every: Sequence[Process], partitions: int) -> Iterator[Check]:
    seen = fleet(every, time.time(), rooms=list(READS), partitions=partitions)
    gaps = [gap for gap in seen.gaps if gap.of == "room"]
    starting = [row.id for row in seen.rows if row.state == "starting"]
    for gap in gaps:
        yield Check("rooms", "wrong" if gap.red and not starting else "note", _missing(gap))
    if starting:
        yield Check("rooms", "note", f"{', '.join(starting)} is starting: ask again in a minute")
    if not gaps:
        yield Check("rooms", "ok", f"all {len(READS)} are held: {', '.join(READS)}")
    if not any(role in seen.roles for role in ("web", "up")):
        yield Check("rooms", "wrong", "no process has a door: vendors are refused. Start `pulsehub web`")


def _missing(gap: Gap) -> str:
    """What nobody does, and who could."""
    app = LEARNER if gap.name == "scoring.learn" else gap.name.partition(".")[0]
    start = "`pulsehub learner`" if app == LEARNER else f"`pulsehub worker`, or name {app} among its `--rooms`"
    if gap.since is None:
        return f"{gap.name} is run by nobody, and what it reads waits. Start {start}"
    which = f"partitions {gap.partitions}" if gap.partitions else "all partitions"
    if gap.red:
        since = words.span(time.time() - gap.since)
        return f"{which} of {gap.name} are held by nobody for {since}: restart the processes that have it"
    return f"{which} of {gap.name} are held by nobody just now: they are being divided anew, or loaded"
