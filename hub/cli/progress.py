"""How far long work is: a bar on standard error, so that a pipe gets only answers."""

from __future__ import annotations

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from hub.cli.output import aside


def bar() -> Progress:
    """A bar for each task, with what the task notes beside it (`note`)."""
    return Progress(
        TextColumn("{task.description:>9}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=aside,
    )
