"""Norms of an installation: made in the background of the measures that rows hold, and when it is time to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from sqlalchemy import Connection, func, select

from hub.store import schema
from scoring import restating
from scoring.accounts import each, measures_of
from scoring.arrays import Codes, Floats
from scoring.clock import DAY
from scoring.config import Config
from scoring.measures import MeasureSet
from scoring.model import Model
from scoring.norms import Norms, compared, grids
from scoring.rows import Rows, picked
from scoring.scorer import Scorer

MOST: Final = 50_000
"""Customers that are read; of more the first by id, and an id is a hash: it says nothing of a customer."""
_GROWN: Final = 1.5


def due(connection: Connection, config: Config, model: Model | None, now: float) -> bool:
    """Whether it is time: none were made for this configuration, a day has passed, or customers are half as many more.

    A day also passes where it is the time of events that passes, as labels tell it.
    """
    if not compared(config.scorecard):
        return False
    norms = None if model is None else model.norms
    if norms is None or norms.config_version != config.version:
        return True
    if model is not None and max(now - norms.made_at, model.trained_through - norms.at) >= DAY:
        return True
    return (_count(connection) or 0) >= _GROWN * max(norms.accounts, 1)


def made(
    connection: Connection, config: Config, version: int, now: float, at: float | None = None, *, most: int = 0
) -> Norms | None:
    """What is usual among the customers there are; None where nobody has been scored.

    Each is taken as it was scored last, at most a day ago, so that the same rows give the same norms. Who has left is
    left out, and so are rows that lack what was declared since: they will be there the next time.

    Args:
        connection: to their rows.
        config: what is compared.
        version: of the norms.
        now: unix seconds.
        at: the moment all are read at, with what they lack made good; for drafts.
        most: customers that are read, `MOST` unless said.
    """
    measures = measures_of(config, Scorer(config, None).names)
    read = [_read(connection, measures, ids, rows, at) for ids, rows in _sample(connection, measures, most or MOST)]
    read = [one for one in read if len(one.cards)]
    if not read:
        return None
    values, cards = np.concatenate([one.values for one in read]), np.concatenate([one.cards for one in read])
    until = max(one.until for one in read)
    found = grids(config, values, cards)
    return Norms(version, until, now, config.version, _count(connection) or 0, len(cards), found)


class _Read(NamedTuple):
    values: Floats
    cards: Codes
    until: float


def _read(connection: Connection, measures: MeasureSet, ids: Sequence[str], rows: Rows, at: float | None) -> _Read:
    if at is not None:
        restating.restate(connection, ids, rows, measures)
    scored = rows["scored_at"] > 0.0
    scored[restating.behind(rows, measures)] = False
    moments: Floats = rows["scored_at"] if at is None else np.full(len(rows), at)
    there = np.flatnonzero(scored & ~measures.gone(rows, moments))
    rows, moments = picked(rows, there), moments[there]
    return _Read(measures.read(rows, moments), measures.cards(rows), float(moments.max(initial=0.0)))


def _sample(connection: Connection, measures: MeasureSet, most: int) -> Iterator[tuple[list[str], Rows]]:
    left = most
    for ids, rows in each(connection, measures.layout):
        yield ids[:left], rows[:left]
        left -= len(ids)
        if left <= 0:
            return


def _count(connection: Connection) -> int | None:
    return connection.scalar(select(func.count()).select_from(schema.accounts))
