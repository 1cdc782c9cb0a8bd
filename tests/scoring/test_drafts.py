"""A draft says what it changes and whom it would move, and then moves exactly them."""

from __future__ import annotations

import itertools

import pytest

from hub.store import schema
from scoring.config import Config
from scoring.drafts import differences, moves, refolded
from scoring.loading import load
from scoring.outcome import Outcome
from tests.scoring.room import Room
from tests.scoring.test_restating import ACCOUNTS, OLD, SLOW, changed, lived, restarted, settled


@pytest.fixture
def room(tmp_path):
    room = Room(tmp_path, config=OLD)
    lived(room)
    yield room
    room.close()


def judged(room, draft, **more):
    with room.database.read() as connection:
        return moves(connection, OLD, draft, room.now, **more)


def held(room):
    return {row.id: (row.health, row.band) for row in room.rows(schema.accounts.select())}


def card(**words):
    body = OLD.model_dump()
    body["scorecard"] |= words
    return Config.model_validate(body)


def test_whoever_has_enough_is_told_of_how_many_it_was(room):
    told = judged(room, changed(SLOW), some=1, enough=lambda: True)
    assert told.accounts == sum(told.bands.values()) == 1
    assert told.total == len(ACCOUNTS)


DRAFTS = [
    changed(SLOW),
    card(dimensions=OLD.model_dump()["scorecard"]["dimensions"][:1]),
    card(limits=[{"when": {"open_tickets": ">= 1"}, "cap": 30}]),
]


@pytest.mark.parametrize("draft", DRAFTS, ids=["measure", "weights", "limits"])
def test_what_it_says_is_what_happens_when_it_is_switched_on(room, draft):
    told, before = judged(room, draft), held(room)
    assert held(room) == before  # asking moves nobody
    restarted(room, draft)
    settled(room)
    room.now += 3_601  # whom nothing changed is looked at within the hour, which moves them a little, too
    settled(room)
    room.now -= 3_601
    after = held(room)
    assert told.accounts == sum(told.bands.values()) == len(ACCOUNTS)
    named = {one.account: one for one in told.most}
    for account in ACCOUNTS:
        if account in named:
            one = named[account]
            assert (one.health, one.band) == (pytest.approx(before[account][0], abs=0.05), before[account][1])
            assert (one.draft, one.draft_band) == (pytest.approx(after[account][0], abs=0.3), after[account][1])
        else:
            assert after[account][0] == pytest.approx(before[account][0], abs=0.6)
    assert told.moved == len(named) > 0
    sizes = [abs(one.draft - one.health) for one in told.most]
    assert sizes == sorted(sizes, reverse=True)


def test_it_says_because_of_what(room):
    told = judged(room, card(limits=[{"when": {"open_tickets": ">= 1"}, "cap": 30}]))
    assert {one.because[0] for one in told.most} == {"cap"}
    assert all(one.because[1] == pytest.approx(one.draft - one.health) for one in told.most)
    assert told.bands == {(before, "at_risk"): many for (before, _), many in told.bands.items()}


def test_it_says_how_far_it_is(room):
    seen = []
    judged(room, changed(SLOW), told=lambda done, of: seen.append((done, of)))
    assert seen == [(len(ACCOUNTS), len(ACCOUNTS))]


def test_the_same_moves_nobody_and_folds_nothing(room):
    told = judged(room, OLD)
    assert (told.moved, told.most) == (0, [])
    assert all(before == after for before, after in told.bands)
    assert refolded(OLD, OLD) == differences(OLD, OLD) == []


def test_differences_are_words():
    body = OLD.model_dump()
    weights = body["scorecard"]["dimensions"]
    weights[0]["weight"] = 5
    weights[0]["measures"][0]["low"] = 0.5
    del weights[1]["measures"][1]
    body["measures"][0]["half_life"] = "3d"
    body["measures"] = [*body["measures"], SLOW]
    body["scorecard"]["limits"] = [{"when": {"mrr": "> 5"}, "floor": 20}]
    body["scorecard"]["outcome"]["horizon"] = "90d"
    assert differences(OLD, Config.model_validate(body)) == [
        "measure usage_7d, half_life: 7d -> 3d",
        "scorecard, dimensions, adoption, weight: 4 -> 5",
        "scorecard, dimensions, adoption, measures, usage_trend, low: 0.4 -> 0.5",
        "scorecard, dimensions, support, measures, open_tickets: gone",
        "scorecard, outcome, horizon: 60d -> 90d",
        "measure slow_exports: new",
        "scorecard, limits, when mrr > 5, floor 20: new",
    ]
    assert refolded(OLD, Config.model_validate(body)) == ["usage_7d", "slow_exports", "outcome"]


def test_whoever_asks_for_few_gets_those_who_move_most(room):
    every, few = judged(room, changed(SLOW)), judged(room, changed(SLOW), most=2)
    assert few.most == every.most[:2]
    assert few.moved == every.moved > 2
    assert list(itertools.chain(few.bands)) == list(every.bands)


def test_another_meaning_of_losing_a_customer_is_said_in_words():
    ours = load()
    ways = [{"cancelled": "subscription.cancelled"}, {"contraction": "mrr", "by": "20%"}]
    outcome = Outcome.model_validate({"horizon": "60d", "every": "7d", "any": ways})
    other = ours.model_copy(update={"scorecard": ours.scorecard.model_copy(update={"outcome": outcome})})
    assert "scorecard, outcome, any: new, subscription.cancelled, mrr down by more than 20 %" in differences(
        ours, other
    )
    assert "outcome" in refolded(ours, other)
