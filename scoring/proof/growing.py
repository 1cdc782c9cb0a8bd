"""How well it was foretold who would pay more: by a replay, or by what is kept of the past."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from sqlalchemy import Connection, select

from hub.store import schema
from scoring.arrays import Floats
from scoring.batch import Integers
from scoring.growth import GROWS
from scoring.outcome import Expansion
from scoring.proof.prequential import Played
from scoring.proof.skill import Skill, skill

_NEWEST: Final = 50_000


class Growing(msgspec.Struct, frozen=True, kw_only=True):
    """The chances that a number grows, held against what became of it.

    Attributes:
        measure: whose number.
        by: the share by which it grows, or more.
        labels: how many came due.
        usual: share of them that grew; None: there are none.
        skill: of the chances that were shown, since labels sufficed for any; `lost` counts those that grew.
    """

    measure: str
    by: float
    labels: int
    usual: float | None
    skill: Skill


def growing(played: Played, expansion: Expansion | None, draws: int) -> Growing | None:
    """Judge a replay; None where nobody asked.

    Args:
        played: it.
        expansion: what growing is.
        draws: of the bootstrap, for the intervals.
    """
    if expansion is None:
        return None
    place, came = played.contenders.index(GROWS), played.snapshots
    grown = np.concatenate([one.grown for one in came] or [np.zeros(0)])
    said = np.concatenate([one.said[:, place] for one in came] or [np.zeros(0)])
    who: Integers = np.concatenate([one.accounts for one in came] or [np.zeros(0, np.int64)])
    return _judged(expansion, grown, said, who, draws)


def kept(connection: Connection, expansion: Expansion | None, draws: int = 50) -> Growing | None:
    """Judge the newest labels an installation keeps; None where nobody asks. Arguments as of `growing`."""
    if expansion is None:
        return None
    table = schema.expansions.c
    asked = select(table.account, table.grown, table.chance).order_by(table.matured_at.desc()).limit(_NEWEST)
    rows = connection.execute(asked).all()
    said = np.array([np.nan if row.chance is None else row.chance for row in rows], np.float64)
    _, who = np.unique(np.array([row.account for row in rows], dtype=str), return_inverse=True)
    return _judged(expansion, np.array([row.grown for row in rows], np.float64), said, who.astype(np.int64), draws)


def _judged(expansion: Expansion, grown: Floats, said: Floats, who: Integers, draws: int) -> Growing:
    shown, known = ~np.isnan(grown) & ~np.isnan(said), ~np.isnan(grown)
    return Growing(
        measure=expansion.measure,
        by=expansion.by,
        labels=int(known.sum()),
        usual=float(grown[known].mean()) if known.any() else None,
        skill=skill(said[shown], grown[shown] > 0.0, who[shown], draws),
    )
