"""What comes of visiting those who are likeliest to be lost, as many as one can, each time one looks."""

from __future__ import annotations

import msgspec
import numpy as np

from scoring.arrays import Floats
from scoring.batch import Integers
from scoring.clock import DAY
from scoring.proof.losses import Ends


class Visits(msgspec.Struct, frozen=True, kw_only=True):
    """Of customers who were not lost already.

    Attributes:
        top: how many are visited each time.
        looks: how often one looked.
        customers: how many customers there were at a look, at the median.
        visited: visits in all.
        precision: share of visits to a customer who would have been lost within the horizon.
        usual: share of all; what visiting anybody would find.
        losses: customers lost; who came back and was lost again counts twice.
        found: share of losses before which the customer was visited, within the horizon.
        lead_days: days from the first such visit to the loss, at the median; None if nobody was or no date is known.
    """

    top: int
    looks: int
    customers: int
    visited: int
    precision: float | None
    usual: float | None
    losses: int
    found: float | None
    lead_days: float | None


def visits(chances: Floats, who: Integers, at: Floats, over: Ends, *, every: float, top: int) -> Visits:
    """Look back at them.

    Args:
        chances: (n,) predicted risks.
        who: (n,) whose label each is.
        at: (n,) unix seconds when they were predicted.
        over: what became of them.
        every: time between two looks, seconds.
        top: how many are visited each time.
    """
    open_ = np.flatnonzero(~over.already)
    look = np.floor(at[open_] / every).astype(np.int64)
    chosen, sizes = np.zeros(len(chances), bool), []
    order = open_[np.lexsort((who[open_], -chances[open_], look))]
    _, starts, many = np.unique(np.sort(look), return_index=True, return_counts=True)
    for start, size in zip(starts.tolist(), many.tolist(), strict=True):
        chosen[order[start : start + min(top, size)]] = True
        sizes.append(size)
    hit = over.lost[chosen]
    first = _losses(chosen, who, at, over)
    leads = [(end - seen) / DAY for (_, end), seen in first.items() if seen is not None and end is not None]
    seen = sum(moment is not None for moment in first.values())
    return Visits(
        top=top,
        looks=len(sizes),
        customers=int(np.median(sizes)) if sizes else 0,
        visited=len(hit),
        precision=float(hit.mean()) if len(hit) else None,
        usual=float(over.lost[open_].mean()) if len(open_) else None,
        losses=len(first),
        found=seen / len(first) if first else None,
        lead_days=float(np.median(leads)) if leads else None,
    )


def _losses(chosen: Integers, who: Integers, at: Floats, over: Ends) -> dict[tuple[int, float | None], float | None]:
    """(customer, when lost; None: not known) -> when it was visited first, None if never."""
    found: dict[tuple[int, float | None], float | None] = {}
    those = np.flatnonzero(over.lost & ~over.already)
    for place in those[np.argsort(at[those], kind="stable")].tolist():
        end = over.at[place]
        key = (int(who[place]), float(end) if np.isfinite(end) else None)
        if found.get(key) is None:
            found[key] = float(at[place]) if chosen[place] else None
    return found
