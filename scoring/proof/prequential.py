"""Predict, wait a whole horizon, judge, learn, and only then predict with what was learned: as it goes in production.

At every tick the labels that have matured by then teach the model, and each customer there is gets a prediction by the
model as it is then. Nothing that came later is known to anyone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

import msgspec
import numpy as np

from scoring.arrays import Codes, Floats, Mask, Singles
from scoring.bands import NO_BAND
from scoring.batch import Integers
from scoring.clock import DAY
from scoring.config import Config
from scoring.experts.guests import Panel
from scoring.features import feature_names
from scoring.growth import GROWS, GROWS_RAW
from scoring.learning import taught
from scoring.lessons import MIX, Lessons
from scoring.model import EXPERTS, HALFWAY, Model, fresh, lineup, missing, segments
from scoring.norms import Norms, compared, grids
from scoring.proof.story import Tick, Told
from scoring.rows import picked
from scoring.scorer import Scorer, Scores

CONTENDERS: Final = (*EXPERTS, MIX, HALFWAY)
"""Whoever predicts in every replay; behind them come the experts that only some installations have."""


class Rival(Protocol):
    """Another way to predict, given the same features and labels at the same moments."""

    @property
    def name(self) -> str:
        """As the comparison calls it."""

    def train(self, features: Floats, lost: Mask) -> None:
        """Learn anew from all labels that have matured: (n, F) and (n,)."""

    def predict(self, features: Floats) -> Floats:
        """(n,) probabilities of losing these customers, (n, F)."""


@dataclass(slots=True)
class Snapshots:
    """Everybody at one tick.

    Attributes:
        at: unix seconds.
        accounts: (n,) places.
        features: (n, F) as the models read them; let go of when they have taught, unless a rival learns of them.
        values: (n, M) measures; likewise.
        said: (n, E) probabilities, columns as in `Played.contenders`.
        lost: (n,) what became of them; only what has matured may be looked at.
        early: (n,) whether they were lost within half the horizon.
        trusted: whether the models were listened to.
        cards: (n,) codes of the cards they were weighed by.
        rivals: by name, (n,) probabilities.
        grown: (n,) 1 where what was paid grew, 0 where not, NaN where nothing could; empty: nobody asks.
    """

    at: float
    accounts: Integers
    features: Singles
    values: Floats
    said: Floats
    lost: Mask
    early: Mask
    trusted: bool
    cards: Codes
    rivals: dict[str, Floats] = field(default_factory=dict)
    grown: Floats = field(default_factory=lambda: np.zeros(0))


@dataclass(slots=True)
class Played:
    """What came of a replay.

    Attributes:
        snapshots: those that matured before the story ends, in order of time.
        contenders: who predicted; first those of `CONTENDERS`.
        model: as it was at the end.
        cpu: processor seconds by who took them: `replay`, `predict`, `learn` and each rival.
        pending: snapshots whose horizon reaches beyond the end.
    """

    snapshots: list[Snapshots]
    contenders: tuple[str, ...]
    model: Model
    cpu: dict[str, float]
    pending: int


def moments(told: Told, every: float) -> list[float]:
    """The ticks of a story: midnights in UTC, `every` seconds apart, from the first event to the last."""
    if not len(told):
        return []
    first = np.ceil(told.time[0] / DAY) * DAY
    found: list[float] = np.arange(first, told.time[-1] + 1.0, every).tolist()
    return found


def play(
    told: Told,
    config: Config,
    rivals: Sequence[Rival] = (),
    on_tick: Callable[[int, int], None] = lambda _done, _all: None,
    on_scores: Callable[[Tick, Mask, Scores], None] = lambda _tick, _here, _scores: None,
    *,
    panel: Panel | None = None,
) -> Played:
    """Replay a story.

    Args:
        told: what happened.
        config: what is measured, and what losing a customer means.
        rivals: who else predicts, trained anew at every tick on all labels known by then.
        on_tick: told how many ticks are done, of how many.
        on_scores: shown everybody at each tick, who of them was not lost already, and the scores of those.
        panel: experts of plugins.
    """
    outcome, names = config.scorecard.outcome, feature_names([m.name for m in config.measures])
    cpu = dict.fromkeys(("replay", "predict", "learn", *(rival.name for rival in rivals)), 0.0)
    clock = _Clock(cpu)
    half = outcome.horizon / 2.0
    model = fresh(config)
    guests, expansion = () if panel is None else panel.names, config.scorecard.expansion
    grows = (GROWS, GROWS_RAW) if expansion else ()
    contenders = (*CONTENDERS, *lineup(config)[len(EXPERTS) :], *guests, *grows)
    columns = _Columns(contenders, names, segments(config.scorecard))
    waiting: list[Snapshots] = []
    halves: list[Snapshots] = []
    done: list[Snapshots] = []
    last = float(told.time[-1]) if len(told) else 0.0
    ticks = moments(told, outcome.every)
    replay = told.ticks(ticks)
    for number, at in enumerate(ticks, 1):
        with clock("replay"):
            tick = next(replay)
            here = ~told.measures.gone(tick.rows, at)
        ripe = [one for one in waiting if one.at + outcome.horizon <= at]
        waiting = waiting[len(ripe) :]
        half_ripe = [one for one in halves if one.at + half <= at]
        halves = halves[len(half_ripe) :]
        with clock("learn"):
            halfway = _lessons(half_ripe, columns, half, early=True)
            model = taught(model, _lessons(ripe, columns, outcome.horizon), config, halfway, panel)
        done += ripe
        if not rivals:  # nobody reads them again, and they are most of what a replay holds
            for one in ripe:
                one.features, one.values = one.features[:0], one.values[:0]
        with clock("predict"):
            accounts, values, rows = tick.accounts[here], tick.values[here], picked(tick.rows, here)
            nothing, nowhere = np.full(len(accounts), np.nan), np.full(len(accounts), NO_BAND, np.int8)
            by_hand, cards = told.measures.set_by_hand(rows, at), told.measures.cards(rows)
            model = _normed(model, config, at, values, cards)
            scores = Scorer(config, model, panel).score(values, nothing, nowhere, by_hand, cards)
        on_scores(tick, here, scores)
        said = np.column_stack([scores.predictions.get(name, nothing) for name in contenders])
        lost = told.lost(accounts, at, outcome)
        early = told.lost(accounts, at, outcome, half)
        new = Snapshots(at, accounts, scores.features, values, said, lost, early, model.trusted, cards)
        if expansion is not None:
            number_of = told.number(expansion.measure)
            new.grown = expansion.grown(number_of.at(accounts, at), number_of.at(accounts, at + outcome.horizon))
        _let_rivals(rivals, done, new, clock)
        waiting.append(new)
        halves.append(new)
        on_tick(number, len(ticks))
    matured = [one for one in waiting if one.at + outcome.horizon <= last]
    pending = sum(len(one.accounts) for one in waiting[len(matured) :])
    return Played(done + matured, contenders, model, cpu, pending)


def _normed(model: Model, config: Config, at: float, values: Floats, cards: Codes) -> Model:
    """With what is usual at this moment, among those who are there; nothing that comes later is known to it."""
    if not compared(config.scorecard):
        return model
    version, many = 1 if model.norms is None else model.norms.version + 1, len(values)
    norms = Norms(version, at, at, config.version, many, many, grids(config, values, cards))
    return msgspec.structs.replace(model, norms=norms)


class _Columns(NamedTuple):
    """What the columns of snapshots are called: predictions, features, and the codes of cards."""

    contenders: tuple[str, ...]
    features: tuple[str, ...]
    cards: tuple[str, ...]


def _lessons(ripe: Sequence[Snapshots], columns: _Columns, horizon: float, *, early: bool = False) -> Iterator[Lessons]:
    contenders, features, cards = columns
    for one in ripe:
        matured, codes = np.full(len(one.lost), one.at + horizon), one.cards if cards else one.cards[:0]
        lost = one.early if early else one.lost
        grown = one.grown[:0] if early else one.grown
        yield Lessons(contenders, one.said, lost, matured, features, one.features, cards, codes, grown)


def _let_rivals(rivals: Sequence[Rival], done: Sequence[Snapshots], new: Snapshots, clock: _Clock) -> None:
    """Once labels suffice for the models, they suffice for everybody."""
    if not rivals or not new.trusted:
        return
    lost = np.concatenate([one.lost for one in done])
    if missing(len(lost), int(lost.sum())).labels:
        return
    features = np.concatenate([one.features for one in done]).astype(np.float64)
    for rival in rivals:
        with clock(rival.name):
            rival.train(features, lost)
            new.rivals[rival.name] = rival.predict(new.features.astype(np.float64))


class _Clock:
    """Whose turn it is, in processor time."""

    def __init__(self, cpu: dict[str, float]) -> None:
        self._cpu, self._whose, self._since = cpu, "", 0.0

    def __call__(self, whose: str) -> _Clock:
        self._whose = whose
        return self

    def __enter__(self) -> None:
        self._since = time.process_time()

    def __exit__(self, *_: object) -> None:
        self._cpu[self._whose] += time.process_time() - self._since
