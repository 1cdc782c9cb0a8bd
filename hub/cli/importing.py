"""`import`: files of the past, through the same scoring as live events."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import msgspec
import typer
from rich.progress import Progress, TaskID

from hub.cli import context
from hub.cli.output import Json, answer, aside, plain, print_json
from hub.cli.progress import bar
from hub.cli.running import stopping
from hub.ingest.importing import Importer, Plan, Summary, load_map
from hub.ingest.importing import Progress as Where
from hub.locking import HeldError
from hub.logs import configure_logging
from hub.registry import Registry
from hub.sdk.errors import ConfigError, HubError
from hub.settings import Settings, adopt
from hub.worker.beside import Beside
from hub.worker.engine import Engine
from scoring.lessons import MIX
from scoring.model import CARD
from scoring.proof.quality import Quality, quality

_PATIENCE: Final = 3_600.0  # seconds for scoring to finish what was read
_SHOWN: Final = 12  # reasons, rows of a preview


def import_file(
    file: Annotated[Path, typer.Argument(help="CSV or JSON lines; plain, gz, xz or zst.", exists=True, dir_okay=False)],
    *,
    map_file: Annotated[Path, typer.Option("--map", help="YAML: which column is what.", exists=True, dir_okay=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the first events; write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Bring in what happened before. Ctrl-C is safe: the same command goes on where it stopped."""
    settings, _ = context.load()
    plan = _fitting(file, map_file, settings)
    if not dry_run and adopt(settings, map_file.parent):
        aside.print(f"a new installation: it takes the settings that came with the map, kept in {plain(settings.data)}")
        settings, _ = context.load()
    configure_logging("warning" if settings.log_level == "info" else settings.log_level)
    if dry_run:
        _preview(settings, plan, file, as_json=as_json)
        return
    summary, learned = asyncio.run(_import(settings, plan, file))
    _report(summary, learned, as_json=as_json)
    if summary.broken:
        raise HubError(f"{file} could not be read to its end: {summary.broken}")
    if not summary.finished:
        aside.print("stopped; the same command goes on where it stopped")
        raise typer.Exit(1)


def _fitting(file: Path, map_file: Path, settings: Settings) -> Plan:
    """The map, once it is sure that it fits the file: nothing is made for an import that cannot begin.

    Raises:
        ConfigError: it does not.
    """
    plan = load_map(map_file)
    try:
        Importer(plan, file, None, settings.data)  # type: ignore[arg-type]  # appends nothing
    except ConfigError as error:
        raise ConfigError(f"{file} cannot be imported by {map_file}: {error}") from None
    return plan


async def _import(settings: Settings, plan: Plan, file: Path) -> tuple[Summary, Quality | None]:
    """Read the file beside the agents that score it; both in this process."""
    halt = threading.Event()
    with stopping() as stop:
        async with _scoring(settings) as scoring:
            importer = Importer(plan, file, scoring.intake, settings.data, lag=lambda: scoring.books().pending)
            with bar() as shown:
                reading = asyncio.create_task(asyncio.to_thread(importer.run, _moves(shown), halt))
                stopped = asyncio.create_task(stop.wait())
                await asyncio.wait({reading, stopped}, return_when=asyncio.FIRST_COMPLETED)
                halt.set() if stopped.done() else stopped.cancel()
                summary = await reading
                if summary.finished:
                    await _drain(scoring, shown, stop)
            if not summary.finished:
                return summary, None
            with scoring.database.read() as connection:
                return summary, quality(connection)


@asynccontextmanager
async def _scoring(settings: Settings) -> AsyncIterator[Engine | Beside]:
    """The agents, in this process; or those of the hub that already runs on this data folder, or of the workers."""
    registry = Registry()
    try:
        engine = Engine(settings, registry, registry.configure({}, httpx.AsyncClient())) if settings.embedded else None
    except HeldError:
        engine = None
    if engine:
        async with engine:
            yield engine
        return
    with closing(Beside(settings)) as beside:
        if settings.embedded:
            aside.print("a hub is running on this data folder: it scores what is read")
        elif not beside.workers():
            aside.print("[yellow]◆[/] no worker is running: what is read waits on the log until `pulsehub worker` runs")
        yield beside


async def _drain(scoring: Engine | Beside, shown: Progress, stop: asyncio.Event) -> None:
    """Wait until everything that was read is scored and learned."""
    pending = max(1, scoring.books().pending)
    task = shown.add_task("scoring", total=pending, note="")
    while not stop.is_set() and not await scoring.drained(0.5):
        shown.update(task, completed=pending - scoring.books().pending)
    shown.update(task, completed=pending)


def _moves(shown: Progress) -> Callable[[Where], None]:
    task: TaskID = shown.add_task("reading", total=None, note="")

    def move(where: Where) -> None:
        note = f"{where.counts.read:,} rows, {where.counts.events:,} events"
        if where.waiting:
            note += ", waiting for scoring"
        shown.update(task, total=where.size, completed=where.taken, note=note)

    return move


def _preview(settings: Settings, plan: Plan, file: Path, *, as_json: bool) -> None:
    rows = Importer(plan, file, None, settings.data).preview(_SHOWN)  # type: ignore[arg-type]  # appends nothing
    if as_json:
        print_json(
            {
                "rows": [
                    {"line": row.line, "rejected": row.reason, "events": [msgspec.to_builtins(e) for e in row.events]}
                    for row in rows
                ]
            }
        )
        return
    for row in rows:
        if row.reason:
            answer.print(f"line {row.line}: [yellow]rejected[/]: {plain(row.reason)}")
        for event in row.events:
            money = f"  {event.amount:,} {event.currency}" if event.amount is not None else ""
            words = f"{event.kind}  {event.account}  {event.occurred_at.isoformat()}{money}"
            answer.print(f"line {row.line}: {plain(words)}")
    answer.print("[dim]nothing was written; without --dry-run the whole file is imported[/]")


def _report(summary: Summary, learned: Quality | None, *, as_json: bool) -> None:
    counts = summary.counts
    if as_json:
        document: dict[str, Any] = {
            "read": counts.read,
            "accepted": counts.accepted,
            "duplicates": counts.duplicates,
            "rejected": counts.rejected,
            "reasons": counts.reasons,
            "events": counts.events,
            "finished": summary.finished,
            "rejected_file": str(summary.rejects) if summary.rejects else None,
            "quality": msgspec.to_builtins(learned) if learned else None,
        }
        print_json(document)
        return
    answer.print(
        f"read {counts.read:,} rows = accepted {counts.accepted:,} + duplicates {counts.duplicates:,}"
        f" + rejected {counts.rejected:,}; {counts.events:,} events"
    )
    for reason, number in sorted(counts.reasons.items(), key=lambda pair: -pair[1])[:_SHOWN]:
        answer.print(f"  rejected {number:,}: {plain(reason)}")
    if summary.rejects:
        answer.print(f"  each with its line and reason: {plain(summary.rejects)}")
    if learned:
        for line in judgement(learned):
            answer.print(line)


def judgement(learned: Quality) -> list[str]:
    """How well it predicted, in sentences: what it showed beside the scorecard alone, on the same labels.

    Every number comes from predictions made a whole horizon before their outcome was known. Until the models are
    listened to, both are the same; so where they are, only what was predicted since is compared.
    """
    if not learned.labels:
        return ["No outcome has matured yet, so nothing can be said of how well it predicts."]
    lines = [
        f"{learned.labels:,} predictions of {learned.accounts:,} customers came due; {learned.lost:,} ended lost.",
    ]
    if learned.heard:
        lines.append(f"The {learned.heard[0].labels:,} made since the models are listened to compare as follows.")
    else:
        lines.append("All were made by the scorecard alone; the models were not listened to yet.")
    for name, words in ((MIX, "what it showed"), (CARD, "the scorecard alone")):
        one = learned.fair.get(name)
        if one and one.auc is not None:
            weekly = "" if one.weekly is None else f", {one.weekly:.3f} among customers of one week"
            spread = f"({one.low:.3f} to {one.high:.3f})"
            lines.append(f"  {words:<20} AUC {one.auc:.3f} {spread}{weekly}; log loss {one.log_loss:.3f}")
    if learned.gain is not None:
        lines.append(f"  gain of AUC {learned.gain:+.3f} (95 %: {learned.gain_low:+.3f} to {learned.gain_high:+.3f})")
    return lines
