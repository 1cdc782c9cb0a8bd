"""A small past to replay: shops that order at their own pace until one day they are gone."""

from __future__ import annotations

import numpy as np

from scoring.clock import DAY
from scoring.config import Config
from scoring.measures import MeasureSet
from scoring.proof.story import Story, Told
from scoring.proof.suggest import Fact, suggested
from tests.scoring.room import START, event

HORIZON = 28 * DAY
MIDNIGHT = START - START % DAY


def config(**more) -> Config:
    facts = [Fact("invoice.paid", amount=True), Fact("refund.issued", amount=True)]
    return suggested(facts, **({"horizon": HORIZON, "every": 7 * DAY} | more))


def orders(shops=60, days=300, seed=0):
    """(event, account) of each order, in order of time."""
    chance = np.random.default_rng(seed)
    told = []
    for shop in range(shops):
        pace, leaves, at = chance.gamma(2, 4) + 1, chance.beta(1, 12), chance.uniform(0, days / 2)
        number = 0
        while at < days:
            one = event("invoice.paid", MIDNIGHT + at * DAY, id=f"{shop}-{number}", amount=10, currency="EUR")
            told.append((one, f"shop-{shop:03}"))
            if chance.random() < leaves:
                break
            at, number = at + chance.exponential(pace), number + 1
    return sorted(told, key=lambda pair: pair[0].occurred_at)


def told(config: Config, story=None) -> Told:
    of = Story(MeasureSet(config))
    for one, account in orders() if story is None else story:
        of.tell([one], [account])
    return of.end()
