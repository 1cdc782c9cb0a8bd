"""`doctor`: is everything in order, do the books balance, and what to do if not."""

from __future__ import annotations

import importlib
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import httpx
import redis
import typer

from hub.cli import context
from hub.cli.output import Json, answer, plain, print_json
from hub.registry import Configured, Registry
from hub.sdk.errors import ConfigError, HubError
from hub.settings import Settings
from hub.store.expendable.client import connect
from hub.store.questions import way
from hub.streams.accounting import Books, archived, books
from hub.streams.sqlite.logfile import LogReader, path_of
from scoring.archive import forgotten

_SIGN: Final = {"ok": "[green]▲[/]", "note": "[dim]●[/]", "wrong": "[red]▼[/]"}
_NOTHING: Final = Books(0, 0, 0, 0, 0, 0, 0)


class Check(NamedTuple):
    """One thing looked at. `state` is ok, note (worth knowing, not wrong) or wrong."""

    name: str
    state: str
    says: str


def doctor(*, as_json: Json = False) -> None:
    """Check settings, plugins, files and the books; status 1 if something is wrong."""
    settings, vendors = context.load()
    checks = list(_environment(settings))
    checks += _plugins(settings, vendors)
    checks += _reachable(settings)
    counted, found = _installation(settings)
    checks += found
    ok = all(check.state != "wrong" for check in checks)
    if as_json:
        print_json(
            {
                "ok": ok,
                "received": counted.received,
                "applied": counted.applied,
                "duplicates": counted.duplicates,
                "dead_lettered": counted.dead_lettered,
                "pending": counted.pending,
                "checks": [check._asdict() for check in checks],
            }
        )
    else:
        for check in checks:
            answer.print(f"{_SIGN[check.state]} {check.name:<12} {plain(check.says)}")
    if not ok:
        raise typer.Exit(1)


def _environment(settings: Settings) -> Iterator[Check]:
    ours = ("hub", "plugins", "scoring", "sinks")
    parents = {Path(str(importlib.import_module(name).__file__)).parents[1] for name in ours}
    if len(parents) == 1:
        yield Check("packages", "ok", f"hub, plugins, scoring and sinks come from {parents.pop()}")
    else:
        where = ", ".join(sorted(map(str, parents)))
        yield Check(
            "packages", "wrong", f"our packages come from several places ({where}): give us our own environment"
        )
    folder = settings.data if settings.data.exists() else settings.data.absolute().parent
    free = shutil.disk_usage(folder if folder.exists() else Path.cwd()).free
    state = "ok" if free > settings.min_free_disk else "wrong"
    least = settings.min_free_disk / 2**30
    yield Check("disk", state, f"{free / 2**30:.1f} GiB free for {settings.data}; the door says no below {least:.2f}")


def _plugins(settings: Settings, vendors: dict[str, str]) -> Iterator[Check]:
    try:
        registry = Registry()
        configured = registry.configure(vendors, httpx.AsyncClient(), settings.connections)
    except ConfigError as error:
        yield Check("settings", "wrong", str(error))
        return
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


def _reachable(settings: Settings) -> Iterator[Check]:
    if settings.redis_url:
        try:
            connect(settings.redis_url.get_secret_value()).ping()
            yield Check("redis", "ok", "answers")
        except ConfigError as error:
            yield Check("redis", "wrong", str(error))
        except redis.RedisError as error:
            yield Check("redis", "wrong", f"PULSEHUB_REDIS_URL does not answer: {error}")
    if settings.smtp_url:
        url = urlsplit(settings.smtp_url.get_secret_value())
        port = url.port or (465 if url.scheme == "smtps" else 25)
        try:
            socket.create_connection((url.hostname or "", port), timeout=3).close()
            yield Check("smtp", "ok", f"{url.hostname}:{port} answers")
        except OSError as error:
            yield Check("smtp", "wrong", f"{url.hostname}:{port} of PULSEHUB_SMTP_URL does not answer: {error}")


def _installation(settings: Settings) -> tuple[Books, list[Check]]:
    try:
        file = path_of(settings.stream)
        if not file.exists():
            return _NOTHING, [Check("books", "note", f"nothing in {settings.data} yet; `pulsehub up` makes it")]
        with context.opened(settings) as database, closing(LogReader(file)) as log, database.read() as connection:
            counted, kept = books(connection, log), archived(connection) + forgotten(connection)
            letters = way.letters_by_connection(connection)
    except HubError as error:
        return _NOTHING, [Check("installation", "wrong", str(error))]
    sums = (
        f"received {counted.received:,} = applied {counted.applied:,} + duplicates {counted.duplicates:,}"
        f" + dead-lettered {counted.dead_lettered:,} + pending {counted.pending:,}"
    )
    checks = [Check("books", "ok", sums)]
    if counted.pending < 0:
        says = (
            f"streams.db ends {-counted.pending:,} records before what was applied: it is not of the moment of hub.db"
        )
        return counted, [Check("books", "wrong", f"{says}. Put back the two files of one moment")]
    if not counted.balanced or kept != counted.applied:
        wrong = f"; {counted.astray:+,} astray, {kept:,} in the archive"
        checks = [Check("books", "wrong", f"do not balance: {sums}{wrong}. Keep a copy of {settings.data}, report it")]
    if letters:
        many = ", ".join(f"{number} of {name or '?'}" for name, number in letters.items())
        checks.append(Check("dead letters", "note", f"{many}: `pulsehub deadletters list` says why"))
    return counted, checks
