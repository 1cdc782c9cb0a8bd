"""Settings, declared once: a plugin's base class and how it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr, ValidationError

from hub.sdk.errors import ConfigError


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(SecretStr(part.strip()) for part in value.split(",") if part.strip())
    return value


Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(_split)]
"""Several secrets in one setting, comma-separated, all of them active: how secrets are rotated."""


class VendorSettings(BaseModel):
    """Settings of one connection; the field `signing_secret` is read from `<PREFIX>SIGNING_SECRET`.

    >>> class Acme(VendorSettings):
    ...     prefix = "PULSEHUB_ACME_"
    ...     connection: str = "acme"
    ...     api_key: SecretStr
    >>> Acme.read({}) is None
    True
    >>> Acme.read({"PULSEHUB_ACME_API_KEY": "k"}).connection
    'acme'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    prefix: ClassVar[str]

    connection: str

    @classmethod
    def read(cls, settings: Mapping[str, str]) -> Self | None:
        """None when nothing of ours is set; `ConfigError`, naming the key, when only half of it is."""
        ours = {k.removeprefix(cls.prefix).lower(): v for k, v in settings.items() if k.startswith(cls.prefix) and v}
        if not ours.keys() - {"connection"}:
            return None
        try:
            return cls.model_validate(ours)
        except ValidationError as error:
            raise ConfigError("; ".join(cls._say(e["type"], e["loc"], e["msg"]) for e in error.errors())) from None

    @classmethod
    def _say(cls, kind: str, where: tuple[int | str, ...], message: str) -> str:
        key = cls.prefix + str(where[0] if where else "").upper()
        match kind:
            case "missing":
                return f"{key} is not set, and the other {cls.prefix}* settings need it"
            case "extra_forbidden":
                known = ", ".join(sorted(cls.prefix + name.upper() for name in cls.model_fields))
                return f"{key} is not a setting; known are {known}"
            case _:
                return f"{key}: {message}"
