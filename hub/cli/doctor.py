"""`doctor`: is everything in order, do the books balance, and what to do if not. What it looks at: `hub.cli.checks`."""

from __future__ import annotations

from typing import Final

import typer

from hub.cli import context
from hub.cli.checks import installation, servers, surroundings
from hub.cli.checks.experts import experts
from hub.cli.output import Json, answer, plain, print_json

_SIGN: Final = {"ok": "[green]▲[/]", "note": "[dim]●[/]", "wrong": "[red]▼[/]"}


def doctor(*, as_json: Json = False) -> None:
    """Check settings, plugins, servers, clocks, the log and the books; status 1 if something is wrong."""
    settings, vendors = context.load()
    counted, found = installation.examine(settings)
    checks = [
        *surroundings.program(),
        surroundings.disk(settings),
        *surroundings.given(settings, vendors),
        *servers.cache(settings),
        *servers.mail(vendors),
        *found,
        *experts(settings),
    ]
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
