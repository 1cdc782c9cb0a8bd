"""The pure half of the listed work, one and the same for all engines: events in, rows and health out.

It is our own scoring (measures, scorecard, models, drivers in words) without what only a whole hub has: tickets and
subscriptions as things with a state, people, profiles, links between references, snapshots to learn from.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np

from hub import Event, Health
from scoring.accounts import Draft, measures_of
from scoring.bands import BANDS
from scoring.entities import Things
from scoring.intake import refusal
from scoring.loading import load
from scoring.scorers import Scorers
from scoring.work import Rules, Work

_CAUSES: Final = 8
_many: Final = msgspec.json.Decoder(list[Event]).decode


class Scoring:
    """Measures and scorecard as they ship, no model learned yet."""

    def __init__(self) -> None:
        config = load()
        scorers = Scorers(config)
        self.measures = measures_of(config, scorers.names)
        self.layout = self.measures.layout
        self._rules = Rules(self.measures, scorers, lambda _now: 0, config.scorecard.outcome, config.version)

    def step(self, draft: Draft, events: Sequence[Event], accounts: Sequence[str]) -> list[Health]:
        """Fold events into a draft's rows and score those; what moved, in order."""
        batch = self.measures.batch(events, accounts)
        places = draft.at(batch.accounts)
        draft.rows[places] = self.measures.fold(draft.rows[places], batch)
        # version 0 is in memory: nothing is ever looked up
        work = Work(self._rules, None, draft, Things((), ()))  # type: ignore[arg-type]
        work.score(places, np.full(len(places), time.time()), _causes(events, accounts), snapshots=False)
        return work.healths

    def alone(self, account: str, state: bytes | None, events: Sequence[Event]) -> tuple[bytes, list[Health]]:
        """The same for one account whose row somebody else keeps."""
        draft = self.draft(account, state)
        healths = self.step(draft, events, [account] * len(events))
        return draft.rows.tobytes(), healths

    def draft(self, account: str, state: bytes | None) -> Draft:
        """A draft of one row."""
        rows = np.full(1, self.layout.empty, self.layout.dtype)
        if state is not None:
            rows[:] = np.frombuffer(state, self.layout.dtype)
        return Draft([account], {account: 0}, np.zeros(1, np.int64), rows)


def decoded(values: Sequence[bytes]) -> list[Event]:
    """Events of records, each checked as ours are; the bench has none that is wrong."""
    events = _many(b"[" + b",".join(values) + b"]")
    wall = time.time()
    assert not any(refusal(event, wall) for event in events)
    return events


def shown(rows: Any) -> list[tuple[float, float, str]]:
    """`scored_at`, `health` and band of each row, as the database keeps them beside it."""
    columns = [rows[name].tolist() for name in ("scored_at", "health", "band")]
    return [(at, health, BANDS[band]) for at, health, band in zip(*columns, strict=True)]


def _causes(events: Sequence[Event], accounts: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for event, account in zip(events, accounts, strict=True):
        found.setdefault(account, []).append(event.id)
    return {account: ids[-_CAUSES:] for account, ids in found.items()}
