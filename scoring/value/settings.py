"""`value.yaml`: what counts as a purchase, how far ahead is looked, and how sure the bounds are to be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from hub import ConfigError
from scoring.declared import seconds
from scoring.loading import read

FILE = "value.yaml"
_DAY = 86_400.0


class Valuing(BaseModel):
    """How customers are valued."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    purchases: tuple[str, ...] = Field(("invoice.paid",), description="kinds of events that are purchases")
    refunds: tuple[str, ...] = Field(("refund.issued",), description="kinds by which money goes back")
    horizon: Annotated[float, BeforeValidator(seconds), Field(ge=_DAY, le=3_660 * _DAY)] = 365 * _DAY
    discount: float = Field(0.1, ge=0, le=1, description="a year: what money of a year from now is worth less today")
    interval: float = Field(0.8, ge=0.5, le=0.95, description="share of what may come that lies within the bounds")

    @property
    def days(self) -> float:
        """The horizon."""
        return self.horizon / _DAY


def load(folder: Path | None = None) -> Valuing:
    """Read `value.yaml` of a folder; ours where it has none.

    Raises:
        ConfigError: it is not YAML, or what it says makes no sense.
    """
    written = read(folder, FILE)
    try:
        return Valuing.model_validate(written if written is not None else {})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(
            f"{FILE}{', ' + where if where else ''}: {first['msg'].removeprefix('Value error, ')}"
        ) from None
