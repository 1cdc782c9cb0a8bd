"""The archive replayed with what is in use and with a draft; the command line and the page both ask here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, func, select

from hub.registry import Registry
from hub.sdk.errors import ConfigError
from hub.sdk.events import Event
from hub.sealing import Seal
from hub.store import schema
from hub.success.past import PastFalls
from scoring.archive import forgotten
from scoring.config import Config
from scoring.experts.seating import seated
from scoring.measures import MeasureSet
from scoring.merges import Merges
from scoring.outcome import MOST_PENDING
from scoring.proof.backtest import Backtest, Replay, backtest
from scoring.proof.prequential import moments
from scoring.proof.story import Story, Told

MOST_TICKS: Final = 5_000
READING: Final = "reading"
STEPS: Final = (READING, "in use", "draft")
"""What is told of while it goes on."""
_CHUNK: Final = 5_000
_NEVER, _ALWAYS = float("-inf"), float("inf")
_decode: Final = msgspec.json.Decoder(Event).decode
Progress = Callable[[str, int, int], None]
"""Told which of `STEPS` has done how much, of how much."""


class Asked(NamedTuple):
    """What of the past, and how closely.

    Attributes:
        every: seconds between two looks.
        since: unix seconds of the first look.
        until: nothing that happened later is read.
        most: how many accounts and alerts to name.
        draws: of the bootstrap, for the intervals.
        called: what `every`, `since` and `until` are called where they were asked, for complaints.
    """

    every: float
    since: float = _NEVER
    until: float = _ALWAYS
    most: int = 10
    draws: int = 50
    called: tuple[str, str, str] = ("--tick", "--since", "--until")


class Archive(NamedTuple):
    """What there is to be read.

    Attributes:
        begins: unix seconds of its first event.
        events: how many are read.
        forgotten: how many it has let go of.
    """

    begins: float
    events: int
    forgotten: int


def refuse_many(horizon: float, every: float, called: str) -> None:
    """Refuse looks so frequent that too many would wait for one horizon."""
    if horizon > MOST_PENDING * every:
        raise ConfigError(f"{called} looks more than {MOST_PENDING} times within the horizon: make it longer")


def replayed(
    connection: Connection, old: Config, new: Config, asked: Asked, told: Progress
) -> tuple[Backtest, Archive]:
    """Replay it.

    Raises:
        ConfigError: the archive does not reach as far as is asked, or one would look too often or never.
    """
    sides = [_looked_at(one, asked.every) for one in (old, new)]
    tick, *_ = asked.called
    for one in sides:
        refuse_many(one.scorecard.outcome.horizon, asked.every, tick)
    archive = _reach(connection, asked)
    stories = _told(connection, sides, archive.events, asked.until, told)
    if (stories[0].time[-1] - stories[0].time[0]) / asked.every > MOST_TICKS:
        raise ConfigError(f"{tick} would look at everybody more than {MOST_TICKS:,} times: make it longer")
    if not [at for at in moments(stories[0], asked.every) if at >= asked.since]:
        raise ConfigError(f"with {tick} nobody is looked at in that time: make it shorter")
    panel = seated(Registry(), Seal.once())  # their models begin with nothing, too
    found = backtest(
        Replay(sides[0], old.version, stories[0], panel),
        Replay(sides[1], new.version, stories[1], panel),
        PastFalls,
        since=asked.since,
        most=asked.most,
        draws=asked.draws,
        on_tick=told,
    )
    return found, archive


def _reach(connection: Connection, asked: Asked) -> Archive:
    """Make sure that the archive reaches as far as is asked.

    Raises:
        ConfigError: it does not.
    """
    table, (_, since, until) = schema.archive.c, asked.called
    counted = select(func.count(), func.min(table.occurred_at)).where(table.occurred_at <= asked.until)
    events, begins = connection.execute(counted).one()
    if not events:
        until_then = "" if asked.until == _ALWAYS else f" until {_when(asked.until)}"
        raise ConfigError(f"the archive holds no event{until_then}: there is no past to replay")
    gone = forgotten(connection)
    if gone and _NEVER < asked.since < begins:
        raise ConfigError(
            f"the archive begins {_when(begins)}; {gone:,} events before were let go of (PULSEHUB_ARCHIVE_DAYS):"
            f" ask {since} {datetime.fromtimestamp(begins, UTC):%Y-%m-%d} or later"
        )
    if asked.since > asked.until:
        raise ConfigError(f"{since} {_when(asked.since)} is after {until} {_when(asked.until)}")
    return Archive(begins, events, gone)


def _told(connection: Connection, sides: list[Config], many: int, until: float, told: Progress) -> list[Told]:
    """The archive as each configuration counts it: a chunk at a time becomes columns, and its events are let go."""
    counted = [MeasureSet(one) for one in sides]
    alike = sides[0].measures == sides[1].measures and _kept(sides[0]) == _kept(sides[1])
    stories = [Story(one) for one in counted[: 1 if alike else 2]]
    merges = Merges()
    merges.read(connection)
    table = schema.archive.c
    asked = (
        select(table.account, table.body)
        .where(table.occurred_at <= until)
        .order_by(table.row)  # as they were applied: the story sorts by time, and keeps that order within a moment
        .execution_options(yield_per=_CHUNK)
    )
    done = 0
    for some in connection.execute(asked).partitions():
        events = [_decode(row.body) for row in some]
        whose = [_now(row.account, merges.survivors) for row in some]
        for story in stories:
            story.tell(events, whose)
        done += len(events)
        told(READING, done, many)
    found = [story.end() for story in stories]
    return found * (2 // len(found))


def _kept(config: Config) -> object:
    """What of a scorecard says how events are counted."""
    outcome = config.scorecard.outcome
    return outcome.ways, outcome.back, outcome.horizon, config.scorecard.cards


def _now(account: str, survivors: dict[str, str]) -> str:
    """Whose an account's events are now."""
    met = {account}
    while (into := survivors.get(account)) is not None and into not in met:
        met.add(into)
        account = into
    return account


def _looked_at(config: Config, every: float) -> Config:
    outcome = config.scorecard.outcome.model_copy(update={"every": every})
    return config.model_copy(update={"scorecard": config.scorecard.model_copy(update={"outcome": outcome})})


def _when(at: Any) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"
