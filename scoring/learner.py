"""The room that learns: matured labels in, versions of the models out.

One learner owns the models. What it knows after every batch is the row of version 0, written in the transaction that
holds the batch's labels and offsets, so that no label is ever taught twice and a restart goes on where it stopped. Now
and then that row is published as the next version, which never changes again and is what everybody predicts with.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, delete, insert, select

from hub.store import schema
from hub.store.database import Database, insert_rows
from hub.streams.room import DeadLetter, Record, Step
from hub.streams.topics import LABELS, TopicSpec
from scoring import norming
from scoring.config import Config
from scoring.experts.guests import Panel
from scoring.features import feature_names
from scoring.growth import GROWS, GROWS_RAW
from scoring.growth import NAMES as GROWTH
from scoring.learning import taught
from scoring.lessons import MIX, Lessons, Waiting
from scoring.model import DRAFT, HALFWAY, Model, decode, encode, fresh, lineup, segments
from scoring.snapshots import Label

_log = logging.getLogger(__name__)
_VERSIONS_KEPT: Final = 50
_LABELS_A_VERSION: Final = 500  # as soon as there are so many ...
_SECONDS_A_VERSION: Final = 60.0  # ... or any, when the last version is so old
_ASKED_AT_ONCE: Final = 400  # accounts of one SELECT


class Learner:
    """The room `scoring.learn`.

    Args:
        database: the truth; read and written only through the connections a transaction hands in.
        config: what labels are taught under.
        now: unix seconds.
        panel: experts of plugins, taught as well.
    """

    name = "scoring.learn"
    topic: TopicSpec = LABELS
    tick_every: float | None = 30.0

    def __init__(
        self,
        database: Database,
        config: Config,
        now: Callable[[], float] = time.time,
        panel: Panel | None = None,
    ) -> None:
        self._database = database
        self._config = config
        self._now = now
        self._panel = panel
        self._decoder = msgspec.json.Decoder(Label)

    def assign(self, connection: Connection, partitions: Sequence[int], kept: Collection[int] = ()) -> None:
        """Nothing to load: what was learned is read in each transaction, whoever wrote it."""

    def step(self, connection: Connection, batch: Sequence[Record]) -> Step:
        """Teach what has not been taught, in the order in which it became known."""
        labels, dead = self._read(connection, batch)
        new = _untaught(connection, labels)
        if not new:
            return Step(duplicates=len(labels), dead=dead)
        alone(connection)
        new.sort(key=lambda found: (found[0].matured_at, found[0].at, found[0].account))
        early = [found for found in new if found[0].early]
        whole = [found for found in new if not found[0].early]
        before = _draft(connection) or fresh(self._config)
        asked = self._config.scorecard.expansion is not None
        experts = (*lineup(self._config, before), MIX, HALFWAY, *((GROWS_RAW,) if asked else ()))
        halfway = self._lessons(early, experts)
        after = taught(before, self._lessons(whole, experts), self._config, halfway, self._panel)
        rows = [_row(label, before.version + 1) for label, _ in whole]
        grown = [_grown(label) for label, _ in whole if label.expanded is not None]
        halves = [(label.account, label.at, label.matured_at) for label, _ in early]

        def write(connection: Connection) -> None:
            insert_rows(connection, insert(schema.labels), rows)
            insert_rows(connection, insert(schema.early_labels), halves)
            insert_rows(connection, insert(schema.expansions), grown)
            self._store(connection, after)

        def tell() -> None:
            raised = after.drift.raised - before.drift.raised
            for alarm in after.drift.alarms[-raised:] if raised else ():
                said = {"expert": alarm.expert, "was": round(alarm.was, 4), "now": round(alarm.now, 4)}
                _log.warning("scoring.model_drift", extra=said)

        return Step(write=write, duplicates=len(labels) - len(new), dead=dead, after=tell)

    def tick(self, connection: Connection) -> Step | None:
        """Publish what was learned since the last version, if it has waited long enough, and what is usual by now."""
        model, norms = _draft(connection), None
        if norming.due(connection, self._config, model, self._now()):
            before = 0 if model is None or model.norms is None else model.norms.version
            norms = norming.made(connection, self._config, before + 1, self._now())
        if norms is None and (model is None or not self._due(model)):
            return None
        alone(connection)
        model = _draft(connection) or model or fresh(self._config)
        if norms is not None:
            model = msgspec.structs.replace(model, norms=norms)
        return Step(write=lambda connection: self._store(connection, model, publish=norms is not None))

    def _read(self, connection: Connection, batch: Sequence[Record]) -> tuple[list[_Found], list[DeadLetter]]:
        names: dict[str, tuple[str, ...] | None] = {}
        labels: list[_Found] = []
        dead: list[DeadLetter] = []
        for record in batch:
            try:
                label = self._decoder.decode(record.value)
                if label.config_version not in names:
                    names[label.config_version] = self._feature_names(connection, label.config_version)
                labels.append((label, _checked(label, names[label.config_version])))
            except (msgspec.MsgspecError, ValueError) as error:
                dead.append(DeadLetter(record, f"not a label: {error}"))
        return labels, dead

    def _feature_names(self, connection: Connection, version: str) -> tuple[str, ...] | None:
        """What features were called under a configuration; None if it is not known any more."""
        if version == self._config.version:
            return feature_names([measure.name for measure in self._config.measures])
        configs = schema.configs
        body = connection.scalar(select(configs.c.body).where(configs.c.version == version))
        if body is None:
            return None
        try:
            return feature_names([measure.name for measure in msgspec.json.decode(body, type=_Measures).measures])
        except msgspec.MsgspecError:
            return None

    def _lessons(self, found: Sequence[_Found], experts: tuple[str, ...]) -> Iterator[Lessons]:
        """As columns, in the order given, cut where the features change their names; of what these experts said."""
        cards, asked = segments(self._config.scorecard), self._config.scorecard.expansion
        for names, some in groupby(found, key=itemgetter(1)):
            labels = [label for label, _ in some]
            yield Lessons.of(
                experts,
                [label.predictions for label in labels],
                [label.lost for label in labels],
                [label.matured_at for label in labels],
                names=names,
                features=[label.features for label in labels],
                cards=cards,
                segments=[label.segment for label in labels],
                grown=None if asked is None else [label.expanded for label in labels],
            )

    def _due(self, model: Model) -> bool:
        if not model.unpublished:
            return False
        return model.unpublished >= _LABELS_A_VERSION or self._now() - model.at >= _SECONDS_A_VERSION

    def _store(self, connection: Connection, model: Model, *, publish: bool = False) -> None:
        """Put the draft in its place and, if one is due, publish it as the next version."""
        models = schema.models
        drop = models.c.version == DRAFT
        if publish or self._due(model):
            model = msgspec.structs.replace(model, version=model.version + 1, at=self._now(), unpublished=0)
            connection.execute(insert(models).values(columns(without_waiting(model), model.version)))
            drop |= models.c.version.between(1, model.version - _VERSIONS_KEPT)
        connection.execute(delete(models).where(drop))
        connection.execute(insert(models).values(columns(model, DRAFT)))


_Found = tuple[Label, tuple[str, ...]]
"""A label, and what its features are called; nothing if nobody knows any more."""


class _Measure(msgspec.Struct):
    name: str


class _Measures(msgspec.Struct):
    measures: list[_Measure]


def _checked(label: Label, names: tuple[str, ...] | None) -> tuple[str, ...]:
    """What its features are called; ValueError if the numbers cannot be what they are said to be."""
    if not all(0.0 <= chance <= 1.0 for chance in label.predictions.values()):
        raise ValueError("a prediction is no probability")
    if not all(map(math.isfinite, (label.at, label.matured_at, *label.features))):
        raise ValueError("a number is not finite")
    if names is not None and len(label.features) != len(names):
        raise ValueError(f"{len(label.features)} features where its configuration has {len(names)}")
    return names or ()


def _untaught(connection: Connection, labels: Sequence[_Found]) -> list[_Found]:
    """Those that were not taught before, each once: by (account, at), of whole horizons and of half of them."""
    found: list[_Found] = []
    for table, early in ((schema.labels, False), (schema.early_labels, True)):
        wanted = {(one.account, one.at): (one, read) for one, read in reversed(labels) if one.early is early}
        keys = sorted(wanted, key=lambda key: key[1])
        for first in range(0, len(keys), _ASKED_AT_ONCE):
            some = keys[first : first + _ASKED_AT_ONCE]
            known = connection.execute(
                select(table.c.account, table.c.at)
                .where(table.c.account.in_({account for account, _ in some}))
                .where(table.c.at.between(some[0][1], some[-1][1]))
            )
            for account, at in known:
                wanted.pop((account, at), None)
        found += wanted.values()
    return found


def _row(label: Label, version: int) -> tuple[Any, ...]:
    rounded = {name: round(chance, 6) for name, chance in label.predictions.items() if name not in GROWTH}
    said = msgspec.json.encode(rounded).decode()
    return (label.account, label.at, label.matured_at, int(label.lost), said, version, label.segment)


def _grown(label: Label) -> tuple[Any, ...]:
    chance = label.predictions.get(GROWS)
    return (label.account, label.at, label.matured_at, int(label.expanded is True), chance)


def alone(connection: Connection) -> None:
    """Let several learners take turns: each goes on from what the one before has committed."""
    meta = schema.meta
    connection.execute(select(meta.c.value).where(meta.c.key == "schema").with_for_update()).all()


def _draft(connection: Connection) -> Model | None:
    models = schema.models
    body = connection.scalar(select(models.c.body).where(models.c.version == DRAFT))
    return None if body is None else decode(body)


def without_waiting(model: Model) -> Model:
    """What others predict with; labels that wait are the draft's alone."""
    return msgspec.structs.replace(model, waiting=Waiting(), waiting_early=Waiting())


def columns(model: Model, version: int) -> dict[str, Any]:
    """A row of table `models`."""
    return {
        "version": version,
        "at": model.at,
        "trained_through": model.through,
        "config_version": model.config_version,
        "body": encode(model),
    }
