"""`up`, `web`, `worker`, `learner`: run until told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Annotated, Any, Self

import typer

from hub import tracing
from hub.cli import context
from hub.cli.checks.spelling import misspelt
from hub.cli.output import aside, plain, print_json
from hub.logs import configure_logging
from hub.sdk.errors import HubError
from hub.settings import Settings
from hub.worker.hub import Hub
from hub.worker.roles import AGENTS, LEARN, UP, WEB, Role
from hub.worker.roles import worker as role_of

DRAIN = 25.0  # seconds a stop may take; orchestrators kill after 30
_WATCH = 1.0  # seconds between two looks at whether a room has stopped


Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")]
Probes = Annotated[
    int | None,
    typer.Option("--port", min=0, max=65535, help="Port for /healthz, /readyz and /metrics; nowhere without it."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document with the address once it answers.")]


def up(*, host: Host = None, port: Port = None, as_json: AsJson = False) -> None:
    """Run everything in one process: door, agents, deliveries, pages. Ctrl-C or SIGTERM stops it cleanly."""
    _run(UP, host=host, port=port, as_json=as_json)


def web(*, host: Host = None, port: Port = None, as_json: AsJson = False) -> None:
    """Run door and pages, beside any number of others; workers do the rest. Needs kafka:// and postgresql://."""
    _run(WEB, host=host, port=port, as_json=as_json)


def worker(
    *,
    rooms: Annotated[str, typer.Option(help="Whose agents to run, comma-separated; `learner` may be one.")] = AGENTS,
    host: Host = None,
    port: Probes = None,
    as_json: AsJson = False,
) -> None:
    """Run agents and deliveries; any number of workers divide the customers among them."""
    role = role_of([room.strip() for room in rooms.split(",") if room.strip()])
    _run(role, host=host, port=port, as_json=as_json)


def learner(*, host: Host = None, port: Probes = None, as_json: AsJson = False) -> None:
    """Run what learns from outcomes, in a process of its own, so that no customer waits for it."""
    _run(LEARN, host=host, port=port, as_json=as_json)


def _run(role: Role, *, host: str | None, port: int | None, as_json: bool) -> None:
    settings, vendors = context.load()
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = settings.model_copy(update=given if role.faces else {k: v for k, v in given.items() if k == "host"})
    configure_logging(settings.log_level)
    tracing.begin(settings.otel_endpoint, settings.otel_share, role.name, version("pulsehub"))
    try:
        with Cut(DRAIN) as cut:
            asyncio.run(_serve(settings, vendors, role, probes=port, as_json=as_json, cut=cut))
    finally:
        tracing.use(None)


async def _serve(
    settings: Settings, vendors: dict[str, str], role: Role, *, probes: int | None, as_json: bool, cut: Cut
) -> None:
    with _at_once():
        hub = Hub(settings, vendors, role, probes)

        def began() -> None:
            if as_json:
                print_json({"url": hub.url, "data": str(settings.data)})
            aside.print(_begun(hub))
            if role.faces and not hub.configured.sources:
                aside.print("[yellow]◆[/] no source is configured yet: `pulsehub plugins` lists what could be")
            for name, meant in misspelt(vendors, [plugin.name for plugin in hub.registry.plugins]).items():
                aside.print(f"[yellow]◆[/] nobody reads {plain(name)}: is it {plain(meant)}?")

        with stopping() as stop:  # takes the signals over
            await attend(hub, stop, cut, began)


async def attend(hub: Hub, stop: asyncio.Event, cut: Cut, began: Callable[[], None] = lambda: None) -> None:
    """The life of a process, from its start until it is told to stop; however that comes, it ends in bounded time.

    Raises:
        HubError: it did not start; or a room stopped for good, and others could have its partitions.
    """
    status, starting = 1, asyncio.ensure_future(hub.start())
    try:
        if await _started(starting, stop):
            began()
            if failed := await until(stop, hub):
                raise HubError(f"a room has stopped for good, so this process ends: {failed}")
        status = 0
    finally:
        cut.begin(status)
        starting.cancel()
        await asyncio.wait({starting})
        await hub.stop()


async def _started(starting: asyncio.Future[None], stop: asyncio.Event) -> bool:
    """Whether it came to that, however long it takes, before we were told to stop. Raises what the start raises."""
    asked = asyncio.ensure_future(stop.wait())
    either: set[asyncio.Future[Any]] = {starting, asked}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.cancel()
    if not starting.done():
        return False
    await starting
    return True


def _begun(hub: Hub) -> str:
    if hub.role.faces:
        return f"Pulsehub answers at [bold]{hub.url}[/]  (Ctrl-C stops it)"
    where = f", probes at [bold]{hub.url}[/]" if hub.url else ""
    return f"{hub.role.name} of {', '.join(sorted(hub.role.rooms))}{where}  (Ctrl-C stops it)"


class Cut:
    """Ends the process where its end takes too long: a broker or a database that does not answer, a thread that waits.

    Nothing acknowledged depends on us: what is cut off is done again by whoever comes next.

    Args:
        seconds: from `begin` on.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._timer: threading.Timer | None = None

    def begin(self, status: int) -> None:
        """Count from now on; `status` is the process's, should it come to that."""
        self._timer = threading.Timer(self._seconds, self._cut, [status])
        self._timer.daemon = True
        self._timer.start()

    def _cut(self, status: int) -> None:
        logging.getLogger("worker").warning("worker.stop_cut_short", extra={"seconds": self._seconds})
        os._exit(status)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer:
            self._timer.cancel()


async def until(stop: asyncio.Event, hub: Hub) -> str | None:
    """Wait for the signal to stop, saying so once if a room fails meanwhile; why to end before it comes.

    Where others share the log, whoever starts us anew gives the room another chance, and the others its partitions
    meanwhile. A process that has files to itself goes on: its door still takes what vendors will not send twice.
    """
    said = False
    while not stop.is_set():
        if (failed := hub.engine.streams.failed) and not said:
            logging.getLogger("worker").error("worker.room_failed", extra={"reason": failed})
            if hub.engine.log.shared:
                return failed
            said = True
        try:
            await asyncio.wait_for(stop.wait(), _WATCH)
        except TimeoutError:
            continue
    return None


@contextmanager
def _at_once() -> Iterator[None]:
    """Let a signal end the process where it stands: nothing has begun, and what is asked of servers may take long.

    By a handler of ours: the first process of a container is not ended by what nobody handles.
    """

    def end(number: int, _frame: object) -> None:
        os.write(2, b"stopped: nothing had begun\n")
        os._exit(130 if number == signal.SIGINT else 0)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, end) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


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
