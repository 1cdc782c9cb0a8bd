"""What declared data is made of: fields that are written down only where they say something, spans of time, shares."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

_UNITS: Final = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


class Data(BaseModel):
    """Declared data. What `later` names came after release 0.1: it is written down only where it says something.

    A version is made of what is written down, so a file that does not use a new word keeps the version it had.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    later: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _lean(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        fields = type(self).model_fields
        silent = {
            name for name in self.later if getattr(self, name) == fields[name].get_default(call_default_factory=True)
        }
        return {name: said for name, said in written.items() if name not in silent}


def seconds(value: object) -> object:
    """`30d`, `12h`, `90m`, `2w` or a number of seconds, as seconds; `forever` as infinity."""
    if value == "forever":
        return math.inf
    if isinstance(value, str) and (found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([mhdw])", value)):
        return float(found[1]) * _UNITS[found[2]]
    return value


def share(value: object) -> object:
    """`20%` as 0.2; a number is taken as it is."""
    if isinstance(value, str) and (found := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", value)):
        return float(found[1]) / 100.0
    return value


def listed(value: object) -> object:
    """One value is a list of it."""
    return value if isinstance(value, list | tuple) else [value]


Duration = Annotated[float, Field(gt=0, allow_inf_nan=True), BeforeValidator(seconds)]
Grace = Annotated[float, Field(ge=0), BeforeValidator(seconds)]
Share = Annotated[float, Field(gt=0), BeforeValidator(share)]
