"""The versions of the models: which there are, and going back to one of them."""

from __future__ import annotations

import math

import msgspec
from sqlalchemy import Connection, delete, insert, select

from hub import ConfigError
from hub.store import schema
from scoring.experts.drift import Alarm
from scoring.learner import alone, columns, without_waiting
from scoring.model import DRAFT, Model, decode

_MODELS = schema.models


class Mix(msgspec.Struct, frozen=True):
    """How customers of one segment are judged.

    Attributes:
        labels: how many it has had since the models are listened to.
        credibility: how far it goes by them; the rest is the whole's.
        level: log odds by which its customers are likelier lost than the experts say.
        weights: how much each expert is listened to.
    """

    labels: int
    credibility: float
    level: float
    weights: dict[str, float]

    @property
    def odds(self) -> float:
        """By what their odds of leaving are multiplied."""
        return math.exp(self.level)


class Usual(msgspec.Struct, frozen=True):
    """What was usual of the measures that customers are compared by.

    Attributes:
        version: 1, 2, ...
        at: unix seconds; nothing later is known to it.
        accounts: how many customers there were.
        read: of how many of them measures were read.
    """

    version: int
    at: float
    accounts: int
    read: int


class Version(msgspec.Struct, frozen=True):
    """A version of what was learned.

    Attributes:
        version: 1, 2, ...
        at: unix seconds when it was published.
        trained_through: newest maturity among its labels, unix seconds.
        config_version: of the configuration it was taught under.
        labels: how many it learned.
        lost: how many of those were customers who left.
        weights: how much each expert is listened to.
        alarms: the newest times that an expert was found to predict worse than it used to, newest last.
        norms: with whom percentiles compare; None where nobody is compared.
        segments: by name, empty for whoever no card fits; only those that have had labels.
    """

    version: int
    at: float
    trained_through: float
    config_version: str
    labels: int
    lost: int
    weights: dict[str, float]
    alarms: list[Alarm] = msgspec.field(default_factory=list)
    norms: Usual | None = None
    segments: dict[str, Mix] = msgspec.field(default_factory=dict)


def versions(connection: Connection) -> list[Version]:
    """Those that are kept, newest first."""
    asked = select(_MODELS.c.body).where(_MODELS.c.version > DRAFT).order_by(_MODELS.c.version.desc())
    return [_told(decode(body)) for body in connection.scalars(asked)]


def go_back(connection: Connection, to: int, now: float) -> Version:
    """Publish what a version knew as the next one, and let learning go on from there.

    A version never changes and none is taken away: whoever predicted with one can still be told what it said. Labels
    learned since are not taught again; they are what one wants to be rid of.

    Raises:
        ConfigError: there is no such version, or it is the newest.
    """
    alone(connection)
    found = connection.execute(select(_MODELS.c.version, _MODELS.c.body).where(_MODELS.c.version > DRAFT)).all()
    bodies = {row.version: row.body for row in found}
    if to not in bodies:
        raise ConfigError(f"there is no version {to} of the models; `pulsehub models` lists those that are kept")
    newest = max(bodies)
    if to == newest:
        raise ConfigError(f"version {to} is the newest: it is what everybody predicts with")
    model = msgspec.structs.replace(decode(bodies[to]), version=newest + 1, at=now, unpublished=0)
    connection.execute(insert(_MODELS).values(columns(model, model.version)))
    connection.execute(delete(_MODELS).where(_MODELS.c.version == DRAFT))
    connection.execute(insert(_MODELS).values(columns(model, DRAFT)))
    return _told(model)


def forget(connection: Connection, name: str, now: float) -> Version:
    """Let the expert of a plugin begin anew: publish the newest version without what that one learned, and its weight.

    Raises:
        ConfigError: no model knows an expert of a plugin of this name.
    """
    alone(connection)
    rows = connection.execute(select(_MODELS.c.version, _MODELS.c.body).order_by(_MODELS.c.version.desc())).all()
    draft = next((decode(row.body) for row in rows if row.version == DRAFT), None)
    if draft is None or name not in draft.guests:
        known = ", ".join(sorted(draft.guests)) if draft and draft.guests else "none"
        raise ConfigError(f"the models know no expert of a plugin called {name!r}; they know {known}")
    draft.mixture.dismiss(name)
    del draft.guests[name]
    made = msgspec.structs.replace(draft, version=rows[0].version + 1, at=now, unpublished=0)
    connection.execute(insert(_MODELS).values(columns(without_waiting(made), made.version)))
    connection.execute(delete(_MODELS).where(_MODELS.c.version == DRAFT))
    connection.execute(insert(_MODELS).values(columns(made, DRAFT)))
    return _told(made)


def _told(model: Model) -> Version:
    norms = model.norms
    return Version(
        model.version,
        model.at,
        model.trained_through,
        model.config_version,
        model.labels,
        model.lost,
        model.weights,
        model.drift.alarms,
        None if norms is None else Usual(norms.version, norms.at, norms.accounts, norms.read),
        {
            name: Mix(blend.labels, blend.credibility, model.level_in(name), model.weights_in(name))
            for name, blend in model.blends.of.items()
        },
    )
