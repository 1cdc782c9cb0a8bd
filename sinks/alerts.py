"""Who is to be told what: actions in, rows of table `alerts` out, one per destination and action."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection

from hub.sdk.actions import Action
from hub.sdk.contracts import Sink
from hub.store.schema import alerts
from hub.store.upserts import insert
from hub.streams.room import DeadLetter, Record, Step
from hub.streams.topics import ACTIONS, TopicSpec

NOBODY = "nobody to tell: give the account an owner with an e-mail address, or set PULSEHUB_ALERTS_TO"
_action = msgspec.json.Decoder(Action)


class AlertsOutbox:
    """The room `sinks.alerts`.

    A sink of alerts is asked for its target with the action's addressees as references; one that has none to offer
    keeps the alert as rejected, with the reason.

    Args:
        sinks: every destination; those of fields are ignored.
        wake: called (on any thread) once rows are due.
        clock: unix seconds now.
    """

    name: str = "sinks.alerts"
    topic: TopicSpec = ACTIONS
    tick_every: float | None = None

    def __init__(self, sinks: Sequence[Sink], wake: Callable[[], None], clock: Callable[[], float] = time.time) -> None:
        self._sinks = [sink for sink in sinks if sink.shape == "alerts"]
        self._wake = wake
        self._clock = clock

    def assign(self, connection: Connection, partitions: Sequence[int], kept: Collection[int] = ()) -> None:
        """Nothing to load."""

    def tick(self, connection: Connection) -> Step | None:  # noqa: ARG002 - a room's shape
        """Time changes nothing here."""
        return None

    def step(self, connection: Connection, batch: Sequence[Record]) -> Step:  # noqa: ARG002 - a room's shape
        """One row per sink and action; a key that is there already stays as it is."""
        rows: list[dict[str, Any]] = []
        dead = []
        for record in batch:
            try:
                action = _action.decode(record.value)
            except msgspec.DecodeError as error:
                dead.append(DeadLetter(record, f"not an action: {error}"))
                continue
            rows += [self._row(sink, action, record.value) for sink in self._sinks]
        return Step(write=partial(_save, rows), after=self._wake if rows else _nothing, dead=dead)

    def _row(self, sink: Sink, action: Action, body: bytes) -> dict[str, Any]:
        target = sink.target(action.to)
        return {
            "sink": sink.name,
            "key": action.key,
            "account": action.account,
            "target": target or "",
            "body": body.decode(),
            "state": "due" if target else "rejected",
            "at": self._clock(),
            "reason": None if target else NOBODY,
        }


def _nothing() -> None:
    """Nobody is waiting."""


def _save(rows: Sequence[dict[str, Any]], connection: Connection) -> None:
    if rows:
        connection.execute(insert(alerts).on_conflict_do_nothing(), rows)
