"""`override`: a person's word about a customer's health, and taking it back."""

from __future__ import annotations

import getpass
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from hub.cli.context import load, reading
from hub.cli.look import Account, find, moment
from hub.cli.output import Json, answer, iso, plain, print_json, print_table, when
from hub.ingest.intake import seal
from hub.sdk.errors import HubError
from hub.worker.beside import Beside
from scoring.declared import seconds
from scoring.families.by_hand import OURS
from scoring.overrides import Override, checked, event, history


def override(
    account: Account,
    *,
    health: Annotated[float | None, typer.Option(help="What it is to be, 0 to 100.")] = None,
    until: Annotated[str, typer.Option(help="A day (to its end, UTC), a moment, or a span: 2026-12-24, 30d.")] = "",
    reason: Annotated[str, typer.Option(help="Why; people will read it.")] = "",
    author: Annotated[str, typer.Option(help="Who says so; else who is logged in here.")] = "",
    clear: Annotated[bool, typer.Option("--clear", help="Take back what was said.")] = False,
    as_json: Json = False,
) -> None:
    """Set a customer's health by hand until a day; without --health and --clear, show what was said so far.

    What is computed goes on being computed and shown. It enters by the log, as an event; a running hub does it at once,
    else it is done when one starts.
    """
    if health is None and not clear:
        with reading() as connection:
            _show(connection, find(connection, account), as_json=as_json)
        return
    if health is not None and clear:
        raise HubError("--health sets it, --clear takes it back: one of them")
    settings, _ = load()
    with reading() as connection:
        found = find(connection, account)
        wall = datetime.now(UTC)
        now = moment(connection, settings.clock, wall)
    end = 0.0 if health is None else _moment(until, now).timestamp()
    said = checked(Override(now.timestamp(), end, health, author or getpass.getuser(), reason))
    told = event(found, said)
    with closing(Beside(settings)) as beside:
        beside.intake.append(beside.intake.pack([seal(told, OURS, wall)], wall.timestamp())).result()
    if as_json:
        print_json({"account": found, "event": told.id} | _document(said))
    elif health is None:
        answer.print(f"{found} has its computed health again")
    else:
        answer.print(f"{found} has health {health:g} until {when(said.until)}")


def _show(connection: Connection, account: str, *, as_json: bool) -> None:
    found = history(connection, account)
    if as_json:
        print_json({"account": account, "overrides": [_document(one) for one in found]})
        return
    print_table(
        ("said", "health", "until", "by", "why"),
        [
            (
                when(one.at),
                "as computed" if one.health is None else f"{one.health:g}",
                when(one.until),
                one.author,
                one.reason,
            )
            for one in found
        ],
        f"Nobody has set the health of {plain(account)} by hand.",
    )


def _document(said: Override) -> dict[str, Any]:
    return said._asdict() | {"at": iso(said.at), "until": iso(said.until)}


def _moment(until: str, now: datetime) -> datetime:
    """When a word ends.

    Raises:
        HubError: what was given is neither a day, nor a moment, nor a span.
    """
    span = seconds(until)
    if isinstance(span, float) and span < float("inf"):
        return now + timedelta(seconds=span)
    try:
        if len(until) == len("2026-12-24"):
            return datetime.combine(date.fromisoformat(until), time.max, UTC)
        moment = datetime.fromisoformat(until)
    except ValueError:
        raise HubError(f"--until {until!r} is no day, moment or span: 2026-12-24, 2026-12-24T18:00Z, 30d") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
