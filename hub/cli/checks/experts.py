"""Experts of plugins: whether each that is installed here is heard, and whether the models know others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sqlalchemy.exc import SQLAlchemyError

from hub.cli.checks import Check
from hub.registry import Registry
from hub.sdk.errors import HubError
from hub.sealing import Seal
from hub.settings import Settings
from hub.store import schema
from hub.store.database import Database, look
from scoring.experts.guests import Panel
from scoring.experts.seating import seated
from scoring.features import feature_names, features
from scoring.loading import load as load_config
from scoring.model import Model, newest


def experts(settings: Settings) -> Iterator[Check]:
    """Ask each for its opinion of a customer of whom nothing is known, as the newest models have it."""
    registry = Registry()
    panel = seated(registry, Seal.of(settings))
    model = _newest(settings)
    known = {} if model is None else model.guests
    for name in sorted(known.keys() - set(() if panel is None else panel.names)):
        says = f"the models know {name} of {known[name].plugin}, which is not installed here: others have its weight"
        yield Check("expert", "note", f"{says}. Install it, or `pulsehub models --forget {name}`")
    if panel is None:
        return
    try:
        names = feature_names([measure.name for measure in load_config(settings.scoring, registry.measures()).measures])
    except HubError:
        return  # said elsewhere
    yield from _each(panel, model, names)


def _each(panel: Panel, model: Model | None, names: tuple[str, ...]) -> Iterator[Check]:
    asked = features(np.full((1, len(names) // 2), np.nan)).astype(np.float64)
    for seat in panel.pupils({} if model is None else model.guests):
        seat.say(names, asked)
        known = None if model is None else model.guests.get(seat.name)
        if problem := panel.troubles.get(seat.name):
            yield Check("expert", "wrong", f"{seat.name} is left out: {problem}")
        elif model is None or known is None:
            yield Check("expert", "note", f"{seat.name} has learned nothing yet: it begins with the next labels")
        else:
            heard = f"{known.labels:,} labels, weight {model.weights.get(seat.name, 0.0):.0%}"
            yield Check("expert", "ok", f"{seat.name} of {known.plugin}: {heard}")


def _newest(settings: Settings) -> Model | None:
    """The newest models; None where there are none, or where the database says nothing: that is told elsewhere."""
    try:
        if (look(settings.database)[1].schema or 0) < schema.VERSION:
            return None  # to open it would bring it up to date
        with Database(settings.database) as database, database.read() as connection:
            return newest(connection)
    except (HubError, SQLAlchemyError, ValueError):
        return None
