"""`up`: all of Pulsehub in one process, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from hub.cli import context
from hub.cli.output import aside, print_json
from hub.logs import configure_logging
from hub.settings import Settings
from hub.worker import Hub

_WATCH = 1.0  # seconds between two looks at whether a room has stopped


def up(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document with the address once it answers.")
    ] = False,
) -> None:
    """Run everything in one process: door, agents, deliveries, pages. Ctrl-C or SIGTERM stops it cleanly."""
    settings, vendors = context.load()
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = settings.model_copy(update=given)
    configure_logging(settings.log_level)
    asyncio.run(_up(settings, vendors, as_json=as_json))


async def _up(settings: Settings, vendors: dict[str, str], *, as_json: bool) -> None:
    with stopping() as stop:
        async with Hub(settings, vendors) as hub:
            if as_json:
                print_json({"url": hub.url, "data": str(settings.data)})
            aside.print(f"Pulsehub answers at [bold]{hub.url}[/]  (Ctrl-C stops it)")
            if not hub.configured.sources:
                aside.print("[yellow]◆[/] no source is configured yet: `pulsehub plugins` lists what could be")
            await until(stop, hub)


async def until(stop: asyncio.Event, hub: Hub) -> None:
    """Wait for the signal to stop, saying so once if a room fails meanwhile."""
    said = False
    while not stop.is_set():
        if hub.engine.streams.failed and not said:
            logging.getLogger("worker").error("worker.room_failed", extra={"reason": hub.engine.streams.failed})
            said = True
        try:
            await asyncio.wait_for(stop.wait(), _WATCH)
        except TimeoutError:
            continue


@contextmanager
def stopping() -> Iterator[asyncio.Event]:
    """An event that is set by Ctrl-C or SIGTERM; a second one ends the process at once."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def ask() -> None:
        if stop.is_set():
            os._exit(130)  # nothing is lost: what is acknowledged is on disk, however a process ends
        aside.print("stopping: finishing what is in hand")
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
