"""One step's work: what accounts come to on a draft of their rows, and all that will be written of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from sqlalchemy import Connection, func

from hub import Driver, Event, Health
from hub.store import schema
from hub.store.bulk import insert_rows
from hub.store.upserts import insert
from hub.streams.room import Message
from scoring import fates, snapshots
from scoring.accounts import Draft
from scoring.arrays import Codes, Floats
from scoring.bands import BANDS, LEFT, NO_BAND
from scoring.batch import Integers
from scoring.clock import DAY
from scoring.drivers import others
from scoring.entities import Things
from scoring.growth import GROWS
from scoring.ledger import row_of
from scoring.measures import MeasureSet
from scoring.moves import Moments, log_odds, rise, shares
from scoring.outcome import Expansion, Outcome
from scoring.restating import restate
from scoring.rows import lay, picked
from scoring.scorer import Scorer, Scores
from scoring.scorers import Scorers
from scoring.snapshots import Label, Waiting

LEAST: Final = 0.5
"""Points of health below which a change is not worth a row."""
_NAMED: Final = 6
_MOVERS: Final = 4
_SHOWN: Final = 0.05
_NO_CAUSES: Final[Mapping[str, Sequence[str]]] = {}
_ACCOUNT: Final = insert(schema.accounts)
UPSERT: Final = _ACCOUNT.on_conflict_do_update(
    index_elements=[schema.accounts.c.id],
    set_={
        **{c.name: _ACCOUNT.excluded[c.name] for c in schema.accounts.c if c.name not in ("id", "driver")},
        "driver": func.coalesce(_ACCOUNT.excluded.driver, schema.accounts.c.driver),  # said when health moves
    },
)
SNAPSHOT: Final = insert(schema.snapshots).on_conflict_do_nothing()
Flags = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a step goes by.

    Attributes:
        measures: in rows that also keep what scoring needs.
        scorers: by model version.
        version: the newest model version that may be used at a moment.
        outcome: what losing a customer means.
        config_version: of measures and scorecard.
        expansion: what paying more means; None: nobody asks.
    """

    measures: MeasureSet
    scorers: Scorers
    version: Callable[[float], int]
    outcome: Outcome
    config_version: str
    expansion: Expansion | None = None


class _Judged(NamedTuple):
    """Accounts just scored: their places in the draft, moments, rows as they were, values, what people set, scores."""

    scorer: Scorer
    places: Integers
    now: Floats
    rows: Any
    values: Floats
    by_hand: Floats
    cards: Codes
    scores: Scores


@dataclass(slots=True)
class Work:
    """Everything a step decides; nothing of it has happened yet.

    Attributes:
        rules: what it goes by.
        connection: to read through.
        draft: the rows it may change.
        things: the entities it may change.
        changed: places whose rows must be stored.
        healths: messages, in order, still without names.
        parts: what the ledger keeps beside each of them.
        snapshots: taken, with their partition and model version.
        labels: snapshots that have matured.
    """

    rules: Rules
    connection: Connection
    draft: Draft
    things: Things
    changed: set[int] = field(default_factory=set)
    healths: list[Health] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    snapshots: list[tuple[Waiting, int, int]] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    _fresh: list[tuple[Event, str]] = field(default_factory=list)
    _risk: dict[int, float] = field(default_factory=dict)
    _driver: dict[int, str] = field(default_factory=dict)
    _growth: dict[int, float] = field(default_factory=dict)

    def restate(self) -> None:
        """Fold anew what rows lack because it was declared since; before anything else is done to them."""
        places = restate(self.connection, self.draft.ids, self.draft.rows, self.rules.measures)
        self.changed.update(places.tolist())

    def fold(self, events: Sequence[Event], accounts: Sequence[str]) -> Integers:
        """Take events into their accounts' rows; the places of those accounts."""
        self._fresh += zip(events, accounts, strict=True)
        batch = self.rules.measures.batch(events, accounts)
        batch = batch.changed(self.things.change(events, accounts, batch.accounts))
        places = self.draft.at(batch.accounts)
        self.draft.rows[places] = self.rules.measures.fold(self.draft.rows[places], batch)
        self.changed.update(places.tolist())
        return places

    def score(
        self,
        places: Integers,
        now: Floats,
        causes: Mapping[str, Sequence[str]] = _NO_CAUSES,
        *,
        snapshots: bool,
        keep: bool = True,
    ) -> None:
        """Score these places, each at its own moment.

        Args:
            places: in the draft.
            now: (n,) unix seconds.
            causes: account -> ids of the events because of which it is scored.
            snapshots: whether those whose period has turned are also put on record.
            keep: store all of them; else only those that moved or were put on record.
        """
        versions = np.array([self.rules.version(at) for at in now.tolist()], np.int64)
        for version in np.unique(versions).tolist():
            some = versions == version
            self._score(places[some], now[some], causes, version, snapshots=snapshots, keep=keep)

    def _score(
        self,
        places: Integers,
        now: Floats,
        causes: Mapping[str, Sequence[str]],
        version: int,
        *,
        snapshots: bool,
        keep: bool,
    ) -> None:
        rows = self.draft.rows[places]
        scorer = self.rules.scorers.at(self.connection, version) or self.rules.scorers.plain
        version = scorer.version
        values = self.rules.measures.read(rows, now)
        by_hand = self.rules.measures.set_by_hand(rows, now)
        cards = self.rules.measures.cards(rows)
        scores = scorer.score(values, rows["published"], rows["band"], by_hand, cards)
        scores.band[self.rules.measures.gone(rows, now)] = LEFT
        judged = _Judged(scorer, places, now, rows, values, by_hand, cards, scores)
        moved = np.isnan(rows["published"]) | (scores.band != rows["band"])
        moved |= np.abs(scores.health - rows["published"]) >= LEAST
        stale = np.abs(scores.health - rows["health"]) >= _SHOWN
        stale |= (np.floor(rows["scored_at"] / DAY) < np.floor(now / DAY)) | (rows["model"] != version)
        stale |= (rows["override.until"] > rows["scored_at"]) & (rows["override.until"] <= now)
        self._tell(judged, np.flatnonzero(moved), causes)
        rows["health"], rows["scored_at"], rows["model"] = scores.health, now, version
        rows["published"][moved], rows["published_model"][moved] = scores.health[moved], version
        rows["band"][moved] = scores.band[moved]
        self._points(rows)[moved] = scores.points[moved]
        taken = self._record(judged, wanted=snapshots)
        self.draft.rows[places] = rows
        self.changed.update(places[moved | taken | stale | keep].tolist())
        self._risk.update(zip(places.tolist(), scores.risk.tolist(), strict=True))
        if (likely := scores.predictions.get(GROWS)) is not None:
            self._growth.update(zip(places.tolist(), likely.tolist(), strict=True))

    def _points(self, rows: Any) -> Any:
        return rows.view(self.rules.measures.layout.view)["points"]

    def _tell(self, judged: _Judged, moved: Integers, causes: Mapping[str, Sequence[str]]) -> None:
        """Say what moved, and why."""
        if not len(moved):
            return
        scorer, scores = judged.scorer, judged.scores
        since, learned = self._since(judged, moved)
        self.parts += self.rules.scorers.shape.rows(
            scores.points[moved],
            judged.values[moved],
            base=scores.base,
            config=self.rules.config_version,
            model=scorer.version,
            cards=judged.cards[moved],
        )
        told = zip(
            judged.places[moved].tolist(),
            judged.now[moved].tolist(),
            judged.values[moved].tolist(),
            scores.health[moved].tolist(),
            scores.band[moved].tolist(),
            scores.risk[moved].tolist(),
            scores.points[moved].tolist(),
            judged.rows["published"][moved].tolist(),
            judged.rows["band"][moved].tolist(),
            since.tolist(),
            learned.tolist(),
            np.where(np.isnan(judged.by_hand), np.nan, scores.computed)[moved].tolist(),
            judged.cards[moved].tolist(),
            strict=True,
        )
        for (
            place,
            now,
            values,
            health,
            band,
            risk,
            points,
            published,
            was_band,
            changes,
            taught,
            computed,
            card,
        ) in told:
            account = self.draft.ids[place]
            said: dict[int, str] = {}
            drivers, rest = scorer.say(values, points, _NAMED, said, card)
            was = None if math.isnan(published) else published
            movers: list[Driver] = []
            if was is not None:
                movers, _ = scorer.say(values, changes, _MOVERS, said, card)
                movers += others(health - was - math.fsum(changes), taught)
                movers.sort(key=lambda driver: -abs(driver.points))
            self.healths.append(
                Health(
                    account=account,
                    at=now,
                    health=health,
                    band=BANDS[band],
                    risk=risk,
                    base=scores.base,
                    drivers=drivers,
                    rest=rest,
                    was=was,
                    was_band=None if was_band == NO_BAND else BANDS[was_band],
                    moved_by=movers[:_MOVERS],
                    causes=list(causes.get(account, ())),
                    config_version=self.rules.config_version,
                    model_version=scorer.version,
                    card=scorer.card(card),
                    computed=None if math.isnan(computed) else computed,
                )
            )
            self._driver[place] = drivers[0].text if drivers else ""

    def _since(self, judged: _Judged, moved: Integers) -> tuple[Floats, Floats]:
        """Points each part moved since the last row of the ledger (n, C), and what a newer model moved (n,).

        As `scoring.moves.between` has them: compared in log odds, shown in proportion.
        """
        rows, values, health = judged.rows[moved], judged.values[moved], judged.scores.health[moved]
        was: Floats = rows["published"]
        now, then = judged.scores.points[moved], self._points(rows).astype(np.float64)
        reached, base = health.copy(), np.full(len(rows), judged.scores.base)
        lost = np.zeros(len(rows), bool)
        for old in np.unique(rows["published_model"]).tolist():
            some = (rows["published_model"] == old) & ~np.isnan(was)
            if old == judged.scorer.version or not some.any():
                continue
            scorer = self.rules.scorers.at(self.connection, old)
            if scorer is None:  # nobody remembers that model: all that moved is the new one's
                lost |= some
                continue
            by_hand, cards = judged.by_hand[moved][some], judged.cards[moved][some]
            again = scorer.score(values[some], was[some], rows["band"][some], by_hand, cards)
            now[some], reached[some], base[some] = again.points, again.health, again.base
        names = tuple(judged.scores.names)
        both = np.concatenate([reached, was]), np.concatenate([base, base]), np.concatenate([now, then])
        parts = shares(Moments(*both, names, np.empty((2 * len(rows), 0))))
        odds = parts[: len(rows)] - parts[len(rows) :]
        worth = rise(was, health, log_odds(health) - log_odds(was))
        since, learned = odds * worth[:, None], (log_odds(health) - log_odds(reached)) * worth
        since[lost], learned[lost] = 0.0, (health - was)[lost]
        return since, learned

    def _record(self, judged: _Judged, *, wanted: bool) -> Flags:
        """Put those on record whose period has turned; the first period of an account only begins."""
        measures, rows, now = self.rules.measures, judged.rows, judged.now
        accounts = [self.draft.ids[place] for place in judged.places.tolist()]
        period = measures.period(accounts, now)
        new = rows["period"] < 0
        rows["period"][new] = period[new]
        taken = np.zeros(len(rows), bool)
        if not wanted:
            return taken
        turned = period > rows["period"]
        rows["period"][turned] = period[turned]
        taken[:] = turned & ~measures.gone(rows, now)
        chosen = np.flatnonzero(taken)
        if len(chosen):
            rows[chosen] = measures.mark(rows[chosen], period[chosen], now[chosen])
        for each in chosen.tolist():
            chances = {name: float(each_said[each]) for name, each_said in judged.scores.predictions.items()}
            said = {name: round(chance, 9) for name, chance in chances.items() if not math.isnan(chance)}
            at, partition = float(now[each]), int(self.draft.partitions[judged.places[each]])
            horizon, features = self.rules.outcome.horizon, judged.scores.features[each].tobytes()
            due, half_due = at + horizon, at + horizon / 2.0
            segment = judged.scorer.segment(int(judged.cards[each]))
            waiting = Waiting(accounts[each], at, due, features, said, self.rules.config_version, half_due, segment)
            self.snapshots.append((waiting, partition, judged.scorer.version))
        return taken

    def mature(self, waiting: Sequence[Waiting], *, early: bool = False) -> None:
        """Say what became of snapshots whose horizon, or half of it, has passed, each once."""
        told = {(label.account, label.at) for label in self.labels if label.early is early}
        new = [one for one in waiting if (one.account, one.at) not in told]
        if new:
            self.labels += fates.labels(self._books(new), self.rules.outcome, self.rules.expansion, new, early=early)

    def _books(self, waiting: Sequence[Waiting]) -> fates.Books:
        places = np.array([self.draft.places.get(one.account, -1) for one in waiting])
        rows, held = np.full(len(waiting), self.rules.measures.empty, self.draft.rows.dtype), places >= 0
        lay(rows, held, picked(self.draft.rows, places[held]))
        return fates.Books(self.connection, self.rules.measures, rows, held, self._fresh)

    def ripe(self, partitions: Sequence[int], now: float) -> list[Waiting]:
        """Snapshots that have matured: those stored, and those of this very step."""
        mine = [one for one in self.snapshots if one[1] in partitions and one[0].due <= now]
        self.snapshots = [one for one in self.snapshots if one not in mine] if mine else self.snapshots
        return [*snapshots.matured(self.connection, partitions, now), *(one[0] for one in mine)]

    def half_ripe(self, partitions: Sequence[int], now: float) -> list[Waiting]:
        """Snapshots of whose horizon half has passed: those stored, and those of this very step."""
        mine: list[Waiting] = []
        for place, (one, partition, version) in enumerate(self.snapshots):
            if partition in partitions and one.half_due is not None and one.half_due <= now:
                mine.append(one)
                self.snapshots[place] = (msgspec.structs.replace(one, half_due=None), partition, version)
        return [*snapshots.matured(self.connection, partitions, now, early=True), *mine]

    def messages(self, names: Mapping[str, str]) -> list[Message]:
        """What topic `health` and the ledger get."""
        out = []
        for health, parts in zip(self.healths, self.parts, strict=True):
            named = msgspec.structs.replace(health, name=names.get(health.account))
            out.append(Message(health.account.encode(), msgspec.json.encode(named), row_of(named, parts)))
        return out

    def write(self, connection: Connection) -> None:
        """Store the rows and the snapshots."""
        if not self.changed:
            return
        places = sorted(self.changed)
        rows = self.draft.rows[places]
        size, state = rows.dtype.itemsize, rows.tobytes()
        columns = [rows[name].tolist() for name in ("scored_at", "newest", "health", "band", "model")]
        insert_rows(
            connection,
            UPSERT,
            [
                (
                    self.draft.ids[place],
                    int(self.draft.partitions[place]),
                    state[each * size : (each + 1) * size],
                    scored_at,
                    newest,
                    health,
                    None if band == NO_BAND else BANDS[band],
                    self._risk.get(place),
                    self._driver.get(place),
                    model,
                    None if (grows := self._growth.get(place)) is None or math.isnan(grows) else grows,
                )
                for each, (place, scored_at, newest, health, band, model) in enumerate(
                    zip(places, *columns, strict=True)
                )
            ],
        )
        insert_rows(connection, SNAPSHOT, [snapshots.row_of(*taken) for taken in self.snapshots])
