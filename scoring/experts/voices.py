"""Experts that not everybody has and that may be silent on a customer: the hazard of renewals, and those of plugins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from scoring.arrays import Floats, expit
from scoring.clock import DAY
from scoring.config import Config
from scoring.drivers import GUEST
from scoring.experts import hazard
from scoring.experts.guests import Panel, Seat
from scoring.experts.listening import Listening
from scoring.experts.mixture import LIMIT
from scoring.experts.risk import Applied
from scoring.features import feature_names
from scoring.model import HAZARD, Model

_SAME: Final = 1e-6  # log odds; nearer than this a leaning is worth nothing


@dataclass(frozen=True, slots=True)
class Voice:
    """One of them.

    Attributes:
        name: of the expert.
        part: the column that its share of a health is.
        say: (n, M) measures and (n, 2M) features to (n,) log odds, NaN where it is silent; and (n, M) what of them is
            other measures', or None.
    """

    name: str
    part: int
    say: Callable[[Floats, Floats], tuple[Floats, Floats | None]]


def voices(
    config: Config, learned: Model, regressions: Applied, panel: Panel | None, columns: Sequence[str]
) -> list[Voice]:
    """Those that this installation has beside the experts everybody has, and of which the model knows something."""
    names = feature_names([measure.name for measure in config.measures])
    seats = [] if panel is None else panel.seats(learned.guests)
    guests = [Voice(one.name, columns.index(GUEST + one.name), partial(_asked, one, names)) for one in seats]
    return [*_renewal(config, learned, regressions), *guests]


def listen(
    among: Sequence[Voice],
    values: Floats,
    read: Floats,
    heard: Listening,
    *,
    mixed: Floats,
    parts: Floats,
    limits: tuple[float, float],
) -> tuple[Floats, dict[str, Floats]]:
    """The mix with those who may be silent, and the chances they give; `parts` and `mixed` are changed in place.

    Where one is silent its weight is everybody else's, in proportion. Nobody speaks of a customer of whom nothing is
    known, so that the base is that of the experts everybody has.
    """
    said: dict[str, Floats] = {}
    if not among:
        return mixed, said
    total = np.ones(len(values))
    for place, voice in enumerate(among):
        opinions, apart = voice.say(values, read)
        believed = np.clip(opinions, *limits)
        said[voice.name] = expit(believed)
        weight = heard.beside[..., place]
        if not weight.any():
            continue
        known = ~np.isnan(opinions)
        total[known] += np.broadcast_to(weight, len(values))[known]
        share = weight * (opinions - heard.constant)
        if apart is not None:
            theirs = np.broadcast_to(weight, len(values))[:, None] * apart
            parts[known, : values.shape[1]] += theirs[known]
            share -= theirs.sum(axis=1)
        parts[known, voice.part] += share[known]
        mixed[known] += (weight * believed)[known]
    parts /= total[:, None]
    return mixed / total, said


def _renewal(config: Config, learned: Model, regressions: Applied) -> list[Voice]:
    place, known = hazard.renewal(config.measures), learned.hazard
    horizon = config.scorecard.outcome.horizon / DAY
    if place is None or known is None:
        return []
    names = feature_names([measure.name for measure in config.measures])
    signs = {one.name: 1.0 if one.direction == "down" else -1.0 for one in config.measures}
    leanings = hazard.leanings(learned.regressions.bayes, names, signs, config.measures[place].name)

    def say(values: Floats, read: Floats) -> tuple[Floats, Floats]:
        leans = regressions.standardize(read) * leanings
        each = leans[:, : len(names) // 2] + leans[:, len(names) // 2 :]
        lean, days = each.sum(axis=1), values[:, place]
        said = known.opinions(days, horizon, lean)
        far = np.abs(lean) > _SAME
        worth = np.where(far, (said - known.opinions(days, horizon)) / np.where(far, lean, 1.0), 0.0)
        return said, each * worth[:, None]

    return [Voice(HAZARD, place, say)]


def _asked(seat: Seat, names: tuple[str, ...], _: Floats, read: Floats) -> tuple[Floats, None]:
    said: Floats = np.clip(seat.say(names, read), -LIMIT, LIMIT)
    return said, None
