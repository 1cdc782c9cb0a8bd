"""How well a replay foretold who would pay more."""

from __future__ import annotations

import msgspec
import numpy as np

from scoring.batch import Integers
from scoring.growth import GROWS
from scoring.outcome import Expansion
from scoring.proof.prequential import Played
from scoring.proof.skill import Skill, skill


class Growing(msgspec.Struct, frozen=True, kw_only=True):
    """The chances that a number grows, held against what became of it.

    Attributes:
        measure: whose number.
        by: the share by which it grows, or more.
        usual: share of all labels by which it grew; None: there are none.
        skill: of the chances that were shown, since labels sufficed for any; `lost` counts those that grew.
    """

    measure: str
    by: float
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
    shown, known = ~np.isnan(grown) & ~np.isnan(said), ~np.isnan(grown)
    return Growing(
        measure=expansion.measure,
        by=expansion.by,
        usual=float(grown[known].mean()) if known.any() else None,
        skill=skill(said[shown], grown[shown] > 0.0, who[shown], draws),
    )
