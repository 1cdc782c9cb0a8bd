"""`measures` and `scorecard`: what is declared, and whom a draft would move before it is switched on."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import Connection

from hub.cli import context
from hub.cli.output import Json, answer, aside, band, iso, print_json, print_table, when
from hub.registry import Registry
from hub.sdk.errors import ConfigError
from hub.sdk.health import Band
from hub.sealing import Seal
from hub.settings import Settings
from hub.store.questions import portfolio
from scoring import folds
from scoring.accounts import each, measures_of
from scoring.config import Config
from scoring.drafts import Moves, differences, moves, refolded
from scoring.experts.seating import seated
from scoring.loading import FILES, load
from scoring.rows import FOLDS
from scoring.scorers import Scorers

Draft = Annotated[Path, typer.Argument(help="A folder as PULSEHUB_SCORING names one, or one of its files.")]
Named = Annotated[int, typer.Option("--most", min=0, max=1_000, help="How many of those who move most to name.")]
measures = typer.Typer(help="What is measured of each customer.", add_completion=False, invoke_without_command=True)
scorecard = typer.Typer(help="How the measures are weighed.", add_completion=False, invoke_without_command=True)


@measures.callback()
def list_measures(ctx: typer.Context, *, as_json: Json = False) -> None:
    """List the measures with their versions, and how many accounts hold each."""
    if ctx.invoked_subcommand is not None:
        return
    settings, _ = context.load()
    config = in_use(settings)
    with context.opened(settings) as database, database.read() as connection:
        held, accounts = _held(connection, config)
    versions = folds.folds(config)
    rows = [
        {
            "name": one.name,
            "family": one.family,
            "dimension": one.dimension,
            "direction": one.direction,
            "version": versions.get(one.name),
            "accounts": held.get(one.name, accounts),
        }
        for one in config.measures
    ]
    if as_json:
        print_json({"version": config.version, "accounts": accounts, "measures": rows})
        return
    print_table(
        ("measure", "family", "dimension", "better", "version", "accounts"),
        [
            (
                one["name"],
                one["family"],
                one["dimension"],
                one["direction"],
                one["version"],
                _so_far(held.get(str(one["name"]), accounts), accounts),
            )
            for one in rows
        ],
        "",
    )
    answer.print(f"\n[dim]scorecard {config.version}, {accounts:,} accounts[/]")


@scorecard.callback()
def show_scorecard(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Show the scorecard in use, as it was understood."""
    if ctx.invoked_subcommand is not None:
        return
    config = in_use(context.load()[0])
    said = config.scorecard.model_dump(mode="json")
    if as_json:
        print_json({"version": config.version, "scorecard": said})
        return
    whole = sum(one.weight for one in config.scorecard.dimensions)
    rows = [
        (
            side.name,
            f"{side.weight / whole:.0%}",
            one.measure,
            f"{one.weight / sum(m.weight for m in side.measures):.0%}",
        )
        for side in config.scorecard.dimensions
        for one in side.measures
    ]
    print_table(("dimension", "of health", "measure", "of the dimension"), rows, "")
    answer.print(f"\n[dim]scorecard {config.version}[/]")


@measures.command("diff")
def diff_measures(draft: Draft, *, most: Named = 10, as_json: Json = False) -> None:
    """Say what a draft of measures.yaml changes, and whom it would move. Nothing is written."""
    _diff(draft, "measures.yaml", most, as_json=as_json)


@scorecard.command("diff")
def diff_scorecard(draft: Draft, *, most: Named = 10, as_json: Json = False) -> None:
    """Say what a draft of scorecard.yaml changes, and whom it would move. Nothing is written."""
    _diff(draft, "scorecard.yaml", most, as_json=as_json)


def _so_far(held: int, accounts: int) -> str:
    return "all" if held == accounts else f"{held:,} of {accounts:,}, the others are being folded anew"


def _diff(draft: Path, name: str, most: int, *, as_json: bool) -> None:
    settings, _ = context.load()
    old, new = in_use(settings), in_use(settings, draft, name)
    lines, anew = differences(old, new), refolded(old, new)
    with (
        context.opened(settings) as database,
        database.read() as connection,
        Progress(
            TextColumn("judging"), BarColumn(), TextColumn("{task.completed:,} of {task.total:,}"),
            TimeRemainingColumn(), console=aside, transient=True,
        ) as bar,
    ):  # fmt: skip
        task = bar.add_task("", total=1)
        at = time.time() if settings.clock == "wall" else portfolio.newest(connection) or time.time()

        def told(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of)

        panel = seated(Registry(), Seal.of(settings))
        found = moves(connection, old, new, at, most=most, told=told, panel=panel)
    if as_json:
        print_json(_document(old, new, lines, anew, found))
        return
    answer.print("\n".join(lines) or "nothing changes", markup=False)
    if anew:
        answer.print(f"\nfolded anew from the archive: {', '.join(anew)}", markup=False)
    _say(found)
    answer.print(f"\n[dim]{old.version} -> {new.version}, as of {when(found.at)}[/]")


def _say(found: Moves) -> None:
    answer.print(f"\n{found.moved:,} of {found.accounts:,} accounts would move by half a point or more")
    rows = [
        (band(a), band(b), f"{n:,}") for (a, b), n in sorted(found.bands.items(), key=lambda one: -one[1]) if a != b
    ]
    print_table(("band now", "with the draft", "accounts"), rows, "nobody would change band")
    if found.most:
        answer.print()
        print_table(
            ("account", "health", "with the draft", "band", "mostly"),
            [
                (
                    one.name or one.account,
                    f"{one.health:.1f}",
                    f"{one.draft:.1f}",
                    band(one.draft_band),
                    f"{one.because[0]} {one.because[1]:+.1f}",
                )
                for one in found.most
            ],
            "",
        )


def _document(old: Config, new: Config, lines: list[str], anew: list[str], found: Moves) -> dict[str, Any]:
    bands: dict[Band, dict[Band, int]] = {}
    for (before, after), many in found.bands.items():
        bands.setdefault(before, {})[after] = many
    return {
        "from": old.version,
        "to": new.version,
        "changes": lines,
        "folded_anew": anew,
        "as_of": iso(found.at),
        "accounts": found.accounts,
        "moved": found.moved,
        "bands": bands,
        "most": [one._asdict() for one in found.most],
    }


def in_use(settings: Settings, draft: Path | None = None, name: str = "") -> Config:
    """What is declared; with a draft, its file or its folder's files in place of ours.

    Raises:
        ConfigError: the draft is not there, or makes no sense.
    """
    taken: dict[str, Path] = {}
    if draft is not None and draft.is_dir():
        taken = {one: draft / one for one in FILES if (draft / one).is_file()}
        if not taken:
            raise ConfigError(f"{draft} has neither measures.yaml nor scorecard.yaml")
    elif draft is not None:
        taken = {name: draft}
    return load(settings.scoring, Registry().measures(), taken)


def _held(connection: Connection, config: Config) -> tuple[dict[str, int], int]:
    """How many accounts hold a measure as it is declared now, where not all do; and how many there are."""
    ours = measures_of(config, Scorers(config).names)
    said: Counter[int] = Counter()
    for _, rows in each(connection, ours.layout, 10_000):
        numbers, many = np.unique(rows[FOLDS], return_counts=True)
        said.update(dict(zip(numbers.tolist(), many.tolist(), strict=True)))
    total = said.total()
    held = dict.fromkeys(ours.folds, total)
    for number, those in said.items():
        for name in folds.lacking(connection, number, ours.folds):
            held[name] -= those
    return held, total
