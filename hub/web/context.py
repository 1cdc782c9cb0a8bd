"""What the web face is handed: the composition root fills it in, nothing here knows the rooms."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Connection

from hub.sdk.events import Event
from hub.sdk.health import Band
from hub.settings import Settings
from hub.store.database import Database
from hub.store.expendable.hot import Hot
from hub.store.heartbeats import Process
from hub.store.live import Live
from hub.store.questions.tree import Rollup
from hub.success.next.proposing import Next
from scoring.config import Config
from scoring.experts.guests import Panel
from scoring.explaining.answers import Answers
from scoring.growth import Outlook
from scoring.overrides import Override
from scoring.sources import Told
from scoring.ways import Left


class Driver(Protocol):
    """A signed share of a health value; `hub.Driver` is one."""

    @property
    def name(self) -> str:
        """The measure's or expert's name."""

    @property
    def text(self) -> str:
        """The same in words, with its number."""

    @property
    def points(self) -> float:
        """Health points it adds to the base, or takes."""

    @property
    def dimension(self) -> str:
        """adoption, support, billing, ..."""


class Measure(Protocol):
    """A number kept of an account."""

    @property
    def name(self) -> str:
        """As declared."""

    @property
    def label(self) -> str:
        """In words; `{n}` stands for the number."""

    @property
    def value(self) -> float | None:
        """None: not known."""

    @property
    def unit(self) -> str:
        """What the value counts; may be empty."""

    @property
    def dimension(self) -> str:
        """adoption, support, billing, ..."""

    @property
    def as_of(self) -> float | None:
        """Unix seconds of the newest event it has seen; None: none yet."""


class Explanation(Protocol):
    """One account's health and everything it is made of: base + all drivers' points = health."""

    @property
    def health(self) -> float:
        """0 to 100."""

    @property
    def band(self) -> Band | None:
        """With hysteresis; None before the first scoring."""

    @property
    def risk(self) -> float:
        """Probability of losing the customer within the horizon."""

    @property
    def base(self) -> float:
        """The health of a customer of whom nothing is known."""

    @property
    def drivers(self) -> Sequence[Driver]:
        """Strongest first."""

    @property
    def measures(self) -> Sequence[Measure]:
        """In the order of their declaration."""

    @property
    def as_of(self) -> float:
        """Unix seconds."""

    @property
    def config_version(self) -> str:
        """Of measures and scorecard."""

    @property
    def model_version(self) -> int:
        """0 before any model has learned."""

    @property
    def card(self) -> str:
        """Of its segment, by which it is weighed; empty: the scorecard itself."""

    @property
    def outlook(self) -> Outlook | None:
        """How likely it pays more; None: nobody asks, or it is a customer no more."""

    @property
    def left(self) -> Left | None:
        """How it was lost, and when; None while it is a customer."""

    @property
    def confidence(self) -> float:
        """The share of its card that rests on measures of which something was heard and is known, 0 to 1."""

    @property
    def sources(self) -> Sequence[Told]:
        """Who told of it, the newest first, and whether they are silent."""

    @property
    def rollup(self) -> Rollup | None:
        """It and all its parts as one; None: it has none."""

    @property
    def computed(self) -> float:
        """What health would be had nobody set it by hand."""

    @property
    def override(self) -> Override | None:
        """The person's word that holds; None: nobody's does."""


class Deliveries(Protocol):
    """What a person may do about deliveries; called in a worker thread, may wait for the database."""

    def pause(self, sink: str, reason: str) -> None:
        """Stop pushing to a destination; what it should show is kept and goes on changing."""

    def resume(self, sink: str) -> None:
        """Go on, closing the breaker."""

    def replay(self, sink: str) -> int:
        """Make everything that destination rejected due again; how many that were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """A configured source, as the door counts it.

    Attributes:
        name: the connection's name.
        vendor: its plugin.
        path: where it is to be sent to.
        accepted, duplicates, dead_lettered: since the program started.
    """

    name: str
    vendor: str
    path: str
    accepted: int = 0
    duplicates: int = 0
    dead_lettered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """An installed plugin: `reason` says why, where `state` is `failed`."""

    name: str
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """A room that stands still, why, and since when; in which process, where there are several."""

    room: str
    reason: str
    since: float
    where: str = ""


def _none() -> tuple[()]:
    return ()


def _nothing() -> Mapping[str, int]:
    return {}


def _no_rates() -> Mapping[str, float]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything pages and API read, and the few things they may do.

    Attributes:
        settings: the installation's.
        database: the truth.
        live: what just happened.
        config: what is measured and how it is weighed, in use; None where nobody here can tell.
        measures: those of `config` that plugins bring.
        panel: experts of plugins.
        hot: answers that may be two seconds old; shared by all processes that show pages, where there is a Redis.
        explain: why an account's health is what it is; None if it was never scored.
        answers: what moved it, what would bring it to green, what if; None where nobody here can tell.
        next: proposes what to do; None likewise.
        lag: records each room has not yet taken, by the room's name (`scoring.rescore`). It, `counters`, `rates` and
            `behind` raise LogError where the log does not answer.
        counters: the books: `received`, `applied`, `duplicates`, `dead_lettered`, `pending`, `forwarded`.
        rates: records a second over the last minute, by topic (`events`, `health`, `actions`).
        sources: the configured sources.
        sinks: names of the configured destinations.
        plugins: the installed plugins.
        processes: the processes of the installation, also those that went silent within a day.
        me: the id of this one among them.
        partitions: how many each topic has; every room's are to be held by somebody.
        halted: rooms that stand still.
        ready: why the program cannot work now, beside what `dying` and the database say; empty if it can.
        dying: why only a restart helps; empty while it lives.
        behind: seconds that the oldest record a room has not taken has waited, by the room's name.
        deliveries: pause, resume, replay; None where another process owns them.
        replay_dead_letters: sends dead letters through again, by id, and says how many; None likewise.
        tell: puts an event of the hub's own on the log, and returns once it is there; None where there is no door.
        now: unix seconds, the wall's; with `settings.clock = "event"` customers live at the newest event instead.
        door_paths: beginnings of paths that guard themselves (signatures, not tokens).
        version: of the program.
    """

    settings: Settings
    database: Database
    live: Live
    explain: Callable[[Connection, str], Explanation | None]
    answers: Answers | None = None
    next: Next | None = None
    config: Config | None = None
    measures: Sequence[Mapping[str, Any]] = ()
    panel: Panel | None = None
    hot: Hot = field(default_factory=Hot)
    lag: Callable[[], Mapping[str, int]] = _nothing
    counters: Callable[[], Mapping[str, int]] = _nothing
    rates: Callable[[], Mapping[str, float]] = _no_rates
    sources: Callable[[], Sequence[Listening]] = _none
    sinks: Sequence[str] = ()
    plugins: Sequence[Plugin] = ()
    processes: Callable[[], Sequence[Process]] = _none
    me: str = ""
    partitions: int = 0
    halted: Callable[[], Sequence[Halt]] = _none
    ready: Callable[[], Sequence[str]] = _none
    dying: Callable[[], Sequence[str]] = _none
    behind: Callable[[], Mapping[str, float]] = _no_rates
    deliveries: Deliveries | None = None
    replay_dead_letters: Callable[[Sequence[str]], int] | None = None
    tell: Callable[[Event], None] | None = None
    now: Callable[[], float] = field(default=time.time)
    door_paths: tuple[str, ...] = ("/in/", "/v1/")
    version: str = ""
