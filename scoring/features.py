"""From measures to what the regressions read.

A measure becomes two features: its signed log (counts and money grow by factors), 0 where it is unknown, and a flag
that says that it is unknown, 1 or 0. Every feature is finite, so that snapshots and labels travel as plain JSON.
Features go by name (`logins`, `logins?`), so that a model survives a change of what is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from scoring.arrays import Floats, Singles

UNKNOWN: Final = "?"
_MOST: Final = 60.0  # log of 10^26: beyond it a number is not a measurement


def feature_names(measures: Sequence[str]) -> tuple[str, ...]:
    """Names of the features of these measures, in the order of `features`.

    >>> feature_names(["logins", "mrr"])
    ('logins', 'mrr', 'logins?', 'mrr?')
    """
    return (*measures, *(name + UNKNOWN for name in measures))


def features(values: Floats) -> Singles:
    """Measures (n, M), NaN unknown, as features (n, 2M), all finite.

    >>> features(np.array([[0.0, np.nan]])).tolist()
    [[0.0, 0.0, 0.0, 1.0]]
    """
    unknown = np.isnan(values)
    logs = np.sign(values) * np.minimum(np.log1p(np.abs(values)), _MOST)
    return np.concatenate([np.where(unknown, 0.0, logs), unknown], axis=1).astype(np.float32)


def lesson(row: Sequence[float], names: Sequence[str]) -> dict[str, float]:
    """One snapshot as River reads it: known measures by name, unknown ones as their flag; M entries of 2M.

    A measure that is left out stands at its mean once it is standardized.

    >>> lesson([2.5, 0.0, 0.0, 1.0], feature_names(["logins", "mrr"]))
    {'logins': 2.5, 'mrr?': 1.0}
    """
    half = len(names) // 2
    return {
        (names[half + place] if row[half + place] else names[place]): 1.0 if row[half + place] else float(row[place])
        for place in range(half)
    }


def measured(found: Singles, names: Sequence[str], wanted: Sequence[str]) -> Floats:
    """What `features` was made of: (n, F) features of these names in, (n, W) wanted measures out, NaN unknown.

    >>> measured(features(np.array([[3.0, np.nan]])), feature_names(["logins", "mrr"]), ["logins"]).round(5).tolist()
    [[3.0]]
    """
    places = {name: place for place, name in enumerate(names)}
    half = len(names) // 2
    out = np.full((len(found), len(wanted)), np.nan)
    for column, name in enumerate(wanted):
        if (place := places.get(name)) is not None:
            logs = found[:, place].astype(np.float64)
            known = found[:, half + place] == 0.0
            out[known, column] = (np.sign(logs) * np.expm1(np.abs(logs)))[known]
    return out
