"""`backup` and `restore`: an installation as a folder of files, from any engine to any engine."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from sqlalchemy import select

from hub.backup import Manifest, Moved, Restored
from hub.backup import restore as bring_back
from hub.backup import take as take_it
from hub.backup.taking import size_of
from hub.cli import context
from hub.cli.output import Json, answer, aside, plain, print_json
from hub.cli.running import stopping
from hub.cli.streams import log_of
from hub.locking import Lock
from hub.logs import configure_logging
from hub.registry import Registry
from hub.sdk.errors import HubError
from hub.settings import Settings
from hub.store.database import Database
from hub.store.schema import configs
from hub.streams.opening import open_log
from hub.streams.topics import EVENTS
from hub.worker.engine import Engine
from scoring.loading import load as load_config

_LOOK: Final = 0.5  # seconds
_NICE: Final = 15  # a running hub goes first

Folder = Annotated[Path, typer.Argument(help="The backup.")]


def backup(
    folder: Annotated[Path, typer.Argument(help="Where to; not there yet, or empty.")],
    *,
    drain: Annotated[
        bool,
        typer.Option(
            "--drain",
            help="First let the agents, here, take in all there is; needed to change the number of partitions.",
        ),
    ] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Take along the bodies that sources keep for 7 days.")] = False,
    as_json: Json = False,
) -> None:
    """Write a backup, beside a running hub or without one. It appears under its name once all of it is on disk."""
    settings, vendors = context.load()
    context.begun(settings)
    configure_logging("warning" if settings.log_level == "info" else settings.log_level)
    if drain:
        asyncio.run(_drain(settings, vendors))
    os.nice(_NICE)
    began = time.monotonic()
    with context.opened(settings) as database, log_of(settings, database) as log:
        if not log.ends(EVENTS.name):
            raise HubError(f"there is nothing at {log.place} yet; the next start makes its topics")
        with _bar() as moved:
            done = take_it(
                database,
                log,
                folder,
                version=version("pulsehub"),
                clock=settings.clock,
                raw=raw,
                spare=settings.min_free_disk,
                moved=moved,
            )
    _say_taken(folder, done, time.monotonic() - began, as_json=as_json)


def restore(
    folder: Folder,
    *,
    keep_log: Annotated[
        bool,
        typer.Option("--keep-log", help="Only the database was lost: apply again what its log has beyond the backup."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Make an empty installation what the backup holds, on the engine and with the partitions of the settings."""
    settings, _ = context.load()
    Manifest.of(folder)  # before anything is made
    configure_logging("warning" if settings.log_level == "info" else settings.log_level)
    with ExitStack() as opened:
        if settings.embedded:
            opened.enter_context(Lock(settings.data))
        database = opened.enter_context(Database(settings.database))
        context.unused(database)
        moved = opened.enter_context(_bar())
        done = bring_back(
            folder,
            database,
            lambda: open_log(settings.stream, settings.topic_partitions, database),
            settings.topic_partitions,
            keep_log=keep_log,
            moved=moved,
        )
        notes = list(_notes(settings, database, done))
    _say_restored(done, notes, as_json=as_json)


async def _drain(settings: Settings, vendors: dict[str, str]) -> None:
    """Run the agents here until nothing is left to do. No door is open meanwhile, so it comes to an end."""
    if not settings.embedded:
        with context.opened(settings) as database:
            context.unused(database)
    registry = Registry()
    async with httpx.AsyncClient() as http:
        engine = Engine(settings, registry, registry.configure(vendors, http, settings.connections))
        with stopping() as stop:
            async with engine:
                while not stop.is_set() and not await engine.drained(_LOOK):
                    aside.print(f"{engine.books().pending:,} events are still to be scored")
    if stop.is_set():
        raise HubError("stopped before all was taken in; no backup was written")


@contextmanager
def _bar() -> Iterator[Moved]:
    """Progress on standard error: one line for each thing that is being done."""
    columns = (TextColumn("{task.description:>20}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, TimeRemainingColumn(), console=aside) as bar:

        def moved(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done, total=max(of, 1) if done < of else max(done, 1))

        yield moved


def _notes(settings: Settings, database: Database, done: Restored) -> Iterator[str]:
    """What a backup cannot bring along."""
    if settings.clock != done.manifest.clock:
        yield f"PULSEHUB_CLOCK is {settings.clock} and was {done.manifest.clock}: scores will differ"
    ours = load_config(settings.scoring, Registry().measures()).version
    with database.read() as connection:
        theirs = connection.scalar(select(configs.c.version).order_by(configs.c.at.desc()).limit(1))
    if theirs not in {None, ours}:
        yield "measures or scorecard are not those it was scored with: bring its pulsehub.toml and scoring/ along"
    if not done.books.balanced:
        yield "the books do not balance: run `pulsehub doctor`"


def _say_taken(folder: Path, done: Manifest, seconds: float, *, as_json: bool) -> None:
    size = size_of(folder)
    if as_json:
        document: dict[str, Any] = {
            "folder": str(folder),
            "bytes": size,
            "seconds": round(seconds, 3),
            "taken_at": done.taken_at,
            "engine": done.engine,
            "stream": done.stream,
            "partitions": done.partitions,
            "schema": done.schema,
            "rows": {name: part.rows for name, part in done.tables.items()},
            "unread": dict(done.unread),
            "lost": done.lost,
        }
        print_json(document)
        return
    unread = ", ".join(f"{many:,} of {topic}" for topic, many in done.unread.items()) or "nothing"
    answer.print(
        f"{plain(folder)} holds {done.rows:,} rows as of {done.taken_at} and, not applied yet, {unread};"
        f" {size / 2**20:,.1f} MiB in {seconds:.1f} s"
    )
    if done.lost:
        aside.print(f"{done.lost:,} records had been let go of before they were read; they are in no backup")


def _say_restored(done: Restored, notes: list[str], *, as_json: bool) -> None:
    if as_json:
        document = {
            "taken_at": done.manifest.taken_at,
            "rows": dict(done.rows),
            "records": dict(done.records),
            "received": done.books.received,
            "applied": done.books.applied,
            "pending": done.books.pending,
            "balanced": done.books.balanced,
            "notes": notes,
        }
        print_json(document)
        return
    answer.print(
        f"restored {sum(done.rows.values()):,} rows and {sum(done.records.values()):,} unread records as of"
        f" {done.manifest.taken_at}: {done.rows.get('accounts', 0):,} accounts, {done.books.applied:,} events applied,"
        f" {done.books.pending:,} pending"
    )
    for note in notes:
        aside.print(plain(note))
    answer.print("destinations may show what they were told later: `pulsehub deliveries --again NAME` for each")
