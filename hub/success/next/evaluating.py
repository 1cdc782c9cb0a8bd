"""Is it any good? What would have come of other ways to choose, from proposals whose chances were written down.

Of a way to choose that would have proposed `pi(x)`, where `a` was proposed with chance `p` and `r` came of it:

    IPS    mean of  1[pi(x) = a] r / p                                     (unbiased; Horvitz and Thompson 1952)
    SNIPS  sum of  1[pi(x) = a] r / p  over  sum of  1[pi(x) = a] / p      (Swaminathan and Joachims 2015)
    DR     mean of  q(x, pi(x)) + 1[pi(x) = a] (r - q(x, a)) / p           (Dudik, Langford and Li 2011)

with `q` what was believed of the action before its outcome was known. What counts is what came of the *proposal*,
whether it was followed or not: people follow the proposals that they would have thought of, and to count only those
would praise them.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from hub.success.next.declared import Actions
from hub.success.next.policy import Cautious
from hub.success.next.record import Proposal
from scoring.arrays import Floats

FEWEST: Final = 30
"""Outcomes, below which nothing is said."""
_DRAWS: Final = 1_000
_INTERVAL: Final = (2.5, 97.5)


class Estimate(msgspec.Struct, frozen=True):
    """A share of customers that were better, with an interval of 95 % (whole customers are drawn)."""

    value: float
    low: float
    high: float


class Way(msgspec.Struct, frozen=True):
    """What would have come of one way to choose.

    Attributes:
        ips, snips, dr: None: not enough outcomes.
        agreed: share of proposals that it would have made, too.
    """

    ips: Estimate | None
    snips: Estimate | None
    dr: Estimate | None
    agreed: float | None


class Judged(msgspec.Struct, frozen=True):
    """What came of the proposals so far, and what would have come of others.

    Attributes:
        outcomes: proposals whose outcome is known.
        waiting: that wait for theirs.
        followed: share of the known that were followed.
        better: share of customers that were better afterwards.
        needed: outcomes that it still takes before anything is said.
        ways: `order`, the operator's; `learned`, as it would have chosen each time by what was known then.
        actions: outcomes that taught each action.
    """

    outcomes: int
    waiting: int
    followed: float | None
    better: Estimate | None
    needed: int
    ways: dict[str, Way]
    actions: dict[str, int]


def judge(found: Sequence[Proposal], actions: Actions) -> Judged:
    """Judge all proposals of these actions. Nothing that was learned from an outcome speaks of an earlier proposal."""
    known = sorted((one for one in found if one.reward is not None), key=lambda one: (one.at, one.account))
    enough = len(known) >= FEWEST
    policy, chosen, believed = replay(known, actions)
    names = {name: number for name in (a.name for a in actions.actions) if (number := policy.good(name, {}).outcomes)}
    rewards = np.array([one.reward for one in known], float)
    taken = [one.taken == one.action for one in known]
    ways = {}
    for way, picks in (("order", [next(iter(one.chances)) for one in known]), ("learned", chosen)):
        same = np.array([pick == one.action for pick, one in zip(picks, known, strict=True)], float)
        weight = same / np.array([one.propensity for one in known], float)
        direct = np.array([said[pick] for said, pick in zip(believed, picks, strict=True)], float)
        own = np.array([said[one.action] for said, one in zip(believed, known, strict=True)], float)
        terms = {"ips": weight * rewards, "dr": direct + weight * (rewards - own)}
        ways[way] = Way(
            _mean(known, terms["ips"]) if enough else None,
            _ratio(known, terms["ips"], weight) if enough and weight.any() else None,
            _mean(known, terms["dr"]) if enough else None,
            float(same.mean()) if known else None,
        )
    return Judged(
        outcomes=len(known),
        waiting=len(found) - len(known),
        followed=sum(taken) / len(taken) if taken else None,
        better=_mean(known, rewards) if enough else None,
        needed=max(0, FEWEST - len(known)),
        ways=ways,
        actions=names,
    )


def replay(known: Sequence[Proposal], actions: Actions) -> tuple[Cautious, list[str], list[dict[str, float]]]:
    """Learn from outcomes as they came due.

    Returns:
        The policy after all of them; and for each proposal what it would have preferred, and what it believed of every
        action that applied, by the outcomes that were known when the proposal was made.
    """
    policy = Cautious(actions)
    waiting: list[tuple[float, int]] = []
    chosen, believed = [], []
    for place, one in enumerate(known):
        while waiting and waiting[0][0] <= one.at:
            learn(policy, known[heapq.heappop(waiting)[1]])
        choice = policy.choose(list(one.chances), one.context, "")
        chosen.append(choice.preferred)
        believed.append({name: min(max(policy.good(name, one.context).mean, 0.0), 1.0) for name in one.chances})
        heapq.heappush(waiting, (one.due, place))
    while waiting:
        learn(policy, known[heapq.heappop(waiting)[1]])
    return policy, chosen, believed


def folded(known: Sequence[Proposal], actions: Actions) -> Cautious:
    """A policy that has learned from all of these outcomes, in the order in which they came due."""
    policy = Cautious(actions)
    for one in sorted(known, key=lambda one: (one.due, one.account)):
        learn(policy, one)
    return policy


def learn(policy: Cautious, one: Proposal) -> None:
    """What was proposed and done teaches what came of it, weighed by how rarely it is proposed there."""
    if one.taken == one.action and one.reward is not None:
        policy.update(one.action, one.context, one.reward, 1.0 / one.propensity)


def _mean(known: Sequence[Proposal], terms: Floats) -> Estimate:
    return _ratio(known, terms, np.ones(len(terms)))


def _ratio(known: Sequence[Proposal], above: Floats, below: Floats) -> Estimate:
    accounts = sorted({one.account for one in known})
    place = {account: n for n, account in enumerate(accounts)}
    whose = np.array([place[one.account] for one in known])
    tops, bottoms = (np.bincount(whose, column, len(accounts)) for column in (above, below))
    random = np.random.default_rng(0)
    drawn = random.multinomial(len(accounts), np.full(len(accounts), 1.0 / len(accounts)), _DRAWS)
    sums = drawn @ bottoms
    shares = (drawn @ tops)[sums > 0.0] / sums[sums > 0.0]
    low, high = np.percentile(shares, _INTERVAL) if shares.size else (np.nan, np.nan)
    return Estimate(float(above.sum() / below.sum()), float(low), float(high))
