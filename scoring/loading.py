"""From a folder of YAML to a validated configuration; every error says where it is and what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Protocol

import yaml
from pydantic import ValidationError
from sqlalchemy import Connection, select

from hub import ConfigError
from hub.store import schema
from hub.store.upserts import insert
from scoring.config import Config

FILES: Final = ("measures.yaml", "scorecard.yaml")


class Folder(Protocol):
    """What a file is looked up in: a `Path`, or our own package's data."""

    def joinpath(self, name: str, /) -> Any:
        """The file of this name."""


def load(
    folder: Path | None = None, more: Iterable[Mapping[str, Any]] = (), draft: Mapping[str, Path] | None = None
) -> Config:
    """Read `measures.yaml` and `scorecard.yaml` of a folder; ours where one is missing or no folder is given.

    Args:
        folder: what setting `scoring` names.
        more: measures that plugins bring; one of the file's with the same name wins.
        draft: files to read in place of the folder's, by the name they would have there.

    Raises:
        ConfigError: there is no such folder, a file is not YAML, or what it says makes no sense.
    """
    if folder is not None and not folder.is_dir():
        raise ConfigError(f"there is no folder {folder} (setting `scoring`)")
    found = {name: read(folder, name, (draft or {}).get(name)) for name in FILES}
    measures, scorecard = (found[name] for name in FILES)
    declared = measures.get("measures") if isinstance(measures, dict) else measures
    if not isinstance(declared, list):
        raise ConfigError("measures.yaml: must be a list of measures")
    taken = {measure.get("name") for measure in declared if isinstance(measure, dict)}
    declared = [*declared, *(dict(measure) for measure in more if measure.get("name") not in taken)]
    try:
        return Config.model_validate({"measures": declared, "scorecard": scorecard})
    except ValidationError as error:
        raise ConfigError("; ".join(_say(e["loc"], e["msg"], declared) for e in error.errors()[:3])) from None


def remember(connection: Connection, config: Config, at: float) -> None:
    """Keep a configuration under its version, so that what was computed with it can be told later."""
    row = {"version": config.version, "at": at, "body": config.body}
    connection.execute(insert(schema.configs).values(row).on_conflict_do_nothing())


def remembered(connection: Connection, version: str) -> Config | None:
    """The configuration of a version, None if it was never in use here."""
    body = connection.scalar(select(schema.configs.c.body).where(schema.configs.c.version == version))
    return None if body is None else Config.model_validate_json(body)


def text(folder: Path | None, name: str) -> str:
    """One of `FILES` as it stands in a folder; ours where it is missing or no folder is given.

    Raises:
        ConfigError: it cannot be read.
    """
    path = _path(folder, name)
    try:
        found: str = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    return found


def _path(folder: Path | None, name: str) -> Any:
    ours: Folder = files("scoring").joinpath("defaults")
    return folder / name if folder is not None and (folder / name).is_file() else ours.joinpath(name)


def read(folder: Path | None, name: str, draft: Path | None = None) -> Any:
    """A file as YAML has it: the draft's, the folder's, or ours where neither has one.

    Raises:
        ConfigError: it cannot be read, or is not YAML.
    """
    path = _path(folder, name) if draft is None else draft
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{where} is not YAML: {getattr(error, 'problem', None) or error}") from None


def _say(where: tuple[int | str, ...], message: str, declared: list[Any]) -> str:
    message = message.removeprefix("Value error, ")
    match where:
        case ("measures", int(place), *rest):
            measure = declared[place]
            name = measure.get("name") if isinstance(measure, dict) else None
            inside = ".".join(map(str, rest))
            return f"measures.yaml, {name or f'measure {place + 1}'}{': ' + inside if inside else ''}: {message}"
        case ("scorecard", *rest) if rest:
            return f"scorecard.yaml, {'.'.join(map(str, rest))}: {message}"
        case _:
            return f"{'.'.join(map(str, where)) or 'scoring'}: {message}"
