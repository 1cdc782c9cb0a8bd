"""Did it come true? What would have been said some time ago is held against what came since.

The models take it that customers go on as they are. Seasons turn, and who came often is less like itself than a gamma
distribution knows; so the share of the draws that the bounds enclose is set by what came: wide enough to have held
what they promise, for customers who came rarely and for those who came often; and never narrower than the models say.
"""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np

from scoring.arrays import Floats, Mask
from scoring.batch import Integers
from scoring.value.model import Proof
from scoring.value.orders import GROUPS, draws, expected, fitted, group, narrowest
from scoring.value.purchases import Book, came, enough, history

_PART: Final = 3.0  # the last third of what is known, at most, is what is predicted
_SHORTEST: Final = 7.0  # days
_FEW: Final = 100  # customers, below whom a group's bounds are those of all
_STEP: Final = 0.01


def held_out(book: Book, today: float, horizon: float, interval: float) -> tuple[list[float], Proof] | None:
    """The shares to draw bounds with, one for each of `GROUPS`, and the proof; None if too little was known then.

    Args:
        book: of one currency.
        today: days since 1970; nothing after it is in the book.
        horizon: days.
        interval: share of what may come that is to be within bounds.
    """
    whole = history(book, today)
    span = float(whole.pasts.age.max(initial=0.0))
    back = np.floor(min(horizon, span / _PART))
    if back < _SHORTEST:
        return None
    since = int(np.floor(today - back))
    known = history(book, since)
    if not enough(known):
        return None
    numbers, days = fitted(known), today - since
    said = expected(numbers, known, days, 0.0).value
    truth = came(book, known.accounts, since, today)
    before = came(book, known.accounts, since - days, since)
    drawn = draws(numbers, known, days)
    steps = np.arange(interval, 0.995, _STEP)
    inside = np.array([_within(drawn, np.full(len(truth), share), truth) for share in steps])
    groups = group(known.times)
    halves = np.array([zlib.crc32(account.encode()) % 2 for account in known.accounts])
    held = np.empty(len(truth), bool)
    for half in (0, 1):
        other, own = halves != half, halves == half
        chosen = np.array(_chosen(inside[:, other], groups[other], interval))[groups]
        held[own] = inside[chosen, np.arange(len(truth))][own]
    return [float(steps[one]) for one in _chosen(inside, groups, interval)], Proof(
        since,
        float(days),
        len(truth),
        float(said.sum()),
        float(truth.sum()),
        float(np.abs(said - truth).mean()),
        float(np.abs(before - truth).mean()),
        float(held.mean()),
        float(inside[0].mean()),
    )


def _within(drawn: Floats, share: Floats, truth: Floats) -> Mask:
    """Whether what came lies within bounds; less than nothing (more went back than came) is nothing."""
    low, high = narrowest(drawn, share)
    found: Mask = (np.maximum(truth, 0.0) >= low - 1e-9) & (np.maximum(truth, 0.0) <= high * (1.0 + 1e-9))
    return found


def _chosen(inside: Mask, groups: Integers, interval: float) -> list[int]:
    """For each group the first step whose bounds held as much as they should; the last, if none did."""
    every = _first(inside, interval)
    found = []
    for one in range(len(GROUPS)):
        mine = groups == one
        found.append(_first(inside[:, mine], interval) if mine.sum() >= _FEW else every)
    return found


def _first(inside: Mask, interval: float) -> int:
    good = inside.mean(axis=1) >= interval if inside.shape[1] else np.ones(len(inside), bool)
    return int(good.argmax()) if good.any() else len(inside) - 1
