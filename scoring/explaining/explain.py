"""Why an account's health is what it is: computed again from its stored row, as it was computed then."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, select

from hub import Band, Driver
from hub.store import schema
from hub.store.family import family
from hub.store.questions.tree import Rollup, rollup
from scoring.accounts import measures_of
from scoring.config import Config, Measure
from scoring.drivers import part_in_words, words
from scoring.explaining.why import counts
from scoring.growth import Outlook
from scoring.overrides import Override, current
from scoring.scorers import Scorers
from scoring.sources import Told, told
from scoring.standing import stand
from scoring.ways import Left

_REASONS: Final = 6  # why it may pay more


@dataclass(frozen=True, slots=True)
class Reading:
    """What one measure says.

    Attributes:
        name: as declared.
        label: as declared; `{n}` stands for the number.
        value: in `unit`; None: nothing is known.
        unit: of the value.
        dimension: the side of the relationship it belongs to.
        direction: whether more is better, `up` or `down`.
        as_of: unix seconds of the newest event it counted that is still in the archive; None: there is none.
    """

    name: str
    label: str
    value: float | None
    unit: str
    dimension: str
    direction: str
    as_of: float | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A health and all it is made of: `base` and the points of `drivers` sum to it, exactly.

    Attributes:
        health: 0 to 100.
        band: with hysteresis; None before the first scoring.
        risk: probability of losing the customer within the horizon.
        base: health of a customer of whom nothing is known.
        drivers: all of them, strongest first.
        measures: in the order of their declaration.
        as_of: unix seconds of the moment it holds for.
        config_version: the measures and scorecard.
        model_version: the models; 0 before any.
        computed: what health would be had nobody set it by hand.
        override: the person's word that holds, None if nobody's does.
        card: of its segment, by which it is weighed; empty: the scorecard itself.
        rollup: it and all its parts as one; None: it has none.
        confidence: the share of its card that rests on measures of which something was heard and is known, 0 to 1.
        sources: who told of it, the newest first, and whether they are silent.
        outlook: how likely it pays more; None: nobody asks, or it is a customer no more.
        left: how it was lost, and when; None while it is a customer.
    """

    health: float
    band: Band | None
    risk: float
    base: float
    drivers: list[Driver]
    measures: list[Reading]
    as_of: float
    config_version: str
    model_version: int
    computed: float
    override: Override | None
    card: str
    rollup: Rollup | None
    confidence: float
    sources: list[Told]
    outlook: Outlook | None = None
    left: Left | None = None


def explain(
    connection: Connection, account_id: str, config: Config, models: Scorers | None = None, now: float | None = None
) -> Explanation | None:
    """Explain one account; None if there is none of this id.

    Args:
        connection: to the database.
        account_id: ours, of an account that was not merged away.
        config: measures and scorecard.
        models: scorers of `config`; a caller who asks often keeps them, so that models are decoded once.
        now: unix seconds by the wall, at which sources are silent or not.
    """
    models = Scorers(config) if models is None else models
    measures = measures_of(config, models.names)
    standing = stand(connection, account_id, measures, models)
    if standing is None:
        return None
    scorer, scores, values = standing.scorer, standing.scores, standing.values
    points = scores.points[0].tolist()
    texts = {m.name: words(m, value) for m, value in zip(measures.measures, values[0].tolist(), strict=True)}
    texts.update(scorer.held(values[0].tolist(), standing.card))
    drivers = [
        Driver(name, texts.get(name) or part_in_words(name) or name, share, dimension)
        for name, share, dimension in zip(scores.names, points, scores.dimensions, strict=True)
        if share
    ]
    newest = _newest(connection, account_id)
    readings = [
        _reading(measure, value, [newest[kind] for kind in newest if counts(config, measure, kind)])
        for measure, value in zip(measures.measures, values[0].tolist(), strict=True)
    ]
    weights = scorer.weights(standing.card).tolist()
    known = [one.value is not None and one.as_of is not None for one in readings]
    return Explanation(
        health=float(scores.health[0]),
        band=standing.band,
        risk=float(scores.risk[0]),
        base=scores.base,
        drivers=sorted(drivers, key=lambda driver: -abs(driver.points)),
        measures=readings,
        as_of=standing.at,
        config_version=config.version,
        model_version=scorer.version,
        computed=float(scores.computed[0]),
        override=current(connection, account_id, standing.at),
        card=scorer.card(standing.card),
        rollup=rollup(connection, account_id, config.scorecard.rollup),
        confidence=math.fsum(share for share, one in zip(weights, known, strict=True) if one),
        sources=told(connection, account_id, time.time() if now is None else now, config.scorecard.silent_after),
        outlook=None if standing.band == "left" else scorer.outlook(values, _REASONS),
        left=measures.left(standing.row, standing.at, newest) if standing.band == "left" else None,
    )


def _reading(measure: Measure, value: float, times: Sequence[float]) -> Reading:
    return Reading(
        measure.name,
        measure.label,
        None if math.isnan(value) else value,
        measure.unit,
        measure.dimension,
        measure.direction,
        max(times, default=None),
    )


def _newest(connection: Connection, account: str) -> dict[str, float]:
    """Kind -> when it last happened, as far as the archive reaches."""
    archive = schema.archive
    theirs = archive.c.account.in_(family(connection, account))
    asked = select(archive.c.kind, func.max(archive.c.occurred_at).label("at")).where(theirs)
    return {row.kind: row.at for row in connection.execute(asked.group_by(archive.c.kind))}
