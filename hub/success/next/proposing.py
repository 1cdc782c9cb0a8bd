"""What to do next about one customer: which actions apply, which is chosen, and why, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from sqlalchemy import Connection

from hub.sdk.errors import HubError
from hub.store.database import Database
from hub.success.next import record
from hub.success.next.declared import Action, Actions
from hub.success.next.record import Proposal
from scoring.conditions import condition
from scoring.config import Config
from scoring.explaining.explain import Explanation, explain
from scoring.scorers import Scorers

if TYPE_CHECKING:
    from hub.success.next.policy import Cautious, Choice

_STALE: Final = 7 * 86_400.0  # seconds after which a score is of another time
_POINTS: Final = 20.0  # of health, that are much
_NAMED: Final = 0.5  # points below which a driver is no reason


class HeldError(HubError):
    """There is nothing to propose, and the message says why."""


class Next:
    """Proposes, remembers and learns.

    Args:
        actions: what can be done.
        config: measures and scorecard.
        scorers: of `config`; decoded once where many are asked for.
    """

    def __init__(self, actions: Actions, config: Config, scorers: Scorers | None = None) -> None:
        self.actions = actions
        self._config = config
        self._scorers = Scorers(config) if scorers is None else scorers
        self._learned: tuple[object, Cautious] | None = None

    def open(self, connection: Connection, account: str, now: float) -> Proposal | None:
        """The proposal that stands, if there is one."""
        newest = next(iter(record.of(connection, account, 1)), None)
        return newest if newest is not None and newest.at <= now < newest.at + self.actions.again else None

    def propose(self, database: Database, account: str, *, now: float, wall: float) -> Proposal:
        """The proposal that stands, or a new one, written down with its chance.

        Args:
            database: the truth.
            account: ours.
            now: unix seconds, of customers' time.
            wall: unix seconds, by which sources are silent.

        Raises:
            HeldError: there is nothing to propose; the message says why.
        """
        database.write(lambda connection: record.settle(connection, now)).result()
        with database.read() as connection:
            if (standing := self.open(connection, account, now)) is not None:
                return standing
            why = explain(connection, account, self._config, self._scorers, wall)
            made = self._made(connection, account, why, now)
        return database.write(lambda connection: record.keep(connection, made)).result()

    def took(self, database: Database, account: str, action: str, *, now: float) -> Proposal:
        """Write down what was done about a customer: it is what is learned from.

        Raises:
            HeldError: there is no such action, or nothing stands to which this could be the answer.
        """
        if self.actions.named(action) is None and action != "none":
            names = ", ".join([one.name for one in self.actions.actions] + ["none"])
            raise HeldError(f"there is no action {action}; there are {names}")
        with database.read() as connection:
            newest = next(iter(record.of(connection, account, 1)), None)
        if newest is None or now >= newest.due:
            raise HeldError("nothing was proposed that this could be the answer to: ask for a proposal first")
        return database.write(lambda connection: record.tell(connection, newest, action, now)).result()

    def _made(self, connection: Connection, account: str, why: Explanation | None, now: float) -> Proposal:
        if why is None or why.band is None:
            raise HeldError("it has no health yet: nothing is proposed of what nobody knows")
        _hold(why, now)
        past = record.of(connection, account)
        fit = [one for one in self.actions.actions if applies(one, why) and not _cools(one, past, now)]
        if not fit:
            raise HeldError("no action applies now, or each that does was proposed lately")
        context = context_of(why)
        seed = f"{account}:{int(now // self.actions.again)}:{self.actions.version}:{len(past)}"
        choice = self._policy(connection).choose([one.name for one in fit], context, seed)
        action = next(one for one in fit if one.name == choice.action)
        return Proposal(
            account=account,
            at=now,
            due=now + self.actions.horizon,
            action=action.name,
            label=action.label,
            reason=_reason(action, why, choice, self.actions),
            propensity=choice.chances[action.name],
            chances=choice.chances,
            context=context,
            health=why.health,
            risk=why.risk,
            rise=self.actions.rise,
            config_version=why.config_version,
            model_version=why.model_version,
            actions_version=self.actions.version,
        )

    def _policy(self, connection: Connection) -> Cautious:
        """What was learned from all outcomes; folded anew when there are others."""
        from hub.success.next.evaluating import folded  # noqa: PLC0415 - River: only who proposes waits for it

        state = record.state(connection)
        if self._learned is None or self._learned[0] != state:
            known = [one for one in record.every(connection) if one.reward is not None]
            self._learned = state, folded(known, self.actions)
        return self._learned[1]


def applies(action: Action, why: Explanation) -> bool:
    """Whether an action is one to think of for a customer who is like this."""
    if action.bands and why.band not in action.bands:
        return False
    if action.weighs and sum(d.points for d in why.drivers if d.dimension == action.weighs) >= 0.0:
        return False
    values = {one.name: np.nan if one.value is None else one.value for one in why.measures}
    return all(bool(condition(test)(np.array([values.get(name, np.nan)]))[0]) for name, test in action.when.items())


def context_of(why: Explanation) -> dict[str, float]:
    """What a choice goes by: health, risk, and how many points each dimension gives or takes; all within -1 and 1."""
    found = {"always": 1.0, "health": why.health / 50.0 - 1.0, "risk": 2.0 * why.risk - 1.0}
    for dimension in sorted({one.dimension for one in why.measures}):
        points = sum(d.points for d in why.drivers if d.dimension == dimension)
        found[f"points of {dimension}"] = min(max(points / _POINTS, -1.0), 1.0)
    return found


def _hold(why: Explanation, now: float) -> None:
    """Nothing is proposed of a score that cannot be trusted, nor of who left.

    Raises:
        HeldError: it is so.
    """
    if why.band == "left":
        raise HeldError("it is a customer no more")
    if silent := [one.name for one in why.sources if one.silent]:
        raise HeldError(
            f"nothing is heard from {', '.join(silent)}: its score may be stale, so proposals wait as alerts do"
        )
    if now - why.as_of > _STALE:
        raise HeldError("its score is older than a week: proposals wait until it is scored again")


def _cools(action: Action, past: Sequence[Proposal], now: float) -> bool:
    """Whether it was done, or proposed, within its cooldown."""
    lately = [one for one in past if now - (one.taken_at or one.at) < action.cooldown]
    return any(action.name in (one.action, one.taken) for one in lately)


def _reason(action: Action, why: Explanation, choice: Choice, actions: Actions) -> str:
    """Why this one, in words."""
    taking = sorted((d for d in why.drivers if d.points < -_NAMED), key=lambda d: d.points)
    named = [d for d in taking if d.dimension == action.weighs or d.name in action.when] or taking
    because = f"because: {named[0].text}" if named else f"because its health is {why.health:.0f}"
    chance = f"chosen with {choice.chances[choice.action]:.0%}"
    first, good = choice.good[choice.first], choice.good[choice.action]
    known = f"{good.outcomes} of {actions.outcomes} outcomes known"
    if choice.action != choice.preferred:
        return f"{because}; {chance}, to learn what it is good for ({known})"
    if choice.preferred != choice.first:
        return (
            f"{because}; {chance}: in such cases {good.mean:.0%} were better after it, at least {good.low:.0%}, after "
            f"the first of your order at most {first.high:.0%}"
        )
    cautious = "" if good.outcomes >= actions.outcomes else f"; cautious: {known}, until then your order decides"
    return f"{because}; {chance}: it is the first of your order that applies{cautious}"
