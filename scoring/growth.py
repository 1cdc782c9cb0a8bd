"""Who is likely to pay more: the chance that a number grows by a share within the horizon.

The same snapshots, features and horizon as for losing a customer, and the same patience: a label matures when the whole
horizon has passed, whichever way it ended. A logistic regression with a normal belief about its weights
(`scoring.experts.bayes`) reads the standardized measures; an unknown one counts as the average. A Platt line learned
from what it said a horizon ago sets it right (`scoring.experts.calibration`). Who has nothing that could grow is not
asked about.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from hub import Driver
from scoring.arrays import Floats, Mask, expit, logit
from scoring.config import Config, Measure
from scoring.drivers import strongest
from scoring.experts import bayes
from scoring.experts.bayes import Bayes
from scoring.experts.calibration import Platt
from scoring.ways import percent

GROWS: Final = "expansion"
"""The name under which the chance that was shown travels in a snapshot."""
GROWS_RAW: Final = "expansion_raw"
"""Likewise, before it was set right."""
NAMES: Final = frozenset({GROWS, GROWS_RAW})
_FARTHEST: Final = 8.0  # log odds
_SURE: Final = 1e-9
_SAME: Final = 1e-6


class Growth(msgspec.Struct):
    """What was learned.

    Attributes:
        bayes: the regression.
        labels: how many it learned.
        grown: of how many of them the number grew.
        line: by which it is set right.
    """

    bayes: Bayes
    labels: int = 0
    grown: int = 0
    line: Platt = msgspec.field(default_factory=Platt)

    def count(self, grown: Floats) -> None:
        """Take note of labels (n,): 1 grew, 0 did not, NaN nothing could."""
        self.labels += int((~np.isnan(grown)).sum())
        self.grown += int(np.nansum(grown))

    def learn(self, names: Sequence[str], read: Floats, grown: Floats, said: Floats, how: Weighing) -> None:
        """Take a portion of labels into account.

        Args:
            names: of the M measures.
            read: (n, M) standardized.
            grown: (n,) 1 grew, 0 did not, NaN nothing could.
            said: (n,) the raw chance that was put on record; NaN where there was none.
            how: they are weighed.
        """
        some = ~np.isnan(grown)
        if not some.any():
            return
        came = grown[some] > 0.0
        kept = how.kept ** int(some.sum())
        self.bayes.learn(names, read[some], came, how.weight, kept)
        known = ~np.isnan(said[some])
        sure = np.clip(said[some][known], _SURE, 1.0 - _SURE)
        self.line.learn(np.log(sure) - np.log1p(-sure) - how.zero, came[known], how.weight)

    def settle(self, known: Collection[str], zero: float) -> None:
        """Say what follows from all that was learned; measures beside `known` are forgotten."""
        self.bayes.settle({}, known)
        self.line.settle(zero)


class Weighing(NamedTuple):
    """How labels count.

    Attributes:
        weight: how much of a label each is.
        kept: the share that a label leaves of what was learned before.
        zero: log odds of the share that is usual before anything is known.
    """

    weight: float
    kept: float
    zero: float


def fresh(base_rate: float) -> Growth:
    """What has seen nothing and says so much of everybody."""
    return Growth(bayes.fresh(logit(base_rate)))


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """How likely one customer's number grows, and why.

    Attributes:
        measure: whose number.
        by: the share by which it grows, or more.
        days: within so many.
        chance: that it does; None: labels do not suffice yet, or there is nothing that could grow.
        usual: the chance of an average customer.
        drivers: strongest first, in hundredths of chance.
        rest: of all others; usual + drivers + rest is the chance.
        labels: how many have taught it.
        missing: how many more it takes before anything is said.
    """

    measure: str
    by: float
    days: float
    chance: float | None
    usual: float | None
    drivers: list[Driver]
    rest: float
    labels: int
    missing: int

    @property
    def words(self) -> str:
        """What it is a chance of: `mrr up by 10 % or more`."""
        return f"{self.measure} up by {percent(self.by)} or more"


class Grower:
    """What was learned, laid out for predicting.

    Args:
        config: whose scorecard says what growing is.
        learned: what was learned; None before anything was.
        missing: labels still needed before it is listened to.
    """

    def __init__(self, config: Config, learned: Growth | None, missing: int) -> None:
        expansion = config.scorecard.expansion
        assert expansion is not None  # noqa: S101 - nobody makes one otherwise
        self._expansion, self._days = expansion, config.scorecard.outcome.horizon / 86_400.0
        self._parts: tuple[Measure, ...] = config.measures
        names = [measure.name for measure in config.measures]
        self._place = names.index(expansion.measure)
        self._learned = known = learned or fresh(expansion.base_rate)
        self._weights = np.array([known.bayes.weights.get(name, 0.0) for name in names])
        self._zero = logit(expansion.base_rate)
        self._missing = missing

    @property
    def trusted(self) -> bool:
        """Whether labels suffice."""
        return self._missing == 0

    def predict(self, values: Floats, read: Floats) -> dict[str, Floats]:
        """(n,) chances by name; NaN of whom nothing could grow, and what is shown only when labels suffice.

        Args:
            values: (n, M) measures.
            read: (n, F) standardized features, those of the measures first.
        """
        could = self._could(values)
        raw = self._learned.bayes.intercept + read[:, : len(self._weights)] @ self._weights
        found = {GROWS_RAW: np.where(could, expit(np.clip(raw, -_FARTHEST, _FARTHEST)), np.nan)}
        if self.trusted:
            found[GROWS] = np.where(could, expit(self._set_right(raw)), np.nan)
        return found

    def outlook(self, values: Floats, read: Floats, k: int) -> Outlook:
        """Of one customer, in words; arguments as of `predict`, with one row. At most `k` drivers are named."""
        learned, chance, usual = self._learned, None, None
        drivers: list[Driver] = []
        rest = 0.0
        if self.trusted:
            usual = float(expit(self._set_right(np.array([learned.bayes.intercept])))[0])
        if usual is not None and self._could(values)[0]:
            chance = float(self.predict(values, read)[GROWS][0])
            parts = read[0, : len(self._weights)] * self._weights
            total, apart = float(parts.sum()), 100.0 * (chance - usual)
            points = parts * (apart / total) if abs(total) > _SAME else np.zeros(len(parts))
            drivers, _ = strongest(self._parts, values[0].tolist(), points.tolist(), k)
            rest = apart - sum(driver.points for driver in drivers)
        return Outlook(
            measure=self._expansion.measure,
            by=self._expansion.by,
            days=self._days,
            chance=chance,
            usual=usual,
            drivers=drivers,
            rest=rest,
            labels=learned.labels,
            missing=self._missing,
        )

    def _could(self, values: Floats) -> Mask:
        return np.asarray(values[:, self._place] > 0.0)

    def _set_right(self, raw: Floats) -> Floats:
        line = self._learned.line
        return np.clip(self._zero + line.scale * (raw - self._zero) + line.shift, -_FARTHEST, _FARTHEST)
