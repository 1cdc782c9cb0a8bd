"""Whether an engine ended where it should: a fast wrong answer is no answer.

The expected state is what all the distinct events come to when they are folded at once, in this process. What is
compared is what the measures say of every account at one moment, but for those that only a whole hub has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
import psycopg

from bench.peers.scoring import Scoring
from bench.traffic import Told
from hub import Health

_NEAR: Final = 1e-6  # relative; sums are added up in another order
_SHOWN: Final = 1e-9
decode: Final = msgspec.json.Decoder(Health).decode
"""A message of topic `health`."""


class Tables(NamedTuple):
    """Where an engine's end state is found: three queries."""

    archived: str
    states: str
    ledger: str


LISTED: Final = Tables(
    "select count(*) from archive",
    "select account, state from state",
    "select account, health, was from ledger order by account, number",
)
OURS: Final = Tables(
    "select count(*) from archive",
    "select id, state from accounts",
    "select account, health, was from ledger order by account, sequence",
)


class Expected:
    """What a backlog comes to."""

    def __init__(self, told: Sequence[Told]) -> None:
        scoring = Scoring()
        distinct = {one.event.id: one for one in told}.values()
        events, accounts = [one.event for one in distinct], [one.account for one in distinct]
        batch = scoring.measures.batch(events, accounts)
        rows = scoring.measures.fold(np.full(len(batch.accounts), scoring.layout.empty, scoring.layout.dtype), batch)
        self._measures = scoring.measures
        self._columns = [n for n, measure in enumerate(self._measures.measures) if measure.family != "entities"]
        self._now = max(event.occurred_at.timestamp() for event in events)
        self._distinct = len(events)
        self._values = dict(zip(batch.accounts, self._read(rows), strict=True))

    def faults(self, database: str, tables: Tables, published: Sequence[Health]) -> list[str]:
        """What is wrong with an end state, in words; nothing if it is right."""
        with psycopg.connect(database) as connection:
            (archived,) = connection.execute(tables.archived).fetchone() or (0,)
            states = dict(connection.execute(tables.states).fetchall())
            ledger = connection.execute(tables.ledger).fetchall()
        return [
            *([] if archived == self._distinct else [f"{archived} events archived, not {self._distinct}"]),
            *self._states(states),
            *_ledger(ledger, published),
        ]

    def _states(self, states: dict[str, bytes]) -> list[str]:
        if states.keys() != self._values.keys():
            return [f"{len(states)} accounts, not {len(self._values)}"]
        found = self._read(np.frombuffer(b"".join(states[account] for account in self._values), self._measures.dtype))
        wanted = np.array(list(self._values.values()))
        near = np.isclose(found, wanted, rtol=_NEAR, equal_nan=True).all(axis=1)
        return [] if near.all() else [f"the state of {(~near).sum()} accounts is wrong"]

    def _read(self, rows: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        return self._measures.read(rows, self._now)[:, self._columns]


def _ledger(ledger: Sequence[tuple[str, float, float | None]], published: Sequence[Health]) -> list[str]:
    """Each row's `was` is the health of the row before, and all of them were published."""
    last: dict[str, float] = {}
    faults = []
    for account, health, was in ledger:
        if was != last.get(account):
            faults.append(f"a row of {account} does not follow the one before")
            break
        last[account] = health
    said = {health.account: health.health for health in published}
    if len({(health.account, health.at, health.health) for health in published}) < len(ledger):
        faults.append(f"{len(published)} healths published of {len(ledger)}")
    if wrong := sum(abs(said.get(account, -1.0) - health) > _SHOWN for account, health in last.items()):
        faults.append(f"the last health published of {wrong} accounts is not the last of the ledger")
    return faults
