"""Rescore accounts whenever something happens to them, and as time passes.

The stream owns delivery, the database owns memory; the agent commits what a step returns together with the offsets it
came from, and may run a step again. Measures, scorecard and mixture know nothing of either.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, Literal, Protocol

import numpy as np
from sqlalchemy import Connection

from hub import Event, tracing
from hub.ingest.identity import survivor_of
from hub.store.database import Database, insert_rows
from hub.streams.room import Message, Record, Step
from hub.streams.topics import EVENTS, HEALTH, LABELS, TopicSpec
from scoring import accounts as rows_kept
from scoring import archive, entities, folds, loading, merge, overrides, parts, profiles, snapshots, sources
from scoring.accounts import Accounts, Draft, measures_of
from scoring.batch import Integers
from scoring.clock import Clock
from scoring.config import Config
from scoring.days import Round, rounds
from scoring.entities import Things
from scoring.experts.guests import Panel
from scoring.intake import Intake, Taken, read
from scoring.links import INSERT as LINK
from scoring.links import MERGED, Links
from scoring.merges import Merges
from scoring.model import Model
from scoring.profiles import Profiles
from scoring.rows import FOLDS
from scoring.scorers import Scorers
from scoring.texts import Texts
from scoring.work import Rules, Work

_HOURLY: Final = 3_600.0
_SLICE: Final = 1_000
_EVENTS: Final = 40_000.0  # folded anew in one look: a quarter of a second
_AN_ACCOUNT: Final = 20.0  # events that an account costs beside its own
_CAUSES: Final = 8
_when: Final = itemgetter(0)


class News(Protocol):
    """Who is told what just happened; `hub.store.live.Live`."""

    def publish(self, topic: str, data: Mapping[str, Any]) -> None:
        """Tell whoever is looking."""


class Rescore:
    """The room `scoring.rescore`: topic `events` in, topics `health` and `labels` out.

    Args:
        database: the truth; here it remembers which configuration was in use.
        config: measures and scorecard.
        clock: the wall's, or `event`: each partition's time is its newest event's.
        partitions: how many the topics have.
        live: told of accounts that were rescored.
        remembers: connection -> seconds its ids must be remembered; for ever where it is not named.
        panel: experts of plugins.
    """

    name = merge.ROOM
    topic: TopicSpec = EVENTS
    tick_every: float | None = 2.0

    def __init__(
        self,
        database: Database,
        config: Config,
        clock: Clock | Literal["wall", "event"],
        partitions: int,
        live: News | None = None,
        *,
        remembers: Mapping[str, float] | None = None,
        panel: Panel | None = None,
    ) -> None:
        self._clock = clock = Clock(clock) if isinstance(clock, str) else clock
        self._partitions, self._live, self._remembers = partitions, live, remembers or {}
        self._scorers = Scorers(config, panel)
        self._measures = measures_of(config, self._scorers.names)
        self._by_events = clock.mode == "event"
        self._texts = Texts(by_events=self._by_events)
        self._rules = Rules(
            self._measures,
            self._scorers,
            self._scorers.newest if self._by_events else lambda _now: self._scorers.newest(),
            config.scorecard.outcome,
            config.version,
            config.scorecard.expansion,
        )
        self._accounts = Accounts(self._measures.layout)
        self._links, self._profiles = Links(), Profiles()
        self._held: tuple[int, ...] = ()
        self._clocks: dict[int, float] = {}
        self._causes: dict[str, list[str]] = {}
        self._merges, self._sources = Merges(), sources.Sources()

        def remember(connection: Connection) -> None:
            folds.remember(connection, config)
            loading.remember(connection, config, clock.wall())
            rows_kept.remember(connection, self._measures.layout)
            parts.remember(connection, self._scorers.shape)

        database.write(remember).result()

    def use(self, model: Model) -> None:
        """Predict with this version from the next batch on, and rescore everybody little by little."""
        self._scorers.use(model)

    def assign(self, connection: Connection, partitions: Sequence[int], kept: Collection[int] = ()) -> None:
        """Load the accounts of these partitions, but for those of `kept`, which are here."""
        fresh = [partition for partition in partitions if partition not in kept]
        self._held = tuple(partitions)
        self._accounts.keep(kept)
        self._accounts.load(connection, fresh)
        self._reload(connection, self._merges.read(connection), kept)
        self._sources.load(connection)
        self._clocks = {partition: at for partition, at in self._clocks.items() if partition in kept}
        newest, of = self._accounts.rows["newest"], self._accounts.partitions
        for partition in fresh:
            if (of == partition).any():
                self._clocks[partition] = float(newest[of == partition].max())
        self._links.forget()
        self._causes.clear()

    def step(self, connection: Connection, batch: Sequence[Record]) -> Step:
        """Fold events, score whom they touched, and say what moved."""
        wall = self._clock.wall()
        self._look_around(connection)
        taken = read(connection, batch, wall, self._merges.survivors)
        self._pass_on(connection, taken)
        if not taken.fresh:
            return self._idle(taken)
        taken.fresh = self._texts.read(connection, taken.fresh)
        cut = list(rounds(taken.fresh, self._clocks)) if self._by_events else [Round((), taken.fresh)]
        passed = {partition for turn in cut for _, some in turn.midnights for partition in some}
        work = self._work(connection, self._draft(taken.fresh, passed))
        work.restate()
        work.things.load(connection, [one.event for one in taken.fresh], [one.account for one in taken.fresh])
        clocks = dict(self._clocks)
        for turn in cut:
            for midnight, partitions in turn.midnights:
                self._midnight(work, midnight, partitions)
            if turn is cut[-1]:  # nobody looks back any more: they are stored while we reckon
                archive.write(connection, taken.fresh, wall, self._remembers)
            self._round(work, turn.events, clocks, wall)
        return self._step(taken, work, clocks, wall)

    def tick(self, connection: Connection) -> Step | None:
        """Rescore a slice of the accounts that time, a newer model or a merge has changed; mature labels."""
        self._look_around(connection)
        now = self._clock.wall()
        slots = self._affordable(self._due(now))
        labels = [] if self._by_events else snapshots.matured(connection, self._held, now, _SLICE)
        halves = [] if self._by_events else snapshots.matured(connection, self._held, now, _SLICE, early=True)
        if not len(slots) and not labels and not halves:
            return None
        ids = self._accounts.ids(slots.tolist())
        known = [label.account for label in (*labels, *halves) if label.account in self._accounts]
        where = [*self._accounts.partitions[slots].tolist(), *(self._partition(account) for account in known)]
        work = self._work(connection, self._accounts.draft([*ids, *known], where))
        work.restate()
        work.mature(halves, early=True)
        work.mature(labels)
        places = work.draft.at(ids)
        if len(places):
            moments = np.array([self._now(partition, now) for partition in work.draft.partitions[places].tolist()])
            causes = {account: self._causes[account] for account in ids if account in self._causes}
            work.score(places, moments, causes, snapshots=not self._by_events, keep=False)
        return self._step(Intake(), work, self._clocks, now, slots)

    # --- what a step is made of ---------------------------------------------------------------------------------

    def _pass_on(self, connection: Connection, taken: Intake) -> None:
        """Forward what belongs to another account by the links there are now: else it would stay where nobody looks."""
        strays = self._links.strays(connection, [(one.account, one.event) for one in taken.fresh])
        if not strays:
            return
        fresh = []
        for place, one in enumerate(taken.fresh):
            home = survivor_of(strays.get(place, one.account), self._merges.survivors)
            if home == one.account:
                fresh.append(one)
            else:
                taken.forwarded.append(Message(home.encode(), one.record.value))
        taken.fresh = fresh

    def _draft(self, fresh: Sequence[Taken], passed: Iterable[int]) -> Draft:
        """The rows that events touch, and all rows of partitions in which a day ends."""
        accounts, partitions = [one.account for one in fresh], [one.record.partition for one in fresh]
        if days := list(passed):
            slots = np.flatnonzero(np.isin(self._accounts.partitions, days))
            accounts += self._accounts.ids(slots.tolist())
            partitions += self._accounts.partitions[slots].tolist()
        return self._accounts.draft(accounts, partitions)

    def _work(self, connection: Connection, draft: Draft) -> Work:
        holdings = self._measures.holdings
        return Work(self._rules, connection, draft, Things(holdings.sums, holdings.oldest))

    def _midnight(self, work: Work, midnight: float, partitions: Sequence[int]) -> None:
        """A day has ended in these partitions: labels, silence and snapshots of everybody there."""
        work.mature(work.half_ripe(partitions, midnight), early=True)
        work.mature(work.ripe(partitions, midnight))
        here = np.isin(work.draft.partitions, list(partitions)) & (work.draft.rows["newest"] > 0.0)
        places = np.flatnonzero(here)
        if len(places):
            work.score(places, np.full(len(places), midnight), snapshots=True, keep=False)

    def _round(self, work: Work, fresh: Sequence[Taken], clocks: dict[int, float], wall: float) -> None:
        if not fresh:
            return
        places = work.fold([one.event for one in fresh], [one.account for one in fresh])
        for one in fresh:
            clocks[one.record.partition] = max(clocks.get(one.record.partition, 0.0), one.time)
        partitions = work.draft.partitions[places].tolist()
        now = np.array([clocks[p] for p in partitions]) if self._by_events else np.full(len(places), wall)
        work.score(places, now, _causes(fresh), snapshots=not self._by_events)

    def _step(
        self,
        taken: Intake,
        work: Work,
        clocks: dict[int, float],
        wall: float,
        slots: Integers | None = None,
    ) -> Step:
        told = [(one.account, one.event) for one in taken.fresh]
        links, merges = self._links.found(work.connection, told)
        customers = self._profiles.accounts(work.connection, told, work.things.changed)
        people = self._profiles.people(work.connection, told)
        names = profiles.names(work.connection, [health.account for health in work.healths])
        names.update({row[0]: row[1] for row in customers if row[1]})
        joined = [event for _, event in told if event.kind == MERGED]
        set_by_hand = overrides.rows(told)
        heard = self._sources.due({event.connection for _, event in told}, wall)
        merged: list[merge.Changed] = []

        def write(connection: Connection) -> None:
            insert_rows(connection, LINK, links)
            profiles.write(connection, customers, people)
            insert_rows(connection, entities.UPSERT, entities.rows(work.things.changed))
            work.write(connection)
            overrides.write(connection, set_by_hand)
            sources.write(connection, heard)
            snapshots.taught(connection, work.labels)
            merged.clear()
            for event in joined:
                merged.extend(
                    merge.apply(
                        connection,
                        event,
                        self._measures,
                        self._scorers.names,
                        partition=self._partition,
                        wall=wall,
                    )
                )

        def after() -> None:
            self._accounts.put(work.draft, np.array(sorted(work.changed), np.int64))
            self._clocks = clocks
            if slots is not None:
                self._accounts.checked_at[slots] = wall
                for account in self._accounts.ids(slots.tolist()):
                    self._causes.pop(account, None)
            self._links.wrote(told)
            self._profiles.wrote(people)
            self._sources.wrote(heard)
            self._take_merges(merged)
            self._tell(taken, work)
            if (traces := tracing.current()) is not None:
                events = [(one.digest, one.event.id, one.account) for one in taken.fresh]
                traces.scored(events, len(events), taken.began, time.time_ns())

        return Step(
            write=write,
            publish={
                HEALTH: work.messages(names),
                LABELS: [snapshots.message(label) for label in work.labels],
                EVENTS: [*taken.forwarded, *merges],
            },
            after=after,
            duplicates=taken.duplicates,
            forwarded=len(taken.forwarded),
            dead=taken.dead,
        )

    def _idle(self, taken: Intake) -> Step:
        """Nothing new: only repeats, news for others, and what cannot be read."""
        published: dict[TopicSpec, Sequence[Message]] = {EVENTS: taken.forwarded} if taken.forwarded else {}
        return Step(publish=published, duplicates=taken.duplicates, forwarded=len(taken.forwarded), dead=taken.dead)

    # --- what time and others change ----------------------------------------------------------------------------

    def _due(self, now: float) -> Integers:
        """Slots to look at now, longest waiting first."""
        accounts = self._accounts
        if not len(accounts):
            return np.zeros(0, np.int64)
        rows, held = accounts.rows, accounts.partitions >= 0
        newest, moment = np.zeros(self._partitions, np.int64), np.full(self._partitions, now)
        for partition in self._held:
            moment[partition] = self._now(partition, now)
            newest[partition] = self._rules.version(moment[partition])
        due = (
            (rows["scored_at"] == 0.0)
            | (rows[FOLDS] != self._measures.folded)
            | (rows["model"] != newest[accounts.partitions])
        )
        until = rows["override.until"]
        due |= (until > rows["scored_at"]) & (until <= moment[accounts.partitions])  # a person's word is over
        if not self._by_events:
            due |= accounts.checked_at <= now - _HOURLY
        slots = np.flatnonzero(due & held)
        seen = np.where(rows["scored_at"][slots] == 0.0, 0.0, accounts.checked_at[slots])
        if len(slots) > _SLICE:  # to sort a million of them is a tenth of the time until the next look
            first = np.argpartition(seen, _SLICE)[:_SLICE]
            slots, seen = slots[first], seen[first]
        return slots[np.argsort(seen, kind="stable")]

    def _affordable(self, slots: Integers) -> Integers:
        """Of accounts that must be folded anew only as many as have so many events: others wait for the next look."""
        rows = self._accounts.rows
        behind = rows[FOLDS][slots] != self._measures.folded
        if not behind.any():
            return slots
        events = np.where(behind, rows["events"][slots] + _AN_ACCOUNT, 0.0)
        chosen: Integers = slots[~behind | (np.cumsum(events) - events < _EVENTS)]
        return chosen

    def _now(self, partition: int, wall: float) -> float:
        return self._clocks.get(partition, wall) if self._by_events else wall

    def _partition(self, account: str) -> int:
        return merge.partition_of_account(account, self._partitions)

    def _look_around(self, connection: Connection) -> None:
        """See newer models and merges: what others absorbed is not ours to score any more, what they gave back is."""
        merges, models = self._merges.ask(connection), self._scorers.ask(connection)
        self._scorers.refresh(models)
        changed = self._merges.read(connection, merges)
        self._reload(connection, changed, self._held)
        if changed is None or changed:
            self._links.forget()

    def _reload(self, connection: Connection, changed: frozenset[str] | None, partitions: Collection[int]) -> None:
        """Read again what was merged or taken back in these partitions; all of them where that cannot be told."""
        if changed is None:
            self._accounts.keep([partition for partition in self._held if partition not in partitions])
            self._accounts.load(connection, partitions)
            return
        for account in changed:
            if (partition := self._partition(account)) in partitions:
                self._accounts.reload(connection, account, partition)

    def _take_merges(self, merged: Sequence[merge.Changed]) -> None:
        if not merged:
            return
        for change in merged:
            if change.merged_into is not None:
                self._accounts.drop(change.account)
                continue
            if change.row is not None and self._partition(change.account) in self._held:
                draft = self._accounts.draft([change.account], [self._partition(change.account)])
                draft.rows[:] = change.row
                self._accounts.put(draft, np.zeros(1, np.int64))
                self._causes[change.account] = [change.cause]
        self._links.forget()

    def _tell(self, taken: Intake, work: Work) -> None:
        if self._live is None:
            return
        if work.healths:
            self._live.publish("health", {"accounts": sorted({health.account for health in work.healths})})
        counts: dict[str, int] = {}
        for one in taken.fresh:
            counts[one.event.connection] = counts.get(one.event.connection, 0) + 1
        for connection, count in counts.items():
            self._live.publish("events", {"connection": connection, "count": count})


def _causes(fresh: Sequence[Taken]) -> dict[str, list[str]]:
    """Ids of each account's events, newest first, the newest few."""
    found: dict[str, list[tuple[float, Event]]] = {}
    for one in fresh:
        found.setdefault(one.account, []).append((one.time, one.event))
    return {
        account: [event.id for _, event in sorted(some, key=_when, reverse=True)[:_CAUSES]]
        for account, some in found.items()
    }
