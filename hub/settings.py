"""The installation's settings: `pulsehub.toml`, then `PULSEHUB_*` in the environment, which wins."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from hub.sdk.errors import ConfigError
from hub.sdk.settings import Secrets

PREFIX = "PULSEHUB_"
SHORTEST_KEY = 32


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _text(value: object) -> str:
    """A plugin's setting as the environment would have it: several secrets are comma-separated."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _hard_to_guess(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if any(len(key.get_secret_value()) < SHORTEST_KEY for key in keys):
        raise ValueError(f"a key has less than {SHORTEST_KEY} characters: `openssl rand -hex 32` makes one")
    return keys


class Settings(BaseModel):
    """Everything an operator may set. `PULSEHUB_DATA` sets `data`, and so on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path = Field(Path("data"), description="folder of an embedded installation: log, database")
    broker_url: SecretStr = Field(
        SecretStr(""),
        description="the stream; `sqlite:///<data>/streams.db` unless set, or `kafka://host:9092,host:9092/prefix`",
    )
    database_url: str = Field("", description="the truth; `sqlite:///<data>/hub.db` unless set")
    redis_url: SecretStr | None = Field(None, description="expendable coordination between workers; none by default")
    smtp_url: SecretStr | None = Field(
        None,
        description="where alerts are mailed through: `smtp://user:password@host:25`, `smtps://`, `smtp+starttls://`",
    )
    mail_from: str = Field("Pulsehub <pulsehub@localhost>", description="sender of our e-mail")
    alerts_to: Annotated[list[str], BeforeValidator(_split)] = Field(
        default_factory=list,
        description="who is told of a customer at risk that has no owner; comma-separated",
    )
    public_url: str = Field("http://127.0.0.1:8420", description="where people open our pages; links in e-mail use it")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8420, ge=0, le=65535, description="port to listen on")
    api_token: SecretStr | None = Field(None, description="needed to listen on anything but the loopback address")
    secret_keys: Annotated[Secrets, AfterValidator(_hard_to_guess)] = Field(
        (),
        description="sign what plugins' experts have learned; the first signs, all are believed. On files "
        "`<data>/secret.key`, which is made when it is needed",
    )
    partitions: int | None = Field(
        None, ge=1, le=1024, description="of every topic, fixed when the installation is made; 8 in a file, 64 in Kafka"
    )
    clock: Literal["wall", "event"] = Field("wall", description="`event`: time is the newest event's (old data, demos)")
    scoring: Path | None = Field(None, description="folder of measures.yaml and scorecard.yaml; ours unless set")
    archive_days: int = Field(400, ge=1, description="how long events are kept in the archive after they came")
    ledger_days: int = Field(800, ge=1, description="how long changes of health, and outcomes learned, are kept")
    max_body: int = Field(
        1_048_576, ge=1024, le=4_194_304, description="bytes of a webhook, as sent and after decompression"
    )
    max_lag: int = Field(200_000, ge=1, description="unscored events beyond which the door answers 503")
    min_free_disk: int = Field(256 * 1024 * 1024, ge=0, description="bytes of free disk below which it does too")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="of the structured log")
    otel_endpoint: str = Field("", description="OTLP over HTTP, where traces go (`http://collector:4318/v1/traces`)")
    otel_share: float = Field(1.0, ge=0, le=1, description="of events that are traced; the same ones everywhere")
    connections: dict[str, dict[str, Annotated[str, BeforeValidator(_text)]]] = Field(
        default_factory=dict,
        description='further connections: `[connections.zendesk-emea]` with `plugin = "zendesk"` and its settings',
    )

    @property
    def stream(self) -> str:
        """URL of the broker."""
        return self.broker_url.get_secret_value() or f"sqlite:///{self.data / 'streams.db'}"

    @property
    def embedded(self) -> bool:
        """Whether something of it is a file in the data folder, so that one process runs all agents."""
        return any(url.startswith("sqlite:") for url in (self.stream, self.database))

    @property
    def topic_partitions(self) -> int:
        """How many partitions a new log gets."""
        return self.partitions or (8 if self.stream.startswith("sqlite:") else 64)

    @property
    def database(self) -> str:
        """URL of the database."""
        return self.database_url or f"sqlite:///{self.data / 'hub.db'}"


def load(environ: Mapping[str, str] = os.environ, config: Path | None = None) -> tuple[Settings, dict[str, str]]:
    """Read the settings: ours as a tree, and what plugins are given: their `PULSEHUB_<VENDOR>_*`, and how to mail.

    The file is `config`, or `PULSEHUB_CONFIG`, or the first of `pulsehub.toml` and `<data>/pulsehub.toml` there is.
    Keys of the file that belong to plugins stand in a table of the vendor's name: `[zendesk]`, `signing_secret`.

    Raises:
        ConfigError: a setting is unknown or wrong; the message names it.
    """
    written = _file(environ, config)
    vendors = {k: v for k, v in written.items() if isinstance(v, dict) and k != "connections"}
    ours: dict[str, Any] = {k: v for k, v in written.items() if k not in vendors}
    rest = {f"{PREFIX}{v}_{k}".upper(): _text(value) for v, keys in vendors.items() for k, value in keys.items()}
    for key, value in environ.items():
        if key.startswith(PREFIX) and value:
            name = key.removeprefix(PREFIX).lower()
            if name in Settings.model_fields:
                ours[name] = value
            elif name != "config":
                rest[key] = value
    try:
        settings = Settings.model_validate(ours)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{PREFIX}{name.upper()} (or {name} in pulsehub.toml): {first['msg']}") from None
    for_plugins = {"public_url": settings.public_url, "mail_from": settings.mail_from}
    if settings.smtp_url:
        for_plugins["smtp_url"] = settings.smtp_url.get_secret_value()
    return settings, rest | {f"{PREFIX}{name}".upper(): value for name, value in for_plugins.items()}


def _file(environ: Mapping[str, str], config: Path | None) -> dict[str, Any]:
    asked = config or (Path(environ["PULSEHUB_CONFIG"]) if environ.get("PULSEHUB_CONFIG") else None)
    data = Path(environ.get("PULSEHUB_DATA") or "data")
    found = asked or next((p for p in (Path("pulsehub.toml"), data / "pulsehub.toml") if p.is_file()), None)
    if found is None:
        return {}
    try:
        written = tomllib.loads(found.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {found}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{found} is not TOML: {error}") from None
    for name in ("data", "scoring"):  # a file's relative paths begin where the file is, whoever reads it from where
        if isinstance(written.get(name), str):
            written[name] = found.parent / written[name]
    return written


def adopt(settings: Settings, folder: Path) -> bool:
    """Give a new installation the settings that came with some data: `pulsehub.toml` of `folder` and its scoring files.

    They are copied into the data folder, so that every later command finds them. Nothing happens, and False is
    returned, if the installation has begun or there is no such file.

    Raises:
        ConfigError: the data folder cannot be written.
    """
    there = folder / "pulsehub.toml"
    kept = settings.data / "pulsehub.toml"
    if not there.is_file() or kept.exists() or (settings.data / "hub.db").exists():
        return False
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        if (folder / "scoring").is_dir():
            shutil.copytree(folder / "scoring", settings.data / "scoring", dirs_exist_ok=True)
        shutil.copyfile(there, kept)
    except OSError as error:
        raise ConfigError(f"cannot write to {settings.data}: {error.strerror}") from None
    return True
