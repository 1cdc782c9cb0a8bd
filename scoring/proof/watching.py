"""What people would have seen of a replay: bands that do not flicker, what was worth publishing, and alerts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from scoring.arrays import Codes, Floats, Mask
from scoring.bands import LEFT, NO_BAND, bands, borders
from scoring.batch import Integers
from scoring.config import Scorecard
from scoring.proof.story import Tick
from scoring.scorer import Scores
from scoring.work import LEAST

_SPEAKS: Final = 0.05  # points; less is shown as nothing


@dataclass(frozen=True, slots=True)
class Shown:
    """Everybody at one look.

    Attributes:
        at: unix seconds.
        accounts: (n,) places in the story.
        health: (n,) 0 to 100; of those who left what it was last, NaN if that was before anybody looked.
        band: (n,) codes.
        was: (n,) codes at the look before, `NO_BAND` at the first.
        spoken: (n,) whether anything speaks for their health.
    """

    at: float
    accounts: Integers
    health: Floats
    band: Codes
    was: Codes
    spoken: Mask


Alarm = Callable[[Shown, Mask], list[int]]
"""The rule of alerts: shown everybody and whose health is published, says of whom (places) people are told a fall."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look came to.

    Attributes:
        shown: everybody.
        writes: how many healths were worth publishing, and so a field of the CRM.
        alerts: places in `shown` of those of whom people were told.
    """

    shown: Shown
    writes: int
    alerts: list[int]


class Watch:
    """Somebody who looks at a replay (`scoring.proof.prequential.play` shows it every tick).

    Args:
        accounts: how many there are in the story.
        scorecard: of the configuration that is replayed.
        alarm: the rule of alerts, with nothing in its memory.
        since: unix seconds; what comes before is lived through, and not kept.

    Attributes:
        looks: what was seen.
    """

    def __init__(self, accounts: int, scorecard: Scorecard, alarm: Alarm, since: float) -> None:
        self._borders, self._hysteresis = borders(scorecard), scorecard.hysteresis
        self._alarm, self._since = alarm, since
        self._band = np.full(accounts, NO_BAND, np.int8)
        self._health, self._published = np.full(accounts, np.nan), np.full(accounts, np.nan)
        self.looks: list[Look] = []

    def __call__(self, tick: Tick, here: Mask, scores: Scores) -> None:
        """Take a tick: who is here was scored, all others had left."""
        who, there = tick.accounts, tick.accounts[here]
        was, band = self._band[who], np.full(len(who), LEFT, np.int8)
        band[here] = bands(scores.health, was[here], self._borders, self._hysteresis)
        self._health[there] = scores.health
        health, spoken = self._health[who], np.zeros(len(who), bool)
        spoken[here] = (np.abs(scores.points) >= _SPEAKS).any(axis=1)
        news = (band != was) | (here & (np.abs(health - self._published[who]) >= LEAST))
        self._band[who], self._published[who[news]] = band, health[news]
        shown = Shown(tick.at, who, health, band, was, spoken)
        fallen = self._alarm(shown, news)
        if tick.at >= self._since:
            self.looks.append(Look(shown, int(news.sum()), fallen))
