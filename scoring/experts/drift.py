"""Whether an expert predicts worse than it used to: a watch over its log losses, week by week, and what an alarm does.

Labels of one week share its weather, and those of neighboring weeks most of their outcome. So single labels are no
witnesses: a detector that counts each (ADWIN, River's Page-Hinkley) takes weather for a change. What is watched is the
mean loss of a block, a period between two snapshots or more, and each block counts `every / horizon` of a witness, as
its labels do (`scoring.model.weight_of`).

A block is compared with those before it: standardized by their mean and spread, which makes it Student's t with as
many degrees of freedom as there were witnesses, less one, and turned into the normal deviate of the same probability
(Wallace 1959). So nothing has to be known beforehand (a self-starting CUSUM; Hawkins 1987). What lies beyond `ALLOWED`
adds up, `S = max(0, S + w * (z - ALLOWED))` (Page 1954), and where S passes `ALARM` the expert has changed. While S is
above zero blocks wait apart: a change that is being seen does not teach what is usual. No single horizon raises an
alarm by itself, however bad: z ends at `FARTHEST`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from scoring.arrays import Floats

ALLOWED: Final = 0.5
"""Standard deviations of a block that are nothing: changes of twice that are found soonest (Page)."""
ALARM: Final = 6.0
"""How much must come together; chance alone does it once in 790 witnesses (Siegmund's approximation, 1985)."""
FARTHEST: Final = 6.0
WITNESSES: Final = 4.0
"""As many must have been heard before anybody is judged by them."""
LEAST: Final = 50
"""Labels of a block, at least; it lasts until it has them."""
_NOISE: Final = 0.02  # of the mean: a spread that is less is taken for it, so that no hair's breadth is a change
_KEPT: Final = 12


class Alarm(msgspec.Struct, frozen=True):
    """An expert has changed.

    Attributes:
        at: unix seconds of the newest maturity among the labels that say so.
        since: of those that first did.
        expert: its name, or `mix`.
        was: its mean log loss until then, nats.
        now: its mean log loss since.
    """

    at: float
    since: float
    expert: str
    was: float
    now: float


class Told(msgspec.Struct):
    """Blocks, added up.

    Attributes:
        weight: witnesses.
        mean: of their losses.
        squares: sum of squared deviations from that, by weight.
    """

    weight: float = 0.0
    mean: float = 0.0
    squares: float = 0.0

    def take(self, other: Told) -> None:
        """Add others to them (Chan, Golub and LeVeque 1979)."""
        both = self.weight + other.weight
        if both <= 0.0:
            return
        apart = other.mean - self.mean
        self.squares += other.squares + apart**2 * self.weight * other.weight / both
        self.mean += apart * other.weight / both
        self.weight = both


class Watch(msgspec.Struct):
    """One expert.

    Attributes:
        usual: blocks that are what is usual.
        apart: blocks since the sum rose.
        total: the sum.
        since: unix seconds when it rose.
        losses: of the block that is under way.
        labels: likewise.
    """

    usual: Told = msgspec.field(default_factory=Told)
    apart: Told = msgspec.field(default_factory=Told)
    total: float = 0.0
    since: float = 0.0
    losses: float = 0.0
    labels: int = 0

    def close(self, begun: float, weight: float) -> tuple[float, float] | None:
        """End a block; losses before and after where that shows a change."""
        if not self.labels:
            return None
        block = Told(weight, self.losses / self.labels)
        self.losses, self.labels = 0.0, 0
        if self.usual.weight < WITNESSES:
            self.usual.take(block)
            return None
        before, self.total = self.total, max(0.0, self.total + weight * (self._deviate(block.mean) - ALLOWED))
        if not self.total:
            self.usual.take(self.apart)
            self.usual.take(block)
            self.apart = Told()
            return None
        if not before:
            self.since = begun
        self.apart.take(block)
        if self.total < ALARM:
            return None
        found = self.usual.mean, self.apart.mean
        self.usual, self.apart, self.total = self.apart, Told(), 0.0
        return found

    def _deviate(self, loss: float) -> float:
        """How unusual a loss is, as a normal deviate; not below -`FARTHEST` and not above it."""
        free = self.usual.weight - 1.0
        spread = math.hypot(math.sqrt(self.usual.squares / free), _NOISE * self.usual.mean)
        if not spread:
            return 0.0
        t = (loss - self.usual.mean) / (spread * math.sqrt(1.0 + 1.0 / self.usual.weight))
        z = (8.0 * free + 1.0) / (8.0 * free + 3.0) * math.sqrt(free * math.log1p(t * t / free))
        return math.copysign(min(z, FARTHEST), t)


class Drift(msgspec.Struct):
    """All experts.

    Attributes:
        begun: unix seconds of the first maturity of the block under way; 0 before any.
        newest: of the newest one.
        labels: of that block.
        watches: by expert.
        alarms: the newest few, newest last.
        raised: how many there were in all.
    """

    begun: float = 0.0
    newest: float = 0.0
    labels: int = 0
    watches: dict[str, Watch] = msgspec.field(default_factory=dict)
    alarms: list[Alarm] = msgspec.field(default_factory=list)
    raised: int = 0

    def see(self, experts: Sequence[str], losses: Floats, at: Floats, *, every: float, horizon: float) -> list[Alarm]:
        """Take losses in the order in which they became known.

        Args:
            experts: columns of `losses`.
            losses: (n, E) log losses in nats; NaN where an expert said nothing.
            at: (n,) when they did, unix seconds.
            every: time between two snapshots of a customer, seconds.
            horizon: of a label, seconds.

        Returns:
            What is new.
        """
        found: list[Alarm] = []
        first = 0
        for place, moment in enumerate(at.tolist()):
            if not self.begun:
                self.begun = self.newest = moment
            ripe = moment > self.newest and moment - self.begun >= every
            if ripe and self.labels + place - first >= LEAST:
                self._add(experts, losses[first:place])
                found += self._close(min(1.0, (moment - self.begun) / horizon))
                self.begun, first = moment, place
            self.newest = max(self.newest, moment)
        self._add(experts, losses[first:])
        self.raised += len(found)
        self.alarms = [*self.alarms, *found][-_KEPT:]
        return found

    def _add(self, experts: Sequence[str], losses: Floats) -> None:
        self.labels += len(losses)
        known = ~np.isnan(losses)
        sums, counts = np.where(known, losses, 0.0).sum(axis=0).tolist(), known.sum(axis=0).tolist()
        for expert, sum_, count in zip(experts, sums, counts, strict=True):
            if count:
                watch = self.watches.setdefault(expert, Watch())
                watch.losses += sum_
                watch.labels += count

    def _close(self, weight: float) -> list[Alarm]:
        self.labels = 0
        alarms = []
        for expert, watch in self.watches.items():
            if (moved := watch.close(self.begun, weight)) is not None:
                alarms.append(Alarm(self.newest, watch.since, expert, *moved))
        return alarms
