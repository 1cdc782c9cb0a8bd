"""What every command starts from: the settings, and the installation's database to read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from hub import settings as settings_of
from hub.sdk.errors import HubError
from hub.settings import Settings
from hub.store import versions
from hub.store.database import Database, look
from hub.store.heartbeats import alive


@dataclass(slots=True)
class _Chosen:
    config: Path | None = None


_chosen = _Chosen()


def choose_config(path: Path | None) -> None:
    """Remember `--config` for this run."""
    _chosen.config = path


def load() -> tuple[Settings, dict[str, str]]:
    """Our settings, and those that plugins read.

    Raises:
        ConfigError: a setting is unknown or wrong.
    """
    return settings_of.load(os.environ, _chosen.config)


def begun(settings: Settings) -> None:
    """Make sure that there is an installation, so that looking makes none.

    Raises:
        HubError: there is none yet.
    """
    name, found = look(settings.database)
    versions.refuse(found, name)
    if found.schema is None and settings.database_url:
        raise HubError(f"there is no installation in {name} yet; `pulsehub up`, or `web` and `worker`, make one")
    if found.schema is None:
        raise HubError(f"there is no installation in {settings.data} yet; `pulsehub up` or `pulsehub demo` makes one")


def unused(database: Database) -> None:
    """Make sure that nobody works on the installation.

    Raises:
        HubError: somebody does, or did until a moment ago.
    """
    with database.read() as connection:
        others = alive(connection)
    if others:
        said = ", ".join(f"{one.role} {one.id}" for one in others)
        raise HubError(f"{database.name} is in use by {said}: stop them first")


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """The installation's database.

    Raises:
        HubError: there is none yet.
    """
    begun(settings)
    with Database(settings.database) as database:
        yield database


@contextmanager
def reading() -> Iterator[Connection]:
    """A look into the installation's database, beside a running hub or without one."""
    settings, _ = load()
    with opened(settings) as database, database.read() as connection:
        yield connection
