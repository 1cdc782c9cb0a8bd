"""Rows of the ledger as moments that can be compared, however old the scorecard or the models that judged them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import msgspec
import numpy as np
from sqlalchemy import Connection

from hub import Health
from hub.store.questions.changes import Kept
from scoring import loading
from scoring.arrays import Codes
from scoring.bands import NO_BAND
from scoring.config import Config
from scoring.families.segments import DEFAULT
from scoring.moves import REST, Judge, Moments, Movement, Read, between
from scoring.parts import Shapes
from scoring.scorers import Scorers

_decode: Final = msgspec.json.Decoder(Health).decode


class Compared(NamedTuple):
    """Pairs of rows that were judged by the same two scorecards and models: their places, and how they moved."""

    places: list[int]
    before: Moments
    after: Moments
    movement: Movement


class Judges:
    """Judges values as any scorecard and model that was in use here would have.

    Args:
        connection: to the database, which remembers them.
        config: the one in use.
        scorers: of `config`.
    """

    def __init__(self, connection: Connection, config: Config, scorers: Scorers) -> None:
        self._connection, self._panel = connection, scorers.panel
        self._known: dict[str, tuple[Config, Scorers] | None] = {config.version: (config, scorers)}

    def __call__(self, config: str, model: int, read: Read) -> Moments | None:
        """As `scoring.moves.Judge`."""
        if (found := self._of(config)) is None or (scorer := found[1].at(self._connection, model)) is None:
            return None
        ours, number = [measure.name for measure in found[0].measures], len(read.values)
        laid = np.full((number, len(ours)), np.nan)
        for place, name in enumerate(ours):
            if name in read.names:
                laid[:, place] = read.values[:, read.names.index(name)]
        nobody: Codes = np.full(number, NO_BAND, np.int8)
        card = read.card if read.card < len(found[0].scorecard.cards) else DEFAULT
        cards: Codes = np.full(number, card, np.int8)
        scores = scorer.score(laid, np.full(number, np.nan), nobody, read.by_hand, cards)
        base = np.full(number, scores.base)
        return Moments(scores.health, base, scores.points, tuple(scores.names), laid, config, model, read.card)

    def measures(self, config: str) -> Config | None:
        """The scorecard of a version; None if nobody remembers it."""
        found = self._of(config)
        return None if found is None else found[0]

    def _of(self, version: str) -> tuple[Config, Scorers] | None:
        if version not in self._known:
            try:
                found = loading.remembered(self._connection, version)
                self._known[version] = None if found is None else (found, Scorers(found, self._panel))
            except ValueError:  # of a program whose words this one does not know
                self._known[version] = None
        return self._known[version]


def message(row: Kept) -> Health:
    """What was published of a row."""
    return _decode(row.message)


def moment(connection: Connection, row: Kept) -> Moments:
    """One row by itself."""
    group, place = _read(connection, [row])[0]
    return _take(group, [place])


def compare(connection: Connection, pairs: Sequence[tuple[Kept, Kept]], judge: Judge) -> Iterator[Compared]:
    """What moved between the rows of each pair, many pairs at a time."""
    before, after = (_read(connection, rows) for rows in zip(*pairs, strict=True)) if pairs else ((), ())
    alike: dict[tuple[int, int], list[int]] = {}
    for place, ((one, _), (other, _)) in enumerate(zip(before, after, strict=True)):
        alike.setdefault((id(one), id(other)), []).append(place)
    for places in alike.values():
        was = _take(before[places[0]][0], [before[place][1] for place in places])
        now = _take(after[places[0]][0], [after[place][1] for place in places])
        yield Compared(places, was, now, between(was, now, judge))


def _read(connection: Connection, rows: Sequence[Kept]) -> list[tuple[Moments, int]]:
    """For each row the moments it is among, and its place there."""
    found: dict[int, tuple[Moments, int]] = {}
    for shape, places, kept in Shapes(connection).read([row.parts for row in rows]):
        alike = [kept[name] for name in ("config", "model", "card")]
        for config, model, card in set(zip(*(one.tolist() for one in alike), strict=True)):
            here = (alike[0] == config) & (alike[1] == model) & (alike[2] == card)
            mine = np.flatnonzero(here).tolist()
            group = Moments(
                np.array([rows[places[one]].health for one in mine]),
                kept["base"][mine],
                kept["points"][mine],
                shape.names,
                kept["values"][mine].astype(np.float64),
                config.decode(),
                model,
                card,
            )
            found.update({places[one]: (group, n) for n, one in enumerate(mine)})
    return [found.get(place) or (_named(row), 0) for place, row in enumerate(rows)]


def _named(row: Kept) -> Moments:
    """What a message says: a few drivers, and all else as one. Nothing at all where neither was to be read."""
    if not row.message:
        here = np.array([row.health])
        return Moments(here, here, np.zeros((1, 1)), (REST,), np.empty((1, 0)))
    said = _decode(row.message)
    points = [driver.points for driver in said.drivers]
    rest = said.health - said.base - sum(points)
    return Moments(
        np.array([said.health]),
        np.array([said.base]),
        np.array([[*points, rest]]),
        (*(driver.name for driver in said.drivers), REST),
        np.empty((1, 0)),
        said.config_version,
        said.model_version,
        said={driver.name: driver.text for driver in said.drivers},
    )


def _take(group: Moments, places: Sequence[int]) -> Moments:
    some = list(places)
    return replace(
        group,
        health=group.health[some],
        base=group.base[some],
        points=group.points[some],
        values=group.values[some],
    )
