"""Which of the actions that apply: a contextual bandit that keeps to the order until evidence says otherwise.

For each action a Bayesian linear regression (River's) tells from the context how often a customer is better
afterwards, and how sure that is: LinUCB (Li et al. 2010, "A Contextual-Bandit Approach to Personalized News Article
Recommendation"), but cautious: another action than the first that applies is preferred only where the lower bound of
what it is good for lies above the upper bound of the first (as conservative bandits do; Wu et al. 2016), and enough
came of it. Beside that, a small, fixed share of proposals is spread evenly over all that apply, so that each has a
chance that is known and not too small, and what is in the log can be judged (`hub.success.next.evaluating`).
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from river.bandit.base import ContextualPolicy
from river.linear_model import BayesianLinearRegression

from hub.success.next.declared import Actions

_BELIEF: Final = 0.25  # variance of each weight before anything is known: of a chance that may be anything
_NOISE: Final = 4.0  # 1 / variance of what comes, which is 0 or 1
_MIDDLE: Final = 0.5  # what an action is good for before anything is known
_SURE: Final = 1.64  # standard deviations: nineteen of twenty lie above the lower bound
_MOST_WEIGHT: Final = 10.0
"""A rare proposal teaches as much as so many at most: else one outcome would speak for everybody."""

Context = Mapping[str, float]


class Good(NamedTuple):
    """What an action is good for in a context: chance that a customer is better afterwards, less its cost."""

    mean: float
    low: float
    high: float
    outcomes: int


class Choice(NamedTuple):
    """What is proposed.

    Attributes:
        action: its name.
        chances: of all that apply, how likely each was to be chosen; they sum to 1.
        preferred: the one that is chosen but for trying.
        first: the one that the order would have.
        good: what each is good for.
    """

    action: str
    chances: dict[str, float]
    preferred: str
    first: str
    good: dict[str, Good]


class Cautious(ContextualPolicy):  # type: ignore[misc]  # River is untyped here
    """A policy as River knows them: `pull`, `update`.

    Args:
        actions: in the operator's order.
        seed: of the draws of `pull`; `choose` is given its own.
    """

    def __init__(self, actions: Actions, seed: int | None = None) -> None:
        super().__init__(reward_obj=None, burn_in=0)
        self.actions = actions
        self.seed = seed
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self._known: dict[str, BayesianLinearRegression] = {}
        self._outcomes: dict[str, int] = {}

    def update(self, arm_id: str, context: Context, *reward_args: Any, **_: Any) -> None:
        """Learn what came of an action that was taken: `reward` 0 or 1, and how much that counts."""
        reward, weight = float(reward_args[0]), float(reward_args[1]) if len(reward_args) > 1 else 1.0
        clean = _clean(context)
        if clean is None or not 0.0 <= reward <= 1.0 or not weight > 0.0:
            return
        known = self._known.setdefault(arm_id, BayesianLinearRegression(alpha=_BELIEF, beta=_NOISE))
        root = math.sqrt(
            min(weight, _MOST_WEIGHT)
        )  # least squares with a weight are those of both sides times its root
        known.learn_one({name: root * value for name, value in clean.items()}, root * (reward - _MIDDLE))
        self._outcomes[arm_id] = self._outcomes.get(arm_id, 0) + 1

    def good(self, name: str, context: Context) -> Good:
        """What an action is good for."""
        action = self.actions.named(name)
        cost = action.cost if action else 0.0
        known, clean = self._known.get(name), _clean(context) or {}
        if known is None:
            spread = math.sqrt(_BELIEF * sum(value * value for value in clean.values()))
            middle = _MIDDLE
        else:
            said = known.predict_one(clean, with_dist=True)
            middle = _MIDDLE + float(said.mu)
            spread = math.sqrt(max(float(said.sigma) ** 2 - 1.0 / _NOISE, 0.0))  # of what comes on average
        bounds = (middle - cost, middle - _SURE * spread - cost, middle + _SURE * spread - cost)
        return Good(*bounds, self._outcomes.get(name, 0))

    def choose(self, names: Sequence[str], context: Context, seed: str) -> Choice:
        """One of those that apply, at least one, in the operator's order; the same for the same seed."""
        good = {name: self.good(name, context) for name in names}
        preferred = first = names[0]
        enough = self.actions.outcomes
        for name in names[1:]:
            one, held = good[name], good[preferred]
            if one.outcomes >= enough and one.low > good[first].high and one.mean > held.mean:
                preferred = name
        share = self.actions.explore / len(names)
        chances = dict.fromkeys(names, share)
        chances[preferred] += 1.0 - self.actions.explore
        drawn = _draw(seed)
        for name in names:
            drawn -= chances[name]
            if drawn < 0.0:
                break
        return Choice(name, chances, preferred, first, good)

    def _pull(self, arm_ids: Sequence[str], context: Context | None = None) -> str:
        """As River asks: by draws of its own."""
        return self.choose(list(arm_ids), context or {}, str(self._random.random())).action


def _clean(context: Context) -> dict[str, float] | None:
    """A context that can be learned from: bounded; None where something in it is no number."""
    if not all(math.isfinite(value) for value in context.values()):
        return None
    return {name: min(max(value, -1.0), 1.0) for name, value in context.items()}


def _draw(seed: str) -> float:
    """A number in [0, 1) that a seed always gives."""
    return int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=7).digest(), "big") / 2.0**56
