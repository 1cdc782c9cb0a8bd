"""A small past of contracts: each ends after its year, and who is unhappy leaves then, hardly ever before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from scoring.arrays import expit
from scoring.clock import DAY
from scoring.config import Config
from tests.proof.past import MIDNIGHT
from tests.scoring.room import event

TERM = 180
MEASURES: list[dict[str, Any]] = [
    {
        "name": "logins",
        "family": "count",
        "kinds": ["session.started"],
        "half_life": "30d",
        "label": "{n} logins lately",
        "direction": "up",
    },
    {
        "name": "silence",
        "family": "recency",
        "kinds": ["session.started"],
        "label": "last seen {n} days ago",
        "direction": "down",
    },
    {
        "name": "renewal",
        "family": "date",
        "read": "until",
        "of": "properties.renewal_on",
        "kinds": ["account.updated", "contract.renewed"],
        "label": "renews in {n} days",
        "unit": "days",
        "direction": "up",
    },
]
SCORECARD = {
    "dimensions": [
        {"name": "any", "weight": 1, "measures": [{"measure": "logins", "weight": 1, "low": 0, "high": 12}]},
    ],
    "outcome": {"horizon": "60d", "every": "7d", "kinds": ["subscription.cancelled"]},
    "base_rate": 0.1,
}


def config(*, dated: bool = True) -> Config:
    """With the measure of the renewal, or without."""
    measures = [one | {"dimension": "any"} for one in MEASURES if dated or one["family"] != "date"]
    return Config.model_validate({"measures": measures, "scorecard": SCORECARD})


def contracts(customers=150, days=720, seed=0):
    """(event, account) of each login, renewal and cancellation, in order of time."""
    chance = np.random.default_rng(seed)
    told = []

    def tell(kind, at, account, **properties):
        told.append((event(kind, MIDNIGHT + at * DAY, id=f"{account}-{len(told)}", properties=properties), account))

    for number in range(customers):
        account, happy = f"customer-{number:03}", chance.normal()
        began = at = chance.uniform(-TERM, days / 2)
        ends = began + TERM
        tell("account.updated", max(at, 0.0), account, renewal_on=_day(ends))
        while True:
            at += chance.exponential(4.0 * np.exp(-0.5 * happy))
            while at >= ends and ends < days:
                if chance.random() < expit(np.array(-0.9 - 1.5 * happy)):
                    tell("subscription.cancelled", ends, account)
                    break
                tell("contract.renewed", ends, account, renewal_on=_day(ends + TERM))
                ends += TERM
            if at >= min(ends, days):
                break
            if at >= 0.0:
                tell("session.started", at, account)
    return sorted(((one, account) for one, account in told if one.occurred_at.timestamp() >= MIDNIGHT), key=_when)


def _day(at: float) -> str:
    return datetime.fromtimestamp(MIDNIGHT + at * DAY, UTC).isoformat()


def _when(pair):
    return pair[0].occurred_at
