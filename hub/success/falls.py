"""When people are told that a customer fell, and when not: once per fall, and nobody is flooded.

What decides is the difference between what people were last told and what is so, not the change of band alone. A
fall that comes again within the quiet period is *held*, not forgotten: it is told when the period ends, if it still
holds, so that the last word people heard is never wrong for longer than that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from hub.sdk.health import Health

DAY: Final = 86_400.0

Kind = Literal["band_fell", "band_recovered"]


@dataclass(frozen=True, slots=True)
class Told:
    """What people know about one account.

    Attributes:
        at: unix seconds of the last fall they were told of, None before any.
        health: what it had fallen to then.
        open: whether they believe it is at risk.
        held_since: when it fell again within the quiet period, None if it did not or was told.
    """

    at: float | None = None
    health: float | None = None
    open: bool = False
    held_since: float | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """How loud to be.

    Attributes:
        quiet: seconds after a told fall in which another fall of the same account is held.
        worse: points below the last told fall at which another is told all the same.
        fresh: seconds after which health is history (an import, a replay, a long halt): recorded, never told.
    """

    quiet: float = 7 * DAY
    worse: float = 10.0
    fresh: float = 2 * DAY


class Verdict(NamedTuple):
    """What to tell (None: nothing), since when it holds, and what people know afterwards."""

    kind: Kind | None
    since: float
    told: Told


def decide(health: Health, told: Told, now: float, rules: Rules) -> Verdict:
    """Judge one health against what people know.

    An account seen for the first time counts as fallen when it is at risk and something speaks for that (it has
    drivers): one of whom nothing is known yet alarms nobody.

    Args:
        health: the newest of its account.
        told: what people know.
        now: unix seconds.
        rules: how loud to be.
    """
    if health.band == "left":  # too late to be told of; whoever comes back is judged anew
        return Verdict(None, health.at, replace(told, open=False, held_since=None))
    news = now - health.at <= rules.fresh
    if health.band != "at_risk":
        kind: Kind | None = "band_recovered" if told.open and news else None
        return Verdict(kind, health.at, replace(told, open=False, held_since=None))
    if told.open:
        return Verdict(None, health.at, told)
    fell = health.was_band != "at_risk" and (health.was_band is not None or bool(health.drivers))
    if not news or not (fell or told.held_since is not None):
        return Verdict(None, health.at, told)
    since = health.at if told.held_since is None else told.held_since
    if _loud(health, told, rules):
        return Verdict("band_fell", since, Told(at=health.at, health=health.health, open=True))
    return Verdict(None, since, replace(told, held_since=since))


def _loud(health: Health, told: Told, rules: Rules) -> bool:
    if told.at is None or told.health is None:
        return True
    return health.at - told.at >= rules.quiet or health.health <= told.health - rules.worse
