"""How well predictions did, with intervals that count customers, not labels.

A customer is judged again and again, and its labels resemble each other: so whole customers are drawn with replacement
(the cluster bootstrap; Efron and Tibshirani 1993), and what varies between the draws is the interval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import numpy as np

from scoring.arrays import Floats, Mask
from scoring.batch import Integers
from scoring.model import missing

_SURE: Final = 1e-6
_BINS: Final = 10
_DRAWS: Final = 200
_EDGES: Final = (2.5, 97.5)


class Figure(msgspec.Struct, frozen=True):
    """A number and its 95 % interval; None where labels do not suffice for it."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Skill(msgspec.Struct, frozen=True, kw_only=True):
    """How well one way to predict did.

    Attributes:
        labels: predictions that matured.
        accounts: customers they are of.
        lost: how many ended lost.
        figures: by name: `auc`, `log_loss` (nats), `brier`, `ece` (ten groups of equal size).
        curve: what was said on average, what came true and how many, by those groups; least risk first.
    """

    labels: int
    accounts: int
    lost: int
    figures: dict[str, Figure]
    curve: list[tuple[float, float, int]]

    def value(self, name: str) -> float | None:
        """One figure without its interval."""
        return self.figures[name].value


def skill(chances: Floats, lost: Mask, who: Integers, draws: int = _DRAWS) -> Skill:
    """Judge predictions.

    Args:
        chances: (n,) probabilities.
        lost: (n,) what became of the customers.
        who: (n,) whose label each is.
        draws: of the bootstrap; 0: no intervals.
    """
    accounts, place = np.unique(who, return_inverse=True)
    count, ended = len(lost), int(lost.sum())
    measured = _Measured(chances, lost) if count else None
    if measured is None or missing(count, ended).labels:
        return Skill(
            labels=count, accounts=len(accounts), lost=ended, figures=dict.fromkeys(FIGURES, Figure(None)), curve=[]
        )
    whole = np.ones(count)
    chance = np.random.default_rng(0)
    drawn: dict[str, list[float]] = {name: [] for name in FIGURES}
    for _ in range(draws):  # one at a time: all at once are 800 MB of half a million labels
        often = np.bincount(chance.integers(0, len(accounts), len(accounts)), minlength=len(accounts))
        weights = often[place].astype(np.float64)
        for name, figure in FIGURES.items():
            drawn[name].append(figure(measured, weights))
    figures = {}
    for name, figure in FIGURES.items():
        low, high = np.nanpercentile(drawn[name], _EDGES).tolist() if draws else (None, None)
        figures[name] = Figure(figure(measured, whole), low, high)
    return Skill(labels=count, accounts=len(accounts), lost=ended, figures=figures, curve=measured.curve())


class _Measured:
    """Predictions in the order of their chance, so that each draw is a matter of sums."""

    def __init__(self, chances: Floats, lost: Mask) -> None:
        self.order = np.argsort(chances, kind="stable")
        self.chances, self.lost = chances[self.order], lost[self.order]
        sure = np.clip(self.chances, _SURE, 1.0 - _SURE)
        self.losses = -np.log(np.where(self.lost, sure, 1.0 - sure))
        self.squares = (self.chances - self.lost) ** 2
        self.ties = np.flatnonzero(np.concatenate([[True], np.diff(self.chances) > 0.0]))
        self.groups = [len(part) for part in np.array_split(self.chances, min(_BINS, len(chances)))]
        self.starts = np.concatenate([[0], np.cumsum(self.groups)[:-1]]).astype(np.intp)

    def curve(self) -> list[tuple[float, float, int]]:
        said = np.add.reduceat(self.chances, self.starts) / self.groups
        true = np.add.reduceat(self.lost.astype(float), self.starts) / self.groups
        return list(zip(said.tolist(), true.tolist(), self.groups, strict=True))


def _auc(of: _Measured, weights: Floats) -> float:
    """Chance that one who left had been given more risk than one who stayed; ties count half."""
    here = weights[of.order]
    left = np.add.reduceat(here * of.lost, of.ties)
    stayed = np.add.reduceat(here * ~of.lost, of.ties)
    pairs = left.sum() * stayed.sum()
    below = np.cumsum(stayed) - stayed / 2.0
    return float((left * below).sum() / pairs) if pairs else float("nan")


def _ece(of: _Measured, weights: Floats) -> float:
    """Expected calibration error over groups of equal size."""
    here = weights[of.order]
    apart = np.add.reduceat(here * (of.chances - of.lost), of.starts)
    return float(np.abs(apart).sum() / here.sum())


def _mean(what: str) -> Callable[[_Measured, Floats], float]:
    return lambda of, weights: float(np.average(getattr(of, what), weights=weights[of.order]))


FIGURES: Final[Mapping[str, Callable[[_Measured, Floats], float]]] = {
    "auc": _auc,
    "log_loss": _mean("losses"),
    "brier": _mean("squares"),
    "ece": _ece,
}
