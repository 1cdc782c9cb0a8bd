"""`demo`: the main job, whole and real, on this machine."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from hub.cli import context
from hub.cli.output import Json, answer, aside, print_json
from hub.cli.running import stopping
from hub.demo.proof import Proof
from hub.demo.stage import Stage
from hub.logs import configure_logging
from hub.sdk.errors import HubError
from hub.settings import Settings


def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="End after the proof: status 0, or 1 and the reason.")] = False,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the pages; 0 takes a free one.")] = None,
    as_json: Json = False,
) -> None:
    """Stand-in vendors, 200 companies, 180 days of their history as signed webhooks, then life as it goes on.

    Interrupted, it goes on where it stopped. It keeps to the data folder (PULSEHUB_DATA); remove that to begin anew.
    """
    settings, _ = context.load()
    configure_logging("warning" if settings.log_level == "info" else settings.log_level)
    if port is not None:
        settings = settings.model_copy(update={"port": port})
    elif once:
        settings = settings.model_copy(update={"port": 0})
    asyncio.run(_demo(settings, once=once, as_json=as_json))


async def _demo(settings: Settings, *, once: bool, as_json: bool) -> None:
    with stopping() as stop:
        async with Stage(settings, datetime.now(UTC)) as stage:
            _addresses(stage)
            await _tell(stage, stop)
            if stop.is_set():
                return
            await stage.crisis()
            await stage.settle()
            proved = await stage.prove()
            if as_json:
                print_json(msgspec.to_builtins(proved) | {"missing": proved.missing()})
            else:
                _say(proved)
            if once:
                if missing := proved.missing():
                    raise HubError("the demo did not prove it: " + "; ".join(missing))
                return
            aside.print("\nlive: something happens every second. Ctrl-C ends it.")
            _addresses(stage)
            await stage.live(stop)


async def _tell(stage: Stage, stop: asyncio.Event) -> None:
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("day {task.completed} of {task.total}"),
        TimeElapsedColumn(),
        console=aside,
    ) as bar:
        task = bar.add_task("180 days of history, as signed webhooks", total=None)
        await stage.tell(stop, lambda day, days: bar.update(task, completed=day, total=days))


def _addresses(stage: Stage) -> None:
    places = {"Pulsehub": stage.hub.url, "inbox": stage.inbox.url} | {
        f"{vendor} (stand-in)": url for vendor, url in stage.vendors.urls.items()
    }
    for name, url in places.items():
        aside.print(f"  {name:<24} {url}")


def _say(proved: Proof) -> None:
    answer.print(
        f"\n{proved.received:,} events received = {proved.applied:,} applied + {proved.duplicates:,} duplicates"
        f" + {proved.dead_lettered:,} dead-lettered + {proved.pending:,} pending"
    )
    answer.print(f"{proved.accounts:,} customers, their health moved {proved.rescored:,} times")
    answer.print(f"{proved.labels:,} outcomes taught the models (version {proved.model_version})")
    if proved.auc is not None and proved.scorecard_auc is not None:
        answer.print(
            f"60 days ahead, among customers of one week, {proved.judged:,} predictions: AUC {proved.auc:.2f},"
            f" the scorecard alone {proved.scorecard_auc:.2f}"
        )
    for vendor, number in proved.fields.items():
        answer.print(f"{number:,} records in {vendor} show a health")
    answer.print(f"{proved.emails:,} e-mails about customers at risk")
