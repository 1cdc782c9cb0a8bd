"""When customers were lost who are known to have been: the event that says so, or the end of a silence.

When a contract ran out, or less was paid, is not looked up: of such a loss no day is known.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, NamedTuple

import numpy as np
from sqlalchemy import Connection, func, select

from hub.store import schema
from scoring.arrays import Floats, Mask
from scoring.outcome import Outcome
from scoring.ways import Silent

_SOME: Final = 400  # accounts that are asked for at once


class Ends(NamedTuple):
    """What became of labels, in time.

    Attributes:
        at: (n,) unix seconds when the customer was lost; inf where it was not, NaN where the archive knows no more.
        already: (n,) whether it had been silent for long enough when it was predicted: nobody needs a model for it.
        lost: (n,) whether it was lost within the horizon.
    """

    at: Floats
    already: Mask
    lost: Mask


def ends(connection: Connection, outcome: Outcome, accounts: Any, at: Floats, lost: Mask) -> Ends:
    """Look it up in the archive.

    Args:
        connection: to the database.
        outcome: what losing a customer means.
        accounts: (n,) whose label each is.
        at: (n,) unix seconds of the snapshots.
        lost: (n,) what became of them.
    """
    when, already = np.full(len(at), np.inf), np.zeros(len(at), bool)
    if outcome.ending:
        said = _asked(connection, outcome.ending, sorted(set(accounts[lost].tolist())))
        for place in np.flatnonzero(lost).tolist():
            times = said.get(accounts[place], _NEVER)
            after = int(np.searchsorted(times, at[place], "right"))
            if after < len(times) and times[after] <= at[place] + outcome.horizon:
                when[place] = times[after]
    for way in outcome.ways:
        if not isinstance(way, Silent):
            continue
        said, lasts = _asked(connection, way.silent, sorted(set(accounts.tolist()))), way.after or outcome.horizon
        for place, moment in enumerate(at.tolist()):
            times = said.get(accounts[place], _NEVER)
            before, by_end = np.searchsorted(times, (moment, moment + outcome.horizon), "right").tolist()
            already[place] |= not before or times[before - 1] + lasts <= moment
            if lost[place] and by_end and times[by_end - 1] + lasts <= moment + outcome.horizon:
                when[place] = min(when[place], times[by_end - 1] + lasts)
    when[lost & np.isinf(when)] = np.nan
    return Ends(when, already, lost)


_NEVER: Final[Floats] = np.zeros(0)


def _asked(connection: Connection, kinds: Collection[str], accounts: list[str]) -> dict[str, Floats]:
    """When events of these kinds happened to these accounts and those merged into them; ascending.

    Of a day the first and the last, so that those who are used every second do not fill the memory: a date is right to
    the day.
    """
    table = schema.archive.c
    found: dict[str, list[float]] = {}
    into = {row.absorbed: row.survivor for row in connection.execute(select(schema.merges))}
    whose: dict[str, list[str]] = {}
    for absorbed in into:
        head, met = absorbed, {absorbed}
        while (above := into.get(head)) is not None and above not in met:
            met.add(above)
            head = above
        whose.setdefault(head, []).append(absorbed)
    for first in range(0, len(accounts), _SOME):
        some = {name: one for one in accounts[first : first + _SOME] for name in (one, *whose.get(one, ()))}
        day = func.floor(table.occurred_at / 86_400.0)
        asked = (
            select(table.account, func.min(table.occurred_at), func.max(table.occurred_at))
            .where(table.account.in_(list(some)), table.kind.in_(kinds))
            .group_by(table.account, day)
        )
        for account, begun, last in connection.execute(asked):
            found.setdefault(some[account], []).extend((begun, last))
    return {account: np.unique(times) for account, times in found.items()}
