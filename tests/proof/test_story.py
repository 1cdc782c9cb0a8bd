from __future__ import annotations

import random

import numpy as np
import pytest

from scoring.clock import DAY
from scoring.config import Config
from scoring.entities import Things
from scoring.measures import MeasureSet
from scoring.proof.prequential import moments
from scoring.proof.story import Story
from tests.proof.past import HORIZON, MIDNIGHT, config, orders, told
from tests.scoring.room import event

CONFIG = config()
OUTCOME = CONFIG.scorecard.outcome


def _folded(story, at, measures):
    """What a row comes to when it is folded from the events up to a moment, one account at a time."""
    rows = {}
    for account in sorted({account for _, account in story}):
        some = [one for one, whose in story if whose == account and one.occurred_at.timestamp() <= at]
        if some:
            row, things = (
                np.full(1, measures.empty, measures.dtype),
                Things(measures.holdings.sums, measures.holdings.oldest),
            )
            batch = measures.batch(some, [account] * len(some))
            measures.fold(row, batch.changed(things.change(some, [account] * len(some), batch.accounts)))
            rows[account] = measures.read(row, at)[0]
    return rows


def test_at_each_tick_everybody_looks_as_if_nothing_had_happened_since():
    story, measures = orders(20, 150), MeasureSet(CONFIG)
    past = told(CONFIG, story)
    for tick in list(past.ticks(moments(past, 7 * DAY)))[::4]:
        wanted = _folded(story, tick.at, measures)
        assert sorted(past.accounts[place] for place in tick.accounts) == sorted(wanted)
        for place, values in zip(tick.accounts, tick.values, strict=True):
            np.testing.assert_allclose(values, wanted[past.accounts[place]], rtol=1e-9, atol=1e-9)


def test_in_whatever_order_a_past_is_told_it_is_the_same():
    story = orders(20, 150)
    plain, shuffled = told(CONFIG, story), told(CONFIG, random.Random(1).sample(story, len(story)))
    at = moments(plain, 7 * DAY)
    for mine, theirs in zip(plain.ticks(at), shuffled.ticks(at), strict=True):
        names = [
            [past.accounts[place] for place in tick.accounts] for past, tick in ((plain, mine), (shuffled, theirs))
        ]
        order = [np.argsort(one) for one in names]
        np.testing.assert_allclose(mine.values[order[0]], theirs.values[order[1]], rtol=1e-9, atol=1e-9)


def test_whether_silence_came_is_what_the_events_say():
    story = orders(30, 200)
    past = told(CONFIG, story)
    times = {
        account: [one.occurred_at.timestamp() for one, whose in story if whose == account] for account in past.accounts
    }
    for at in moments(past, 7 * DAY)[::3]:
        everybody = np.arange(len(past.accounts))
        lost, half = past.lost(everybody, at, OUTCOME), past.lost(everybody, at, OUTCOME, HORIZON / 2)
        already = past.already(everybody, at, OUTCOME)
        for place, account in enumerate(past.accounts):
            assert lost[place] == (not any(at < one <= at + HORIZON for one in times[account]))
            assert half[place] == (not any(at < one <= at + HORIZON / 2 for one in times[account]))
            assert already[place] == (not any(at - HORIZON < one <= at for one in times[account]))


def test_when_a_customer_was_lost_is_the_end_of_its_silence_or_the_event_that_says_so():
    story = [
        (event("invoice.paid", MIDNIGHT + day * DAY, id=f"p{day}", amount=1, currency="EUR"), "a") for day in (0, 3)
    ]
    past = told(CONFIG, [*story, (event("invoice.paid", MIDNIGHT + 90 * DAY, id="b", amount=1, currency="EUR"), "b")])
    assert past.lost_at(np.array([0]), MIDNIGHT + 10 * DAY, OUTCOME).tolist() == [MIDNIGHT + 31 * DAY]
    cancelled = OUTCOME.model_copy(update={"silence": False})
    assert past.lost_at(np.array([0, 0]), MIDNIGHT + DAY, cancelled).tolist() == [MIDNIGHT + 3 * DAY] * 2
    assert past.lost_at(np.array([0]), MIDNIGHT + 4 * DAY, cancelled).tolist() == [np.inf]


def test_tickets_are_open_at_the_ticks_between_their_events():
    declared = {
        "measures": [
            {
                "name": "open",
                "family": "entities",
                "entity": "ticket",
                "read": "open",
                "dimension": "any",
                "label": "{n}",
                "direction": "down",
            }
        ],
        "scorecard": {
            "dimensions": [
                {"name": "any", "weight": 1, "measures": [{"measure": "open", "weight": 1, "low": 3, "high": 0}]}
            ],
            "outcome": {"kinds": ["subscription.cancelled"], "horizon": "60d", "every": "7d"},
        },
    }
    story = Story(MeasureSet(Config.model_validate(declared)))
    for kind, day in (("opened", 1), ("solved", 20)):
        story.tell([event(f"ticket.{kind}", MIDNIGHT + day * DAY, id=kind, entity="acme:ticket:1")], ["a"])
    past = story.end()
    found = {tick.at: tick.values[:, 0].tolist() for tick in past.ticks([MIDNIGHT + day * DAY for day in (0, 2, 21)])}
    assert list(found.values()) == [[], [1.0], [0.0]]


def test_a_past_in_which_nothing_happened_has_no_ticks():
    past = Story(MeasureSet(CONFIG)).end()
    assert len(past) == 0
    assert moments(past, DAY) == []


@pytest.mark.parametrize("at", [-np.inf, MIDNIGHT - 1e9, MIDNIGHT + 1e9])
def test_before_and_after_all_there_is_nothing_goes_wrong(at):
    past = told(CONFIG, orders(5, 50))
    everybody = np.arange(len(past.accounts))
    assert past.lost(everybody, at, OUTCOME).all()
