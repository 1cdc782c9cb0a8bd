"""`models`: the versions of what was learned, and going back to one."""

from __future__ import annotations

import time
from typing import Annotated, Any

import msgspec
import typer

from hub.cli import context
from hub.cli.output import Json, answer, iso, print_json, print_table, when
from scoring.published import Version, go_back, versions

_HEARD = 3  # experts that are named


def models(
    *,
    back_to: Annotated[
        int | None, typer.Option("--back-to", help="Publish what this version knew as the next one.", min=1)
    ] = None,
    as_json: Json = False,
) -> None:
    """List the versions of the models, newest first; with --back-to, return to one of them.

    Nothing is taken away: going back makes a new version, from which learning goes on. A running hub sees it at once.
    """
    settings, _ = context.load()
    with context.opened(settings) as database:
        if back_to is None:
            with database.read() as connection:
                _list(versions(connection), as_json=as_json)
            return
        made = database.write(lambda connection: go_back(connection, back_to, time.time())).result()
    if as_json:
        print_json(_document(made) | {"knows_what_version": back_to})
    else:
        answer.print(f"version {made.version} knows what version {back_to} knew: {made.labels:,} labels")


def _list(found: list[Version], *, as_json: bool) -> None:
    if as_json:
        print_json({"versions": [_document(one) for one in found]})
        return
    rows = [
        (one.version, when(one.at), f"{one.labels:,}", f"{one.lost:,}", when(one.trained_through), _heard(one))
        for one in found
    ]
    print_table(
        ("version", "published", "labels", "lost", "trained through", "listened to"),
        rows,
        "No label has come due yet, so nothing was learned: health is the scorecard's.",
    )


def _heard(one: Version) -> str:
    first = sorted(one.weights.items(), key=lambda pair: -pair[1])[:_HEARD]
    return ", ".join(f"{name} {weight:.0%}" for name, weight in first)


def _document(one: Version) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(one)
    return plain | {"at": iso(one.at), "trained_through": iso(one.trained_through)}
