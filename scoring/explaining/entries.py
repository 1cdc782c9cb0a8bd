"""The ledger, read aloud: every change of one account's health, exactly why, and what had happened."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from hub import Band, Driver, Event
from hub.store.family import family
from hub.store.questions import account as of_account
from hub.store.questions import changes
from hub.store.questions.changes import Kept
from scoring.config import Config
from scoring.explaining.history import Judges, compare, message
from scoring.explaining.why import Share, told
from scoring.moves import REST

_MOST_KINDS: Final = 5_000  # events looked through to tell what moved by itself
_SAID: Final = 280


@dataclass(frozen=True, slots=True)
class Cause:
    """An event that made a health change; `kind` and `at` are None where the archive has let go of it."""

    id: str
    kind: str | None
    at: float | None
    connection: str
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the ledger.

    Attributes:
        at: unix seconds.
        health: after it.
        was: before it; None the first time.
        band: after it.
        was_band: before it.
        shares: what moved it, strongest first; their points sum to `health - was`, empty the first time.
        moved_by: the strongest few as they were published, rounded.
        causes: the events that made it, newest first; none where time alone did.
        passed: seconds since the row before; None where there is none any more.
        exact: whether every part is named; rows of before release 0.3 know the strongest few.
        config_version: the scorecard it was judged with.
        model_version: the models; 0 before any.
        sequence: of the row, in its partition.
    """

    at: float
    health: float
    was: float | None
    band: Band
    was_band: Band | None
    shares: list[Share]
    moved_by: list[Driver]
    causes: list[Cause]
    passed: float | None
    exact: bool
    config_version: str
    model_version: int
    sequence: int


def ledger(
    connection: Connection,
    account: str,
    config: Config,
    judges: Judges,
    *,
    limit: int,
    since: float | None = None,
    until: float | None = None,
    cursor: str | None = None,
) -> tuple[list[Change], str | None]:
    """Changes in (since, until], newest first, and the cursor of what is older; None at the end.

    Raises:
        CursorError: not a cursor of ours.
    """
    rows, older, after = changes.page(connection, account, limit=limit, since=since, until=until, cursor=cursor)
    if not rows:
        return [], None
    before = [*rows[1:], *([older] if older else [])]  # the row before each, as far as there is one
    kinds = _kinds(connection, account, rows, before)
    heard = [message(row) for row in rows]
    events = of_account.causes(connection, account, [cause for said in heard for cause in said.causes])
    shares: dict[int, list[Share]] = {}
    for group in compare(connection, list(zip(before, rows, strict=False)), judges):
        for n, place in enumerate(group.places):
            known = kinds[place] | {events[cause].kind for cause in heard[place].causes if cause in events}
            lost = any(cause not in events for cause in heard[place].causes)
            shares[place] = told(group, n, config, None if lost and not known else known)
    found = []
    for place, (row, said) in enumerate(zip(rows, heard, strict=True)):
        mine = shares.get(place, _rounded(row, said.moved_by))
        found.append(
            Change(
                at=row.at,
                health=row.health,
                was=row.was,
                band=said.band,
                was_band=said.was_band,
                shares=mine if row.was is not None else [],
                moved_by=said.moved_by,
                causes=[_cause(cause, events) for cause in said.causes],
                passed=row.at - before[place].at if place < len(before) else None,
                exact=row.was is None or all(share.name != REST for share in mine),
                config_version=said.config_version,
                model_version=said.model_version,
                sequence=row.sequence,
            )
        )
    return found, after


def _rounded(row: Kept, moved_by: Sequence[Driver]) -> list[Share]:
    """What the message says of a row whose predecessor is gone: its drivers, and the rest of the difference."""
    if row.was is None:
        return []
    shares = [Share(d.name, d.text, "", d.points, math.nan, d.dimension, "events") for d in moved_by]
    rest = row.health - row.was - sum(share.points for share in shares)
    return [*shares, Share(REST, "smaller drivers together", "", rest, math.nan, "", "several")]


def _kinds(connection: Connection, account: str, rows: Sequence[Kept], before: Sequence[Kept]) -> list[set[str]]:
    """Which kinds of events happened between each row and the one before it."""
    if not before:
        return [set() for _ in rows]
    found = changes.kinds(connection, family(connection, account), before[-1].at, rows[0].at, _MOST_KINDS)
    found.reverse()
    times = [at for at, _ in found]
    out = []
    for place, row in enumerate(rows):
        first = bisect_left(times, before[place].at) if place < len(before) else len(times)
        out.append({kind for _, kind in found[first : bisect_left(times, math.nextafter(row.at, math.inf))]})
    return out


def _cause(cause: str, events: Mapping[str, Event]) -> Cause:
    event = events.get(cause)
    if event is None:
        return Cause(cause, None, None, cause.partition(":")[0], "")
    said = event.text or str(event.properties.get("subject") or event.properties.get("event") or "")
    if not said and event.amount is not None:
        said = f"{event.amount:,} {event.currency or ''}".strip()
    return Cause(cause, event.kind, event.occurred_at.timestamp(), event.connection, said[:_SAID])
