"""The program itself, its settings, its plugins, the disk: what can be said before anything is asked."""

from __future__ import annotations

import importlib
import platform
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import httpx

from hub.cli.checks import Check
from hub.cli.checks.spelling import misspelt
from hub.registry import Configured, Registry
from hub.sdk.errors import ConfigError
from hub.settings import Settings
from hub.streams.topics import DAY, EVENTS
from hub.web.listen import SHORT
from scoring.experts.seating import OURS

_STANDS_ON: Final = ("faust-streaming", "sqlalchemy", "aiokafka", "psycopg", "redis", "river", "numpy")


def program() -> Iterator[Check]:
    """Whether all of it comes from one place, and what it stands on."""
    ours = ("hub", "plugins", "scoring", "sinks")
    parents = {Path(str(importlib.import_module(name).__file__)).parents[1] for name in ours}
    if len(parents) == 1:
        yield Check("packages", "ok", f"hub, plugins, scoring and sinks come from {parents.pop()}")
    else:
        where = ", ".join(sorted(map(str, parents)))
        yield Check(
            "packages", "wrong", f"our packages come from several places ({where}): give us our own environment"
        )
    others = ", ".join(f"{name} {_version(name)}" for name in _STANDS_ON)
    said = f"pulsehub {version('pulsehub')}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    yield Check("versions", "ok", f"{said}, {others}")


def disk(settings: Settings) -> Check:
    """Whether there is room for what comes."""
    folder = settings.data if settings.data.exists() else settings.data.absolute().parent
    free = shutil.disk_usage(folder if folder.exists() else Path.cwd()).free
    state = "ok" if free > settings.min_free_disk else "wrong"
    least = settings.min_free_disk / 2**30
    return Check("disk", state, f"{free / 2**30:.1f} GiB free for {settings.data}; the door says no below {least:.2f}")


def given(settings: Settings, vendors: Mapping[str, str]) -> Iterator[Check]:
    """Settings that are probably not what was meant, and plugins."""
    registry = Registry()
    for name, meant in misspelt(vendors, [plugin.name for plugin in registry.plugins]).items():
        yield Check("settings", "note", f"nobody reads {name}: is it {meant}?")
    if settings.api_token and len(settings.api_token.get_secret_value()) < SHORT:
        yield Check("settings", "note", "PULSEHUB_API_TOKEN is short enough to be guessed: `openssl rand -hex 32`")
    if settings.archive_days * DAY < EVENTS.retention:
        days = EVENTS.retention / DAY
        says = f"PULSEHUB_ARCHIVE_DAYS is less than the {days:g} days of the log: what is replayed finds no history"
        yield Check("settings", "note", says)
    try:
        configured = registry.configure(vendors, httpx.AsyncClient(), settings.connections)
    except ConfigError as error:
        yield Check("settings", "wrong", str(error))
        return
    registry.experts(OURS)  # what is wrong with one is its plugin's problem
    for plugin in registry.plugins:
        if plugin.problem:
            yield Check("plugin", "wrong", f"{plugin.name} ({plugin.distribution} {plugin.version}): {plugin.problem}")
    yield _connected(configured)


def _connected(configured: Configured) -> Check:
    sources = ", ".join(source.name for source in configured.sources)
    sinks = ", ".join(sink.name for sink in configured.sinks)
    if not sources:
        return Check("connections", "note", "no source is configured: set PULSEHUB_STRIPE_SIGNING_SECRET, for example")
    return Check("connections", "ok", f"listening to {sources}; pushing to {sinks or 'nobody yet'}")


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "is not installed"
