"""`actions.yaml`: what one can do about a customer, when, at which cost, and how often."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from hub.sdk.errors import ConfigError
from hub.sdk.health import Band
from scoring.conditions import checked
from scoring.config import Config
from scoring.declared import seconds
from scoring.loading import read

FILE = "actions.yaml"
_DAY = 86_400.0
_YEAR = 366 * _DAY
_NONE = "none"
Span = Annotated[float, BeforeValidator(seconds)]


class Action(BaseModel):
    """One thing that a person can do about a customer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    label: str = Field(min_length=1, max_length=120, description="what to do, in words")
    when: dict[str, Annotated[str, AfterValidator(checked)]] = Field(
        default_factory=dict, description="measure -> condition; all must hold"
    )
    weighs: str = Field("", description="only where this dimension takes points of health")
    bands: tuple[Band, ...] = Field((), description="only in these bands; else in any")
    cost: float = Field(0.0, ge=0, le=1, description="by how much more often it has to help")
    cooldown: Span = Field(14 * _DAY, ge=0, le=_YEAR, description="not again before")


class Actions(BaseModel):
    """All of them, the first that applies first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    horizon: Span = Field(30 * _DAY, ge=_DAY, le=_YEAR, description="what came of it is known after so long")
    again: Span = Field(7 * _DAY, ge=_DAY, le=_YEAR, description="a proposal stands for so long")
    explore: float = Field(0.1, ge=0.01, le=0.5, description="share of proposals that try something else")
    outcomes: int = Field(30, ge=5, le=100_000, description="known of an action before it may be preferred")
    rise: float = Field(5.0, gt=0, le=50, description="points of health by which a customer is better")
    actions: tuple[Action, ...] = Field(default=(), max_length=30)

    @cached_property
    def version(self) -> str:
        """12 hex digits of all of it."""
        written = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.blake2b(written.encode(), digest_size=6).hexdigest()

    @model_validator(mode="after")
    def _apart(self) -> Self:
        names = [action.name for action in self.actions]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"action {twice[0]} is declared twice")
        if _NONE in names:
            raise ValueError(f"no action can be called {_NONE}")
        return self

    def named(self, name: str) -> Action | None:
        """The action of that name."""
        return next((action for action in self.actions if action.name == name), None)


def load(folder: Path | None, config: Config) -> Actions:
    """Read `actions.yaml` of a folder; of ours, where it has none, those that speak of measures there are.

    Raises:
        ConfigError: it is not YAML, or what it says makes no sense.
    """
    theirs = folder is not None and (folder / FILE).is_file()
    written = read(folder, FILE)
    try:
        found = Actions.model_validate(written if written is not None else {})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        said = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{FILE}{', ' + where if where else ''}: {said}") from None
    measures = {measure.name for measure in config.measures}
    dimensions = {measure.dimension for measure in config.measures}
    lacking = [(action.name, what) for action in found.actions for what in _unknown(action, measures, dimensions)]
    if lacking and theirs:
        raise ConfigError(f"{FILE}, {lacking[0][0]}: there is no {lacking[0][1]}")
    out = {name for name, _ in lacking}
    return found.model_copy(update={"actions": tuple(one for one in found.actions if one.name not in out)})


def _unknown(action: Action, measures: Collection[str], dimensions: Collection[str]) -> list[str]:
    found = [f"measure {name}" for name in action.when if name not in measures]
    return found + ([f"dimension {action.weighs}"] if action.weighs and action.weighs not in dimensions else [])
